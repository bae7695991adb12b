import pytest
import torch
import torch.nn.functional as F

from pstl.backbones import _parts
from pstl.backbones.vit import Config, Encoder
from pstl.errors import ShapeError, UserError
from pstl.skeletons import load


def small(name="kinect_v1", people=1, frames=20, **cfg):
    torch.manual_seed(0)
    settings = {"t_patch": 5, "width": 16, "depth": 2, "heads": 2} | cfg
    return Encoder(Config(**settings), load(name), people, frames).eval()


def clips(n=3, name="kinect_v1", people=1, frames=20):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, frames, load(name).joints, people, generator=generator)


def reference(encoder, x, joints):
    """Features (tokens, width) of one body x (3, T, V), token by token, with some of its joints."""
    cfg, weights = encoder.cfg, encoder.state_dict()
    rows = []
    for time in range(encoder.times):
        for joint in joints:
            frames = range(time * cfg.t_patch, (time + 1) * cfg.t_patch)
            numbers = torch.stack([x[c, t, joint] for t in frames for c in range(3)])
            row = weights["enter.weight"] @ numbers + weights["enter.bias"]
            rows.append(
                row + weights["positions.times"][time, 0] + encoder.positions.joints[0, joint]
            )
    y = torch.stack(rows)
    for i in range(cfg.depth):
        y = block(y, {k: v for k, v in weights.items() if k.startswith(f"trunk.blocks.{i}.")}, cfg)
    return norm(y, weights["trunk.norm.weight"], weights["trunk.norm.bias"])


def block(y, weights, cfg):
    """Softmax written out, one head after the other."""
    part = {name.split(".", 3)[3]: value for name, value in weights.items()}
    z = norm(y, part["attend_norm.weight"], part["attend_norm.bias"])
    q, k, v = (z @ part["relate.weight"].T + part["relate.bias"]).chunk(3, dim=1)
    size, heads = cfg.width // cfg.heads, []
    for h in range(cfg.heads):
        own = slice(h * size, (h + 1) * size)
        scores = (q[:, own] @ k[:, own].T / size**0.5).exp()
        heads.append(scores / scores.sum(1, keepdim=True) @ v[:, own])
    y = y + torch.cat(heads, 1) @ part["mix.weight"].T + part["mix.bias"]
    z = norm(y, part["feed_norm.weight"], part["feed_norm.bias"])
    hidden = z @ part["widen.weight"].T + part["widen.bias"]
    hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
    return y + hidden @ part["narrow.weight"].T + part["narrow.bias"]


def norm(y, weight, bias):
    centred = y - y.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight + bias


def test_parameters_are_the_papers():
    """6,336,000 (MAMP spec 1.3): another depth or a bias too few is another network."""
    with torch.device("meta"):
        encoder = Encoder(Config(), load("kinect_v2"), 2, 120)
    assert sum(p.numel() for p in encoder.parameters()) == 6_336_000
    assert encoder(torch.zeros(2, 3, 120, 25, 1, device="meta")).frames.shape == (2, 30, 256)


