import itertools
import math

import numpy as np
import pytest
import ranks
import torch
import torch.nn.functional as F

from pstl.backbones.hitrs import Config as EncoderConfig
from pstl.backbones.hitrs import Encoder
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed, import_weights
from pstl.methods import hitrs
from pstl.ops import masks, windows
from pstl.ops.streams import STREAMS
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, optimiser
from pstl.train.checkpoint import read
from tests.official import imported

CPU = torch.device("cpu")
TINY = EncoderConfig(width=8, heads=2, head_width=4, layers=2, dropout=0.0)


def small_method(name="kinect_v2", stream="joint", encoder=TINY, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    return hitrs.Method(
        hitrs.Config(**cfg), Encoder(encoder, skeleton, 2, 60), Problem(skeleton, 2, 60, 10, stream)
    )


def batch(n=5, name="kinect_v2", frames=50):
    """People who stand somewhere and swing at a pace of their own; 19 to `frames` recorded frames,
    zero beyond them.
    """
    rng, joints = torch.Generator().manual_seed(1), load(name).joints
    place, size, phase = (torch.randn(n, 3, 1, joints, 1, generator=rng) for _ in range(3))
    pace = torch.linspace(0.1, 0.6, n).view(n, 1, 1, 1, 1)
    x = place + 0.5 * size * torch.sin(pace * torch.arange(frames).view(1, 1, -1, 1, 1) + phase)
    length = torch.linspace(19, frames, n).long()
    for clip, t in zip(x, length, strict=True):
        clip[:, t:] = 0
    return Batch(x, length)


def frames_of(data):
    """(B, T, V, 3) joints of one person each."""
    return data.x[..., 0].permute(0, 2, 3, 1)


# --- the released code ----------------------------------------------------------------------------


def close(ours, theirs):
    """The tolerance of the parity vectors is a hundredth of the spread between clips.

    We ask for a thousandth of that.
    """
    return np.abs(np.asarray(ours) - theirs).max() <= 1e-5 * theirs.std(axis=0).max()


def test_embed_gives_the_released_features(shared, tmp_path):
    """What a user of the authors' weights gets, through the commands."""
    vectors = np.load(shared / "parity/hitrs.npz")
    np.save(tmp_path / "x.npy", vectors["x"])
    card = import_weights("hitrs", shared / "parity/hitrs_official.pt", tmp_path / "encoder.pt")
    assert (card.people, card.skeleton, card.stream, card.recipe["name"]) == (
        2,
        "kinect_v2",
        "joint",
        "metres300",
    )
    embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", None, [], CPU)
    ours = np.load(tmp_path / "f.npy")
    assert (
        np.abs(ours - vectors["features_joint"]).max()
        <= 1e-4 * vectors["features_joint"].std(axis=0).max()
    )


def test_clip_tokens_and_pose_head_of_the_released_model(shared):
    """Levels below the video, absent people included, and the head that restores masked joints."""
    content, vectors = (
        read(shared / "parity/hitrs_official.pt"),
        np.load(shared / "parity/hitrs.npz"),
    )
    fields, weights = imported("hitrs", content)
    settings = {key: value for key, value in fields["encoder"].items() if key != "name"}
    method = small_method(encoder=EncoderConfig(**settings)).eval()
    method.encoder.load_state_dict(weights)
    method.pose_head.load_state_dict(
        {name: content[f"s_pose_reg.{name}"] for name in ("weight", "bias")}
    )
    x = torch.from_numpy(vectors["x"]).permute(0, 4, 2, 3, 1).flatten(0, 1)  # (8, T, V, 3) bodies
    length = torch.full((8,), 64)
    rows = method.encoder.clip_rows(length, windows.pack(length).start, 8 * 64)
    with torch.no_grad():
        joints = method.encoder.encode_frames(x.flatten(0, 1))
        tokens = method.encoder.encode_clips(joints, rows).view(4, 2, 10, -1)
        pose = method.pose_head(joints[rows]).view(8, 10, 7, 25, 3)[:2]
    assert (
        np.abs(tokens.numpy() - vectors["clip_features"]).max()
        <= 1e-4 * vectors["clip_features"].std(axis=0).max()
    )
    assert (
        np.abs(pose.numpy() - vectors["pose"]).max()
        <= 1e-4 * vectors["pose"].std(axis=(0, 1, 2)).max()
    )


def test_a_file_that_is_no_hitrs_checkpoint_is_refused(shared, tmp_path):
    """A checkpoint of another method: one line, nothing written."""
    with pytest.raises(UserError, match="not a checkpoint of the released hitrs code"):
        import_weights("hitrs", shared / "parity/pstl_official.pt", tmp_path / "encoder.pt")
    assert not list(tmp_path.iterdir())


def test_parameter_counts_are_the_papers():
    """7,051,143 in all, heads included (Hi-TRS spec 2)."""
    with torch.device("meta"):
        method = small_method(encoder=EncoderConfig())
    heads = {
        name: sum(p.numel() for p in getattr(method, f"{name}_head").parameters())
        for name in ("pose", "clip", "order", "last")
    }
    levels = {
        name: sum(p.numel() for p in getattr(method.encoder, f"{name}_level").parameters())
        for name in ("frame", "clip", "video")
    }
    assert levels["frame"] + heads["pose"] == 891_395
    assert levels["clip"] + heads["clip"] == 1_852_290
    assert levels["video"] + heads["order"] + heads["last"] == 4_307_458
    assert sum(p.numel() for p in method.parameters()) == 7_051_143


# --- views ----------------------------------------------------------------------------------------


def views(n=3000, frames=20, **cfg):
    """n views of one clip whose coordinates tell the frame; and the clip."""
    x = torch.linspace(0, 1, frames).view(1, 1, -1, 1, 1) * torch.ones(
        1, 3, 1, 25, 1
    ) + torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1, 1)
    data = Batch(x.expand(n, -1, -1, -1, -1).clone(), torch.full((n,), frames))
    view, length = hitrs.Method.augmented(
        hitrs.Config(**cfg), data.x, data.length, torch_generator(0, "test")
    )
    return view, length, x


