import itertools
import math

import numpy as np
import pytest
import ranks
import torch
import torch.nn.functional as F

from methods.tiny_hitrs import batch, small_method
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.methods import hitrs
from pstl.ops import masks, windows
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, optimiser


def frames_of(data):
    """(B, T, V, 3) joints of one person each."""
    return data.x[..., 0].permute(0, 2, 3, 1)


def close(ours, theirs):
    """The tolerance of the parity vectors is a hundredth of the spread between clips.

    We ask for a thousandth of that.
    """
    return np.abs(np.asarray(ours) - theirs).max() <= 1e-5 * theirs.std(axis=0).max()


def test_masked_joints_are_as_many_and_as_the_paper_says():
    """15 % of the joints; of these 80 % become (1, 1, 1), 10 % another joint of another frame of
    the same body, 10 % stay (Hi-TRS spec 3.1).
    """
    length = torch.tensor([30, 2, 40])
    packed = windows.pack(length)
    # Each joint tells where it comes from.
    code = torch.arange(72 * 25.0).view(72, 25, 1).expand(-1, -1, 3) + 10
    counts, sources = torch.zeros(4), []
    for draw in range(60):
        u = torch.rand(72, 25, dtype=torch.float64, generator=torch.Generator().manual_seed(draw))
        x, selected = masks.corrupt_joints(code, packed, length, 0.15, u)
        changed = (x != code).any(2)
        hidden = (x == 1).all(2)
        assert set((changed.flatten().nonzero()[:, 0]).tolist()) <= set(selected.tolist())
        moved = changed & ~hidden
        counts += torch.tensor([72 * 25, len(selected), int(hidden.sum()), int(moved.sum())])
        at, origin = moved.flatten().nonzero()[:, 0], (x[..., 0][moved] - 10).long()
        assert torch.equal(packed.sequence[at // 25], packed.sequence[origin // 25])
        assert (at // 25 != origin // 25).all()
        assert (at % 25 != origin % 25).all()
        sources.append(origin)
    total, selected, hidden, moved = counts.tolist()
    assert selected / total == pytest.approx(0.15, abs=0.005)
    assert hidden / selected == pytest.approx(0.8, abs=0.015)
    assert moved / selected == pytest.approx(0.1, abs=0.012)
    assert len(torch.cat(sources).unique()) > 0.4 * 72 * 25


def test_a_clip_that_moves_is_chosen_uniformly():
    """A clip without motion cannot tell whether its frames were exchanged.

    One without any is no item of the loss (Hi-TRS spec 3.2).
    """
    length = torch.tensor([30, 30, 30])
    packed = windows.pack(length)
    x = torch.zeros(90, 4, 3)
    # Body 0 moves once, between its frames 19 and 20; body 1 starts elsewhere and stands still;
    # body 2 walks.
    x[20:30] = 1.0
    x[30:60] = 5.0
    x[60:] = torch.arange(30.0)[:, None, None]
    seen = [[], []]
    for i in range(400):
        preference = torch.rand(3, 30, generator=torch.Generator().manual_seed(i))
        centre, valid = windows.moving_clip(x, packed, length, preference, 7, 2)
        assert valid.tolist() == [True, False, True]
        seen[0].append(int(centre[0]))
        seen[1].append(int(centre[2]))
    assert set(seen[0]) == {14, 16, 18, 20, 22, 24, 26}  # centres whose window holds frame 20
    assert len(set(seen[1])) == 30
    assert np.bincount(seen[0]).max() < 2 * 400 / 7


def slow_parts(method, x, length, rng):
    """The four tasks one body and one clip at a time, with the same draws; C-TRS called anew for
    each of them.
    """
    encoder, (b, t, v) = method.encoder, x.shape[:3]
    draw = torch.rand(b, t, v, generator=rng, dtype=torch.float64)
    preference, frame_draw, clip_draw = (torch.rand(b, n, generator=rng) for n in (t, 2, 2))
    frame_pairs = windows.distant_pair(torch.full((b,), 7), frame_draw).tolist()
    clip_pairs = windows.distant_pair(windows.window_count(length, 7) - 1, clip_draw).tolist()
    restored, original, pair, swapped_pair, valid, order, swapped_order, last = (
        [] for _ in range(8)
    )
    for i, frames in enumerate(length.tolist()):
        body = x[i, :frames]
        one = torch.tensor([frames])
        masked, selected = masks.corrupt_joints(
            body, windows.pack(one), one, 0.15, draw[i, :frames]
        )
        edge = torch.zeros(6, v, 3, dtype=x.dtype)
        joints = encoder.frame_level(torch.cat([edge, masked, edge]))
        restored.append(method.pose_head(joints[6:-6].flatten(0, 1)[selected]))
        original.append(body.flatten(0, 1)[selected])

        def clip_at(centre, exchange=(0, 0), joints=joints):
            places = [centre + 6 + 2 * (j - 3) for j in range(7)]
            k, m = exchange
            places[k], places[m] = places[m], places[k]
            return encoder.clip_level(joints[places][None])[0]

        activity = [0.0] + [float((body[f] - body[f - 1]).abs().sum()) for f in range(1, frames)]
        around = [[f for f in range(c - 6, c + 7, 2) if 0 <= f < frames] for c in range(frames)]
        candidates = [c for c in range(frames) if sum(activity[f] for f in around[c]) > 0]
        valid.append(bool(candidates))
        centre = max(candidates, key=lambda c: float(preference[i, c])) if candidates else 0
        pair.append(clip_at(centre))
        swapped_pair.append(clip_at(centre, frame_pairs[i]))
        tokens = [clip_at(c) for c in range(0, frames, 7)]
        last.append(tokens.pop())
        true = torch.ones(1, len(tokens), dtype=torch.bool)
        order.append(encoder.video_level(torch.stack(tokens)[None], true)[0, -1])
        k, m = clip_pairs[i]
        tokens[k], tokens[m] = tokens[m], tokens[k]
        swapped_order.append(encoder.video_level(torch.stack(tokens)[None], true)[0, -1])
    pair, order, last = (
        torch.stack(pair + swapped_pair),
        torch.stack(order + swapped_order),
        torch.stack(last).detach(),
    )
    return hitrs.Parts(
        torch.cat(restored), torch.cat(original), pair, torch.tensor(valid), order, last
    )


@pytest.mark.parametrize(("name", "stream"), [("kinect_v2", "joint"), ("kinect_v1", "motion")])
def test_one_pass_gives_what_separate_passes_give(name, stream, monkeypatch):
    """Packed bodies, one C-TRS call for three tasks, token-only last layers.

    Tokens and gradients are those of each body alone.
    """
    method, data = small_method(name, stream).double(), batch(4, name)
    data.x[3] = data.x[3, :, :1]  # stands still: in the motion stream as well as in this one
    x = frames_of(data._replace(x=method.as_stream(data.x.double(), load(name), stream)))
    calls, plain = [], method.encoder.clip_level.forward
    monkeypatch.setattr(
        method.encoder.clip_level, "forward", lambda y: calls.append(len(y)) or plain(y)
    )
    ours = method.parts(x, data.length, torch_generator(0, "test"))
    assert calls == [sum(math.ceil(t / 7) for t in data.length.tolist()) + 2 * 4]
    theirs = slow_parts(method, x, data.length, torch_generator(0, "test"))
    real = torch.cat([ours.valid, ours.valid])
    assert ours.valid.tolist() == theirs.valid.tolist() == [True, True, True, False]
    for name_, one, other in zip(ours._fields, ours, theirs, strict=True):
        one, other = (value[real] if name_ == "pair" else value for value in (one, other))
        torch.testing.assert_close(
            one, other, atol=1e-10, rtol=1e-8, msg=lambda m, name_=name_: f"{name_}: {m}"
        )
    gradients = []
    for parts in (ours, theirs):
        method.zero_grad()
        method.losses(parts)["loss"].backward()
        gradients.append([p.grad.clone() for p in method.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-7)


def test_the_losses_are_the_papers():
    """Smooth L1 of coordinates times ten, two binary choices (unchanged is class 1), InfoNCE at
    0.07 within the batch, weights 1.
    """
    method = small_method()
    torch.manual_seed(1)
    pair, order, last = (
        torch.randn(10, 16),
        torch.randn(10, 32, requires_grad=True),
        torch.randn(5, 16),
    )
    valid = torch.tensor([True, True, False, True, True])
    parts = hitrs.Parts(torch.randn(7, 3), torch.randn(7, 3), pair, valid, order, last)
    losses = method.losses(parts)
    difference = 10 * (parts.restored - parts.original).abs()
    pose = torch.where(difference < 1, difference.square() / 2, difference - 0.5).mean()
    target = torch.tensor([1] * 5 + [0] * 5)
    clip = F.cross_entropy(method.clip_head(pair)[valid.repeat(2)], target[valid.repeat(2)])
    choice = F.cross_entropy(method.order_head(order), target)
    cosine = F.normalize(method.last_head(order[:5])) @ F.normalize(last).T
    found = F.cross_entropy(cosine / 0.07, torch.arange(5))
    for name, expected in {
        "pose": pose,
        "clip": clip,
        "order": choice,
        "last": found,
        "loss": pose + clip + choice + found,
    }.items():
        torch.testing.assert_close(losses[name], expected, msg=lambda m, name=name: f"{name}: {m}")
    right = (method.order_head(order).argmax(1) == target).float().mean()
    torch.testing.assert_close(losses["order_right"], 100 * right)
    nobody = method.losses(parts._replace(valid=torch.zeros(5, dtype=torch.bool)))
    assert float(nobody["clip"].detach()) == 0
    assert nobody["loss"].isfinite()


def test_keys_have_no_gradient():
    """The last clip's token is a target.

    Were it to learn, the easiest answer would be one token for all (Hi-TRS spec 3.4).
    """
    data = batch()
    parts = small_method().parts(frames_of(data), data.length, torch_generator(0, "test"))
    assert parts.order.requires_grad
    assert not parts.last.requires_grad


@pytest.mark.parametrize(
    ("name", "stream"), [("kinect_v1", "motion"), ("kinect_v2", "bone"), ("kinect_v2", "joint")]
)
def test_a_few_steps_lower_the_loss(name, stream):
    """Sixty steps on eight people.

    Joints are restored and last clips found better than by chance, on every sensor and stream.
    """
    method = small_method(name, stream).train()
    optim = optimiser.build(method, TrainSettings(epochs=1, optimiser="adamw", lr=4e-3))
    data, curve = batch(8, name, 40), []
    for i in range(60):
        losses = method(data, torch_generator(0, "test", i))
        losses["loss"].backward()
        optim.step()
        optim.zero_grad()
        curve.append({key: float(value.detach()) for key, value in losses.items()})
    began, ended = (
        {key: sum(c[key] for c in part) / 10 for key in curve[0]}
        for part in (curve[:10], curve[-10:])
    )
    assert ended["loss"] < 0.85 * began["loss"], (began, ended)
    assert ended["last_right"] > 2 * 12.5


def test_weight_decay_spares_what_the_paper_spares():
    """Biases, norms, positions and tokens (Hi-TRS spec 4), by the words in params.yaml."""
    method = small_method()
    words = ("bias", "norm", "positions", "token")
    spared = {name for name, _ in method.named_parameters() if any(word in name for word in words)}
    decayed = {name for name, _ in method.named_parameters()} - spared
    layers = [
        f"encoder.{level}_level.layers.{i}"
        for level, i in itertools.product(("frame", "clip", "video"), range(2))
    ]
    linear = {
        f"{layer}.{part}.weight"
        for layer in layers
        for part in ("attend_in", "attend_out", "feed_in", "feed_out")
    }
    linear |= {f"encoder.{level}_level.enter.weight" for level in ("frame", "clip", "video")}
    assert decayed == linear | {f"{head}_head.weight" for head in ("pose", "clip", "order", "last")}


def test_other_encoders_are_refused():
    """The four tasks need the three levels."""
    skeleton = load("kinect_v2")
    with pytest.raises(UserError, match="set encoder"):
        hitrs.Method(
            hitrs.Config(),
            OtherEncoder(OtherConfig(width=2), skeleton, 2, 60),
            Problem(skeleton, 2, 60, 10, "joint"),
        )


def one_step():
    """One step in float64; the losses and gradients."""
    method, data = small_method().double(), batch(7)
    data.x[6] = data.x[6, :, :1]
    mine = distributed.share(torch.arange(7))
    losses = method(
        Batch(data.x[mine].double(), data.length[mine], None, None, data.length[mine]),
        torch_generator(0, "test"),
    )
    losses["loss"].backward()
    distributed.average_gradients(method.parameters())
    return {k: v.detach() for k, v in losses.items()} | {
        k: p.grad for k, p in method.named_parameters()
    }


@pytest.mark.slow
def test_two_ranks_are_one_process(tmp_path):
    """Draws for the whole batch, one pool of last clips, means over all bodies; 7 do not divide by
    two and one stands still.
    """
    ranks.compare(one_step, tmp_path, atol=1e-8, rtol=1e-6)