@torch.no_grad()
def test_features_are_those_of_the_equations():
    """Patches, positions, attention, norms and means, each written out once more."""
    encoder, x = small(), clips()
    with torch.no_grad():
        for parameter in encoder.parameters():  # so that no zero hides a term
            parameter.add_(0.1 * torch.randn_like(parameter))
    features = encoder(x)
    for clip, frames, body in zip(*features, x[..., 0], strict=True):
        expected = reference(encoder, body, range(20)).view(4, 20, 16)
        torch.testing.assert_close(frames, expected.mean(1), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(clip, expected.mean((0, 1)), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_deleted_joint_has_no_tokens():
    """Nothing of it is left, not even an empty place in the attention of the others."""
    encoder, x = small(), clips()
    drop = torch.tensor([2, 7, 7])
    features = encoder(x, drop)
    others = [j for j in range(20) if j not in (2, 7)]
    expected = torch.stack([reference(encoder, body, others) for body in x[..., 0]])
    torch.testing.assert_close(features.clip, expected.mean(1), atol=1e-5, rtol=1e-4)
    moved = x.clone()
    moved[:, :, :, [2, 7]] += 3
    assert torch.equal(encoder(moved, drop).clip, features.clip)
    assert torch.equal(encoder(x, torch.tensor([], dtype=torch.int64)).clip, encoder(x).clip)


@torch.no_grad()
@pytest.mark.parametrize("drop", [None, torch.tensor([2, 7])])
def test_features_may_keep_joints_apart(drop):
    """How features are pooled is worth points of a probe; a joint keeps its place, also where
    another is deleted.
    """
    apart, together = small(pool="frames"), small()
    x = clips()
    features, means = apart(x, drop), together(x, drop)
    assert apart.width == 20 * 16
    assert features.frames.shape == (3, 4, 320)
    by_joint = features.frames.unflatten(2, (20, 16))
    lost = [] if drop is None else drop.tolist()
    assert not by_joint[:, :, lost].any()
    torch.testing.assert_close(by_joint.sum(2) / (20 - len(lost)), means.frames)
    torch.testing.assert_close(features.clip, features.frames.mean(1))


@torch.no_grad()
def test_people_are_averaged_and_absent_ones_count():
    """Absent people are encoded once in evaluation; that changes nothing, and neither does the
    order of people.
    """
    encoder, x = small(people=2), clips(4, people=2)
    x[1:3, ..., 1] = 0
    features = encoder(x)
    alone = [encoder(x[..., m : m + 1]) for m in range(2)]
    torch.testing.assert_close(features.clip, (alone[0].clip + alone[1].clip) / 2)
    torch.testing.assert_close(features.frames, (alone[0].frames + alone[1].frames) / 2)
    torch.testing.assert_close(encoder(x.flip(4)).clip, features.clip)
    torch.testing.assert_close(encoder.train()(x).clip, features.clip)


@torch.no_grad()
def test_parts_of_a_large_batch_give_the_same(monkeypatch):
    """Memory is bounded by encoding in parts, which must not show."""
    encoder, x = small(), clips(5)
    at_once = encoder(x).clip
    monkeypatch.setattr(_parts, "TOKENS_AT_ONCE", 170)  # two bodies of 80 tokens
    torch.testing.assert_close(encoder(x).clip, at_once)


def test_features_stay_float32_under_autocast():
    """Clips differ by less than bf16 resolves."""
    encoder, x = small(), clips()
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(x)
    assert features.clip.dtype == features.frames.dtype == torch.float32
    assert F.mse_loss(features.clip, encoder(x).clip) < 1e-3


def test_what_does_not_fit_is_one_line():
    """Positions are learnt for every token, so other clips have none."""
    with pytest.raises(UserError, match="50 frames cannot be cut into tokens of 4"):
        small(frames=50, t_patch=4)
    with pytest.raises(ValueError, match="width 16 cannot be shared equally by 3 heads"):
        Config(width=16, heads=3)
    for wrong in (clips(frames=25), clips(name="kinect_v2")):
        with pytest.raises(ShapeError, match=r"expected \(N, 3, 20, 20, M\)"):
            small()(wrong)


def test_weights_begin_as_the_paper_draws_them():
    """Xavier's bound for every product, N(0, 0.02) for positions, torch's own for the first."""
    encoder = Encoder(Config(depth=1), load("kinect_v2"), 1, 120)
    for name, weight in encoder.named_parameters():
        if name.startswith("positions"):
            assert weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif name.startswith("trunk") and weight.dim() == 2:
            bound = (6 / sum(weight.shape)) ** 0.5
            assert 0.99 * bound < weight.abs().max().item() <= bound
        elif name == "enter.weight":
            assert 0.99 * 12**-0.5 < weight.abs().max().item() <= 12**-0.5
        elif name.startswith("trunk"):
            assert torch.equal(weight, torch.full_like(weight, "norm.weight" in name))
