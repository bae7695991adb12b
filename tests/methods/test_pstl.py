import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pstl.backbones.stgcn import Config as EncoderConfig
from pstl.backbones.stgcn import Encoder
from pstl.hub.embed_arrays import embed, import_weights
from pstl.losses.barlow import barlow_twins, standardise
from pstl.methods import pstl, skeletonbt
from pstl.ops import masks
from pstl.ops.streams import STREAMS, convert
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load

CPU = torch.device("cpu")


@pytest.fixture
def official(shared):
    return np.load(shared / "parity/pstl.npz")


def small(module=pstl, name="kinect_v1", people=1, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    encoder = Encoder(EncoderConfig(width=2, dropout=0.0), skeleton, people, 50)
    problem = Problem(skeleton, people, 50, 10, "joint")
    return module.Method(module.Config(projector_width=16, **cfg), encoder, problem)


def close(ours, theirs):
    """The tolerance of the parity vectors: a hundredth of the spread between clips."""
    return np.abs(ours - theirs).max() <= 1e-2 * theirs.std(axis=0).max()


def test_features_of_the_released_encoder(shared, official, tmp_path):
    """A user's own checkpoint of the released code gives the released features.

    Three streams, and with joints deleted.
    """
    import_weights("pstl", shared / "parity/pstl_official.pt", tmp_path / "encoder.pt")
    np.save(tmp_path / "x.npy", official["x"])
    for stream in STREAMS:
        embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", stream, [], CPU)
        assert close(np.load(tmp_path / "f.npy"), official[f"features_{stream}"]), stream
    embed(
        tmp_path / "encoder.pt",
        tmp_path / "x.npy",
        tmp_path / "f.npy",
        "joint",
        official["dropped"].tolist(),
        CPU,
    )
    assert close(np.load(tmp_path / "f.npy"), official["features_joint_dropped"])


def test_streams_and_slow_frames_of_the_released_code(official):
    """The inputs of every branch are those of the released code, digit for digit."""
    x = torch.from_numpy(official["x"])
    for stream in STREAMS:
        np.testing.assert_allclose(
            convert(x, load("kinect_v2"), stream), official[f"stream_{stream}"], atol=1e-6
        )
    np.testing.assert_array_equal(masks.slow_frames(x, 10), official["matm_kept_frames"])


def test_loss_of_the_released_code(official):
    """Projector, standardisation and loss together give the released number."""
    weights = [torch.from_numpy(official[f"bt_w{i}"]) for i in range(3)]

    def project(h):
        for w in weights[:2]:
            h = F.relu(F.batch_norm(h @ w.T, None, None, training=True))
        return standardise(h @ weights[2].T)

    za, zb = (project(torch.from_numpy(official[f"bt_h{i}"])) for i in (1, 2))
    np.testing.assert_allclose(barlow_twins(za, zb, 2e-4), official["bt_loss"], rtol=1e-4)


def test_projector_has_the_papers_size():
    """77,094,912 weights at width 6144 (PSTL spec 17); built without memory."""
    with torch.device("meta"):
        encoder = Encoder(EncoderConfig(), load("kinect_v1"), 1, 50)
        method = pstl.Method(pstl.Config(), encoder, Problem(load("kinect_v1"), 1, 50, 10, "joint"))
    assert sum(p.numel() for p in method.projector.parameters()) == 77_094_912


@pytest.mark.parametrize("module", [pstl, skeletonbt])
def test_a_few_steps_lower_the_loss(module):
    """Gradients reach the encoder through every branch."""
    method = small(module)
    x = torch.randn(16, 3, 50, 20, 1).cumsum(2) * 0.1
    optim = torch.optim.Adam(method.parameters(), lr=1e-3)
    before = [p.clone() for p in method.encoder.parameters()]
    losses = []
    for step in range(25):
        loss = method(Batch(x, torch.full((16,), 50)), torch_generator(0, "test", step))["loss"]
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert all((a != b).any() for a, b in zip(before, method.encoder.parameters(), strict=True))


def test_the_loss_is_the_sum_of_both_pairs(monkeypatch):
    """L = BT(anchor, temporal) + BT(anchor, spatial).

    The pair temporal-spatial plays no part (PSTL spec 1).
    """
    losses = small()(
        Batch(torch.randn(8, 3, 50, 20, 1), torch.full((8,), 50)), torch_generator(0, "test")
    )
    torch.testing.assert_close(losses["loss"], losses["temporal"] + losses["spatial"])


@pytest.mark.parametrize(("name", "joints"), [("kinect_v2", 8), ("kinect_v1", 6)])
def test_the_number_of_masked_joints_scales_with_the_body(name, joints, monkeypatch):
    """8 draws of 25 joints are 6 of 20."""
    seen = []
    monkeypatch.setattr(
        masks, "central_joints", lambda s, k, rng: seen.append(k) or torch.tensor([0])
    )
    v = load(name).joints
    small(name=name)(
        Batch(torch.randn(4, 3, 50, v, 1), torch.full((4,), 50)), torch_generator(0, "test")
    )
    assert seen == [joints]


def test_same_generator_same_loss():
    """All randomness of a step comes from its generator."""
    method, batch = (
        small(per_sample=True),
        Batch(torch.randn(8, 3, 50, 20, 1), torch.full((8,), 50)),
    )
    first, again, other = (
        float(method(batch, torch_generator(0, "test", i))["loss"].detach()) for i in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("left_out", "branch"), [({"masked_joints": 0}, "spatial"), ({"masked_frames": 0}, "temporal")]
)
def test_a_mask_of_nothing_changes_its_own_branch_only(left_out, branch):
    """The ablations without CSM and without MATM must leave the other branch, weights and draws as
    they are.
    """
    batch = Batch(torch.randn(8, 3, 50, 20, 1), torch.full((8,), 50))
    whole, ablated = (small(**cfg)(batch, torch_generator(0, "test")) for cfg in ({}, left_out))
    assert whole[branch] != ablated[branch]
    if branch == "spatial":  # joints are drawn last, so the draws before them are the same
        torch.testing.assert_close(whole["temporal"], ablated["temporal"])
    assert torch.isfinite(ablated["loss"])
