import numpy as np
import pytest
import torch

from pstl.backbones.dsta import Config as EncoderConfig
from pstl.backbones.dsta import Encoder
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed, import_weights
from pstl.methods import psp
from pstl.methods._polymerise import Polymerise, averaging, pairs, spread
from pstl.ops.streams import motion
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load, pyramid
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from tests.official import imported

CPU = torch.device("cpu")
LEVELS = ("body", "part", "joint")


def small_method(name="kinect_v1", people=1, width=8, classes=4, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    encoder = Encoder(EncoderConfig(width=width), skeleton, people, 50)
    return psp.Method(psp.Config(**cfg), encoder, Problem(skeleton, people, 50, classes, "joint"))


def batch(labelled=4, others=6, name="kinect_v1", people=1, frames=70):
    """Walks of different length, labelled ones in front."""
    n = labelled + others
    x = (
        torch.randn(
            n, 3, frames, load(name).joints, people, generator=torch.Generator().manual_seed(1)
        ).cumsum(2)
        * 0.1
    )
    length = torch.linspace(20, frames, n).long()
    for clip, end in zip(x, length, strict=True):
        clip[:, end:] = 0
    y = torch.cat([torch.arange(labelled) % 4, torch.full((others,), -1)])
    return Batch(x, length, y, labelled=labelled)


# --- the released code ----------------------------------------------------------------------------


# What stands behind the encoder in a released checkpoint, and in a Method of ours.
HEADS = (
    ("fc.", "classifier."),
    ("mlp.", "projector."),
    ("att_b.in_nets.", "polymerise.body.relate."),
    ("att_b.ff_nets.", "polymerise.body.mix."),
    ("att_pb.in_nets.", "polymerise.part.relate."),
    ("att_pb.ff_nets.", "polymerise.part.mix."),
    ("att_jpb.in_nets.", "polymerise.joint.relate."),
    ("att_jpb.ff_nets.", "polymerise.joint.mix."),
)


def released_heads(state):
    """Weights of everything behind the encoder by our names."""
    return {
        name.replace(old, new): value
        for old, new in HEADS
        for name, value in state.items()
        if name.startswith(old)
    }


@pytest.fixture
def released(shared):
    """The released checkpoint in a Method of ours, and the vectors."""
    content = read(shared / "parity/psp_official.state")
    fields, weights = imported("psp", content)
    assert (fields["encoder"], fields["skeleton"], fields["frames"]) == (
        {"name": "dsta", "width": 16, "heads": 4},
        "kinect_v2",
        50,
    )
    method = small_method("kinect_v2", 2, width=16, classes=60).eval()
    # strict: all of it.
    method.load_state_dict(
        {f"encoder.{k}": v for k, v in weights.items()} | released_heads(content["model"])
    )
    return method, np.load(shared / "parity/psp.npz")


def close(ours, theirs, limit=2e-4):
    """Largest difference over the spread between clips: float32 noise, where the vectors' own
    tolerance is 1e-2.
    """
    return np.abs(np.asarray(ours.detach()) - theirs).max() <= limit * theirs.std(axis=0).max()


def test_import_and_embed_give_the_released_features(shared, tmp_path):
    """Both streams' encoder averages and, with the classifier that comes along, the logits, through
    the commands a user types.
    """
    vectors = np.load(shared / "parity/psp.npz")
    np.save(tmp_path / "x.npy", vectors["x"])
    card = import_weights("psp", shared / "parity/psp_official.state", tmp_path / "encoder.pt")
    assert (card.people, card.skeleton, card.frames, card.recipe) == (
        2,
        "kinect_v2",
        50,
        {"name": "scaled300"},
    )
    features = {}
    for stream in ("joint", "motion"):
        embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", stream, [], CPU)
        features[stream] = torch.from_numpy(np.load(tmp_path / "f.npy"))
        assert close(features[stream], vectors[f"features_{stream}"])
    classifier = encoder_file.load_classifier(tmp_path / "encoder.pt")
    assert close(psp.Method.classify(features.get, classifier), vectors["logits"])


def test_all_outputs_of_the_released_model(released):
    """Averages, logits, six attention outputs, six projections.

    Encoder, polymerised maps, residuals and the shared projector.
    """
    method, vectors = released
    with torch.no_grad():
        maps = {
            letter: method.encoder.maps(torch.from_numpy(vectors[name]))
            for letter, name in (("j", "x"), ("m", "motion"))
        }
        assert close(method.pool(maps["j"]), vectors["features_joint"])
        assert close(method.pool(maps["m"]), vectors["features_motion"])
        assert close(
            method.logits(method.pool(maps["j"]), method.pool(maps["m"])), vectors["logits"]
        )
        for letter, x in maps.items():
            for name, pooled in zip(LEVELS, method.levels(x), strict=True):
                assert close(pooled, vectors[f"{name}_{letter}"]), (name, letter)
                assert close(method.projector(pooled), vectors[f"proj_{name}_{letter}"]), (
                    name,
                    letter,
                )


@pytest.mark.parametrize("change", ["recursive", "weights", "transposed"])
def test_parity_would_notice_another_attention(released, change):
    """The vectors must tell the code's additive maps from other readings, or agreeing with them
    means nothing.
    """
    method, vectors = released
    if change == "recursive":
        method.polymerise.recursive = True
    elif change == "weights":
        method.polymerise.body_to_joint = 0.12
    else:
        own = method.polymerise.polymerised
        method.polymerise.polymerised = lambda *maps: tuple(m.mT for m in own(*maps))
    with torch.no_grad():
        pooled = method.levels(method.encoder.maps(torch.from_numpy(vectors["x"])))[2]
    assert not close(pooled, vectors["joint_j"])


def test_parameter_counts_are_the_papers():
    """5,138,940 for NTU-60, 5,118,890 for NW-UCLA (PSP spec 12)."""
    with torch.device("meta"):
        for name, classes, total in (("kinect_v2", 60, 5_138_940), ("kinect_v1", 10, 5_118_890)):
            skeleton = load(name)
            encoder = Encoder(EncoderConfig(), skeleton, 1, 50)
            method = psp.Method(psp.Config(), encoder, Problem(skeleton, 1, 50, classes, "joint"))
            assert sum(p.numel() for p in method.parameters()) == total
        assert sum(p.numel() for p in method.polymerise.parameters()) == 791_040
        assert sum(p.numel() for p in method.projector.parameters()) == 131_584


# --- the pyramid ----------------------------------------------------------------------------------


def slow_spread(coarse, group_of):
    """A naive double loop over pairs of nodes."""
    w = len(group_of)
    fine = torch.empty(*coarse.shape[:2], w, w)
    for i in range(w):
        for j in range(w):
            fine[:, :, i, j] = coarse[:, :, group_of[i], group_of[j]]
    return fine


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("name", ["kinect_v2", "kinect_v1"])
def test_polymerised_maps_are_the_formula(name, recursive):
    """Own maps are added by default.

    In the ablation the body reaches the joints through the parts alone (PSP spec 5).
    """
    p = pyramid.build(load(name))
    body, part, joint = (torch.randn(2, 4, w, w) for w in (5, 10, load(name).joints))
    used = Polymerise(32, 4, p, recursive).polymerised(body, part, joint)
    wanted_part = part + p.body_to_part * slow_spread(body, p.body_of_part)
    if recursive:
        wanted = joint + p.part_to_joint * slow_spread(wanted_part, p.part_of)
    else:
        wanted = (
            joint
            + p.part_to_joint * slow_spread(part, p.part_of)
            + p.body_to_joint * slow_spread(body, p.body_of)
        )
    for ours, theirs in zip(used, (body, wanted_part, wanted), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_spreading_and_averaging_undo_each_other():
    """Copying to members and averaging over members.

    The coarse map comes back, so no entry went to a wrong pair.
    """
    group_of = pyramid.build(load("kinect_v2")).part_of
    coarse, mean = torch.randn(2, 4, 10, 10), averaging(group_of)
    torch.testing.assert_close(mean.T @ spread(coarse, pairs(group_of)) @ mean, coarse)


def test_without_weights_every_level_has_its_own_map():
    """The ablation of the pyramid."""
    module = Polymerise(32, 4, pyramid.build(load("kinect_v1")), recursive=False)
    module.body_to_part = module.part_to_joint = module.body_to_joint = 0.0
    own = [torch.randn(2, 4, w, w) for w in (5, 10, 20)]
    assert all(torch.equal(a, b) for a, b in zip(module.polymerised(*own), own, strict=True))


# --- a step ---------------------------------------------------------------------------------------


def test_the_loss_is_the_papers_sum():
    """Cross-entropy of labelled clips and lambda times three contrastive terms of the others (PSP
    spec 6).
    """
    method = small_method(contrast_weight=0.3)
    torch.nn.init.zeros_(method.classifier.weight)
    losses = method(batch(), torch_generator(0, "views"))
    total = losses["classes"] + 0.3 * (losses["body"] + losses["part"] + losses["joint"])
    torch.testing.assert_close(losses["loss"], total)
    assert float(losses["classes"].detach()) == pytest.approx(np.log(4))  # four classes alike


def test_classes_of_unlabelled_clips_are_never_read():
    """The loop gives -1; had it not, they must not matter either."""
    data = batch()
    told = data._replace(y=torch.cat([data.y[:4], torch.arange(6) % 4]))
    a, b = (small_method()(d, torch_generator(0, "views")) for d in (data, told))
    assert all(torch.equal(a[k], b[k]) for k in a)
    other = data._replace(y=torch.cat([(data.y[:4] + 1) % 4, data.y[4:]]))
    assert not torch.equal(
        small_method()(other, torch_generator(0, "views"))["classes"], a["classes"]
    )


def test_who_learns_from_what():
    """Pyramid and projector learn from the contrast alone, the classifier from classes alone, the
    encoder from both (PSP spec 6).
    """
    for weight in (0.0, 0.2):
        method = small_method(contrast_weight=weight)
        method(batch(), torch_generator(0, "views"))["loss"].backward()
        moved = {
            name: any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
            for name, module in method.named_children()
        }
        assert moved == {
            "encoder": True,
            "classifier": True,
            "polymerise": weight > 0,
            "projector": weight > 0,
        }


def test_without_contrast_unlabelled_clips_are_not_looked_at():
    """The supervised baseline must not profit from clips without label, not even through batch
    norm.
    """
    data = batch()
    other = data._replace(x=torch.cat([data.x[:4], data.x[4:] * 3 + 1]))
    methods = [small_method(contrast_weight=0) for _ in range(2)]
    a, b = (m(d, torch_generator(0, "views")) for m, d in zip(methods, (data, other), strict=True))
    assert torch.equal(a["loss"], b["loss"])
    assert a.keys() == {"loss", "classes"}
    assert all(
        torch.equal(x, y) for x, y in zip(methods[0].buffers(), methods[1].buffers(), strict=True)
    )


def test_streams_are_drawn_independently():
    """Joint and motion of one clip are not aligned in training.

    Each clip has a draw of its own (PSP spec 2.2).
    """
    time = torch.arange(70.0).view(1, 1, 70, 1, 1)
    x = torch.cat(
        [time.expand(3, 1, 70, 20, 1), (time**2 / 2).expand(3, 2, 70, 20, 1)], 1
    ).contiguous()
    joint, moved = small_method().view(x, torch.full((3,), 70), torch_generator(0, "v"))
    # Of t^2 / 2: t + 1/2, so the frame itself.
    frames, speeds = (
        joint[:, 0, :, 0, 0],
        moved[:, 1, :, 0, 0] - 0.5,
    )
    assert (frames.diff(dim=1) > 0).all()
    assert all(not torch.equal(a, b) for a, b in zip(frames, speeds, strict=True))
    assert not torch.equal(frames[0], frames[1])


def test_each_stream_is_turned_about_the_vertical_by_itself():
    """A turn that both streams share would leave the contrast free to agree on where the camera
    stood; the released code has none.
    """
    data = batch()
    plain, turned = (
        small_method(frames=70, turn_deg=deg).view(data.x, data.length, torch_generator(0, "test"))
        for deg in (0, 40)
    )
    angles = []
    for before, after in zip(plain, turned, strict=True):
        assert torch.equal(before[:, 2], after[:, 2])  # height
        torch.testing.assert_close(before[:, :2].norm(dim=1), after[:, :2].norm(dim=1))
        z = [torch.complex(v[:, 0], v[:, 1]).flatten(1) for v in (before, after)]
        angle = torch.rad2deg((z[1] * z[0].conj()).sum(1).angle())  # one for the whole clip
        torch.testing.assert_close(
            z[1],
            z[0] * torch.polar(torch.ones(len(angle)), torch.deg2rad(angle))[:, None],
            atol=1e-4,
            rtol=1e-4,
        )
        assert angle.abs().max() <= 40
        angles.append(angle)
    assert (angles[0] - angles[1]).abs().max() > 5
    assert angles[0].std() > 5


def test_evaluation_takes_motion_before_frames():
    """Downstream motion must be what training saw.

    At the native rate, not between sampled frames.
    """
    x, length = torch.randn(2, 3, 120, 20, 1), torch.tensor([120, 120])
    skeleton, cfg = load("kinect_v1"), psp.Config()
    view = psp.Method.clean_stream(cfg, x, length, skeleton, "motion")
    torch.testing.assert_close(view, motion(x)[:, :, torch.arange(50) * 120 // 50])
    torch.testing.assert_close(
        psp.Method.clean_stream(cfg, x, length, skeleton, "joint"),
        x[:, :, torch.arange(50) * 120 // 50],
    )


def test_people_have_no_order():
    """Which body stands first in the file says nothing about the action."""
    method, data = small_method("kinect_v2", 2).eval(), batch(name="kinect_v2", people=2)
    with torch.no_grad():
        a, b = (
            method(data._replace(x=x), torch_generator(0, "views"))
            for x in (data.x, data.x.flip(4))
        )
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_said():
    """Another encoder, stream or batch would train something that is not this method."""
    skeleton = load("kinect_v1")
    problem = Problem(skeleton, 1, 50, 4, "joint")
    encoder = Encoder(EncoderConfig(width=8), skeleton, 1, 50)
    with pytest.raises(UserError, match="dsta"):
        psp.Method(psp.Config(), OtherEncoder(OtherConfig(width=2), skeleton, 1, 50), problem)
    with pytest.raises(UserError, match="bone"):
        psp.Method(psp.Config(), encoder, Problem(skeleton, 1, 50, 4, "bone"))
    with pytest.raises(UserError, match="5 heads"):
        psp.Method(psp.Config(heads=5), encoder, problem)
    with pytest.raises(UserError, match="labelled_batch"):
        small_method()(batch()._replace(labelled=0), torch_generator(0, "views"))