def test_half_of_the_views_are_augmented_once_in_space_and_once_in_time():
    """Probability 0.5, then one of three in space and one of two in time, each as likely (Hi-TRS
    spec 1.4).
    """
    view, length, x = views()
    cropped, untouched = length < 20, (view == x).flatten(1).all(1)
    assert float(untouched.float().mean()) == pytest.approx(0.5, abs=0.03)
    # One crop in eight removes no frame.
    assert float(cropped.float().mean()) == pytest.approx(0.25 * 0.875, abs=0.03)
    straight, uncropped = x[0, :, :, :, 0], ~cropped & ~untouched
    # The last frame is never interpolated.
    in_space = (view[uncropped][:, :, -1, :, 0] - straight[:, -1]).abs() > 1e-6
    joints = in_space.any(1).sum(1)
    assert set(joints.tolist()) <= {0, 5, 25}
    assert float((joints == 5).float().mean()) == pytest.approx(1 / 3, abs=0.05)


def test_transforms_in_space_are_the_papers():
    """Scale by 0.8 to 1.2, shear with ones on the diagonal and up to 0.5 beside it, five joints by
    up to 0.2 m for the whole clip.
    """
    view, length, x = views()
    kept = length == 20
    last, plain = view[kept][:, :, -1, :, 0], x[0, :, -1, :, 0]
    shift = last - plain
    moved = shift.abs().amax(1) > 1e-6
    noisy = moved.sum(1) == 5
    assert float(shift[noisy].abs().max()) == pytest.approx(0.2, abs=0.01)
    ratio = last / plain
    scaled = ~noisy & moved.any(1) & ((ratio - ratio[:, :1, :1]).abs().amax((1, 2)) < 1e-5)
    factor = ratio[scaled][:, 0, 0]
    assert 0.8 <= float(factor.min()) < 0.81
    assert 1.19 < float(factor.max()) <= 1.2
    sheared = ~noisy & moved.any(1) & ~scaled
    limit = 0.5 * (plain[:, 0].sum() - plain[:, 0])
    assert (shift[sheared][:, :, 0].abs() <= limit + 1e-5).all()
    assert float(sheared.sum() / scaled.sum()) == pytest.approx(1, abs=0.2)


