import math
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pstl.backbones import _parts
from pstl.backbones._hitrs_levels import clip_mask, clip_positions, sinusoid
from pstl.backbones.hitrs import Config, Encoder
from pstl.errors import ShapeError
from pstl.skeletons import load

TINY = {"width": 8, "heads": 2, "head_width": 4, "layers": 2, "dropout": 0.0}


def small_encoder(name="kinect_v2", people=2, **cfg):
    """A small encoder in float64 whose every part matters: norms with a scale, an offset."""
    torch.manual_seed(0)
    encoder = Encoder(Config(**TINY | cfg), load(name), people, 60).double()
    with torch.no_grad():
        for key, parameter in encoder.named_parameters():
            if "norm" in key:
                parameter.copy_(torch.rand_like(parameter) + 0.5)
    return encoder


def clips(name="kinect_v2", people=2):
    """Five recordings of 1 to 50 frames, zero beyond them.

    The even ones have one person, in the first slot or in the second.
    """
    x = torch.randn(
        5,
        3,
        50,
        load(name).joints,
        people,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    length = torch.tensor([50, 22, 21, 1, 22])
    for clip, t in zip(x, length, strict=True):
        clip[:, t:] = 0
    if people > 1:
        x[[0, 2], ..., 1] = 0
        x[4, ..., 0] = 0
    return x, length


# --- the same in the released code's steps: nothing packed, merged, fused or left out -------------


def slow_layer(x, layer, blocked=None):
    """Attention with explicit matrices, one head after the other; blocked: (tokens, tokens), True
    where forbidden.
    """
    y, inner = layer.attend_norm(x), layer.inner // layer.heads
    query, key, value = (y @ weight.T for weight in layer.attend_in.weight.chunk(3))
    heads = []
    for h in range(layer.heads):
        part = slice(h * inner, (h + 1) * inner)
        scores = query[..., part] @ key[..., part].transpose(-1, -2) / math.sqrt(inner)
        if blocked is not None:
            scores = scores.masked_fill(blocked, -1e9)
        heads.append(scores.softmax(-1) @ value[..., part])
    x = x + layer.attend_out(torch.cat(heads, -1))
    return x + layer.feed_out(F.gelu(layer.feed_in(layer.feed_norm(x))))


def slow_frames(x, level):
    """(T, V, 3) -> (T, V, D), frame by frame."""
    frames = []
    for frame in x:
        y = level.enter_norm(F.gelu(level.enter(frame))) + level.positions
        for layer in level.layers:
            y = slow_layer(y, layer)
        frames.append(y)
    return torch.stack(frames)


@cache
def slow_mask(window, joints):
    """True where forbidden: the other joints of one's own frame."""
    tokens = range(window * joints + 1)
    return torch.tensor(
        [
            [i // joints == j // joints and i != j and max(i, j) < tokens[-1] for j in tokens]
            for i in tokens
        ]
    )


def slow_clip(y, level):
    """One clip (window, V, D) -> its token."""
    blocked = slow_mask(*y.shape[:2])
    y = torch.cat([(level.enter(y) + level.positions).flatten(0, 1), level.token[None]])
    for layer in level.layers:
        y = slow_layer(y, layer, blocked)
    return y[-1]


def slow_video(tokens, level):
    """Clip tokens (W, D) of one body -> (W + 1, D'), the video's token last."""
    y = torch.cat([level.enter(tokens) + level.positions[: len(tokens)], level.token[None]])
    for layer in level.layers:
        y = slow_layer(y, layer)
    return y


def slow_clips_of(joints, count):
    """Clips of one body's joints (T + 12, V, D) with six edge frames at either end."""
    return [joints[[7 * k + 2 * i for i in range(7)]] for k in range(count)]


def slow_body(x, encoder):
    """One body (T, V, 3) alone, absent or not -> its clips' features and its video's."""
    zeros = x.new_zeros(6, *x.shape[1:])
    joints = slow_frames(torch.cat([zeros, x, zeros]), encoder.frame_level)
    tokens = [
        slow_clip(clip, encoder.clip_level) for clip in slow_clips_of(joints, math.ceil(len(x) / 7))
    ]
    y = slow_video(torch.stack(tokens), encoder.video_level)
    return y[:-1], y[-1]


@pytest.mark.parametrize(("name", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_packed_features_are_those_of_every_body_alone(name, people):
    """Packing, one frame of zeros for all edges, absent people encoded once, token-only layers,
    fused attention: no number changes.
    """
    encoder, (x, length) = small_encoder(name, people), clips(name, people)
    with torch.no_grad():
        features = encoder(x, length=length)
        for i, t in enumerate(length.tolist()):
            bodies = [slow_body(x[i, :, :t, :, m].permute(1, 2, 0), encoder) for m in range(people)]
            frames, clip = (torch.stack(part).mean(0) for part in zip(*bodies, strict=True))
            torch.testing.assert_close(features.clip[i], clip, atol=1e-10, rtol=1e-8)
            torch.testing.assert_close(
                features.frames[i, : len(frames)], frames, atol=1e-10, rtol=1e-8
            )
            assert not features.frames[i, len(frames) :].any()
    assert features.frames.shape == (5, math.ceil(50 / encoder.stride), encoder.width)


def test_levels_compute_real_frames_clips_and_people_only(monkeypatch):
    """Padding must cost nothing: recorded frames and one of zeros, real clips and one of zeros,
    bodies and one per number of clips.
    """
    encoder, (x, length) = small_encoder(), clips()
    rows = {}
    for level in ("frame_level", "clip_level", "video_level"):
        module = getattr(encoder, level)
        plain = module.forward
        monkeypatch.setattr(
            module,
            "forward",
            lambda x, *args, level=level, plain=plain: (
                rows.update({level: len(x)}) or plain(x, *args)
            ),
        )
    encoder(x, length=length)
    bodies = [50, 22, 22, 21, 1, 1, 22]
    assert rows["frame_level"] == sum(bodies) + 1
    assert rows["clip_level"] == sum(math.ceil(t / 7) for t in bodies) + 1
    assert rows["video_level"] == len(bodies) + 3  # the absent ones have 8, 3 and 4 clips


def test_parts_are_the_whole(monkeypatch):
    """Bounded memory must not change features.

    Parts of a few rows against one part, and against the pass that keeps gradients.
    """
    encoder, (x, length) = small_encoder(), clips()
    whole = encoder(x, length=length).clip.detach()
    with torch.no_grad():
        monkeypatch.setattr(_parts, "TOKENS_AT_ONCE", 400)
        torch.testing.assert_close(encoder(x, length=length).clip, whole, atol=1e-12, rtol=1e-10)


def test_what_lies_beyond_a_clip_is_never_read():
    """Padding of the array, or of a longer neighbour in the batch, must not reach a feature."""
    encoder, (x, length) = small_encoder(), clips()
    poisoned = x.clone()
    for clip, t in zip(poisoned, length, strict=True):
        clip[:, t:, :, 0] = float("nan")
    present = x.ne(0).any(3).any(2).any(1)
    with torch.no_grad():
        assert torch.equal(
            encoder(x, length=length).clip, encoder(poisoned, length=length, present=present).clip
        )
        alone = encoder(x[1:2, :, :22]).clip
        torch.testing.assert_close(
            alone[0], encoder(x, length=length).clip[1], atol=1e-12, rtol=1e-10
        )


def test_missing_slots_are_absent_people():
    """A recording with one slot, in a data set of two people, is averaged with an absent body as in
    the released code (Hi-TRS spec 5).
    """
    encoder, (x, length) = small_encoder(), clips()
    with torch.no_grad():
        torch.testing.assert_close(
            encoder(x[[0], ..., :1]).clip, encoder(x[[0]]).clip, atol=1e-12, rtol=1e-10
        )
        assert not torch.allclose(
            encoder(x[[0], ..., :1]).clip, small_encoder(people=1)(x[[0], ..., :1]).clip
        )
        swapped = encoder(x.flip(4), length=length).clip
        torch.testing.assert_close(swapped, encoder(x, length=length).clip, atol=1e-12, rtol=1e-10)


def test_frames_do_not_see_each_other_below_the_clip_level():
    """F-TRS works within a frame: any other order of frames gives the same joints in that order."""
    encoder = small_encoder()
    x = torch.randn(6, 25, 3, dtype=torch.float64)
    torch.testing.assert_close(encoder.frame_level(x.flip(0)), encoder.frame_level(x).flip(0))


def test_a_joint_sees_no_other_joint_of_its_frame():
    """Diagonal blocks closed but for the diagonal, everything else open: C-TRS mixes over time only
    (Hi-TRS spec 2).
    """
    attention_mask = clip_mask(7, 25)
    assert attention_mask.shape == (176, 176)
    assert attention_mask[-1].all()
    assert attention_mask[:, -1].all()
    blocks = attention_mask[:-1, :-1].view(7, 25, 7, 25).permute(0, 2, 1, 3)
    same = torch.eye(7, dtype=torch.bool)
    assert torch.equal(blocks[same], torch.eye(25, dtype=torch.bool).expand(7, 25, 25))
    assert blocks[~same].all()


def test_positions_start_as_sinusoids():
    """Even channels sine, odd cosine.

    In clips the first half tells the joint, the second the frame (Hi-TRS spec 2).
    """
    for p, i in ((0, 0), (5, 2), (24, 7)):
        angle = p / 10_000 ** (i // 2 * 2 / 8)
        assert float(sinusoid(25, 8)[p, i]) == pytest.approx(
            math.sin(angle) if i % 2 == 0 else math.cos(angle), abs=1e-5
        )
    both = clip_positions(7, 25, 16)
    for frame, joint in ((0, 0), (6, 3), (2, 24)):
        torch.testing.assert_close(
            both[frame, joint], torch.cat([sinusoid(25, 8)[joint], sinusoid(7, 8)[frame]])
        )


def test_parameter_counts_are_the_papers():
    """Counted in Hi-TRS spec 2, less the four heads of pre-training."""
    with torch.device("meta"):
        encoder = Encoder(Config(), load("kinect_v2"), 2, 300)
    counts = [
        sum(p.numel() for p in level.parameters())
        for level in (encoder.frame_level, encoder.clip_level, encoder.video_level)
    ]
    assert counts == [891_395 - 387, 1_852_290 - 514, 4_307_458 - 1_026 - 131_328]
    assert encoder.width == 512


def test_impossible_clips_are_refused():
    """More clips than the table of positions holds, or another skeleton.

    One line that says what to do.
    """
    with pytest.raises(ShapeError, match="cut the recording"):
        small_encoder(clips=3)(torch.zeros(1, 3, 22, 25, 1, dtype=torch.float64))
    with pytest.raises(ShapeError, match="expected"):
        small_encoder()(torch.zeros(1, 3, 22, 20, 1, dtype=torch.float64))


def test_bf16_keeps_the_difference_between_clips():
    """Residual sums stay in float32, features are float32.

    Clips differ by less than bf16 resolves.
    """
    encoder, (x, length) = small_encoder().float(), clips()
    with torch.no_grad():
        plain = encoder(x.float(), length=length).clip
        for level in (encoder.frame_level, encoder.clip_level, encoder.video_level):
            level.forward = torch.autocast("cpu", torch.bfloat16)(level.forward)
        half = encoder(x.float(), length=length).clip
    assert half.dtype == torch.float32
    assert not torch.equal(half, plain)
    assert (half - plain).abs().mean() < 0.2 * plain.std(0).mean()


def test_an_empty_clip_is_encoded():
    """A recording without any body is two absent ones; every batch may hold one."""
    with torch.no_grad():
        features = small_encoder()(torch.zeros(2, 3, 9, 25, 2, dtype=torch.float64))
    assert np.isfinite(features.clip.numpy()).all()
    torch.testing.assert_close(features.clip[0], features.clip[1])