def test_transforms_in_time_are_the_papers():
    """A crop cuts up to a fifth, anywhere at either end.

    Interpolation keeps length and last frame (Hi-TRS spec 1.4).
    """
    view, length, x = views(scale=0.0, shear=0.0, noise=0.0)
    assert set(length.tolist()) == {16, 17, 18, 19, 20}
    start = view[:, 0, 0, 0, 0] - 1
    for removed in range(1, 5):
        first = start[length == 20 - removed] * 19
        assert sorted(set(first.round().int().tolist())) == list(range(removed + 1))
        assert (first - first.round()).abs().max() < 1e-4
    between = (length == 20) & (start > 0)
    step = view[between, 0, :, 0, 0] - x[0, 0, :, 0, 0]
    assert (step[:, -1] == 0).all()
    torch.testing.assert_close(step[:, :-1], step[:, :1].expand(-1, 19), atol=1e-5, rtol=0)
    assert 0 < float(step.max()) * 19 <= 1 + 1e-5


def test_three_windows_are_left_of_the_shortest_recording():
    """The clip order needs two clips and a third to be found: 19 frames (Hi-TRS spec 1.4)."""
    method = small_method()
    assert method.wants.shortest == 19
    t = method.wants.shortest
    assert math.ceil((t - round(0.2 * t)) / 7) >= 3
    assert math.ceil((t - 1 - round(0.2 * (t - 1))) / 7) < 3


def test_two_people_are_moved_alike_and_absent_ones_not_at_all():
    """In fine-tuning both bodies of a clip undergo one transform.

    An absent one must stay exactly zero (Hi-TRS spec 1.4).
    """
    one = batch(64).x
    x = torch.cat([one, one], dim=4)
    x[::2, ..., 1] = 0
    view, _ = hitrs.Method.augmented(
        hitrs.Config(), x, batch(64).length, torch_generator(0, "test")
    )
    assert not view[::2, ..., 1].any()
    torch.testing.assert_close(view[1::2, ..., 0], view[1::2, ..., 1])


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_are_made_after_the_augmentation(stream):
    """Motion is that since the frame before.

    Zero in the first frame of a crop, and the end does not jump to the padding (Hi-TRS spec 1.2).
    """
    n, method = 64, small_method(stream=stream, scale=0.0, shear=0.0, noise=0.0)
    data = Batch(views(n)[2].expand(n, -1, -1, -1, -1).clone(), torch.full((n,), 20))
    view, length = method.augmented(method.cfg, data.x, data.length, torch_generator(0, "test"))
    x = method.as_stream(view, load("kinect_v2"), stream)
    for clip, t in zip(x, length.tolist(), strict=True):
        if stream == "motion":
            assert not clip[:, 0].any()
            assert (clip[:, 1 : t - 1] > 0.05).all()
            assert (clip[:, t - 1] > -1e-6).all()
        elif stream == "bone":
            assert clip.abs().max() < 1e-6


def test_nothing_beyond_a_recording_is_read():
    """Padding of the array must not reach a loss or a gradient."""
    data = batch()
    poisoned = data.x.clone()
    for clip, t in zip(poisoned, data.length, strict=True):
        clip[:, t:] = float("nan")
    losses = [
        small_method(stream="motion")(data._replace(x=x), torch_generator(3, "test"))["loss"]
        for x in (data.x, poisoned)
    ]
    assert torch.equal(*losses)


# --- tasks ----------------------------------------------------------------------------------------


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


# --- two processes --------------------------------------------------------------------------------


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
