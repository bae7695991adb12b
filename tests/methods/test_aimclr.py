"""AimCLR beside its definition, written out step by step."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from methods.tiny_contrast import batch, small_method
from pstl.backbones import dsta, tcn
from pstl.errors import UserError
from pstl.methods import aimclr
from pstl.records import Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import precision


def definition(maps: Tensor, threshold: float) -> Tensor:
    """Energy attention guided dropping, body by body (AimCLR spec 4).   (P, D, T', V) -> same."""
    bodies, channels, frames, joints = maps.shape
    attention = torch.empty_like(maps)
    for p in range(bodies):
        for c in range(channels):
            energy = (maps[p, c] - maps[p, c].mean()) ** 2
            spread = energy.sum() / (frames * joints - 1) + 1e-4
            attention[p, c] = torch.sigmoid(energy / (4 * spread) + 0.5)
    joint_kept = torch.ones(bodies, joints)
    for p in range(bodies):
        for v in range(joints):
            joint_kept[p, v] = float(attention[p, :, :, v].mean() < threshold)
    dropped = maps * joint_kept[:, None, None, :] * joint_kept.numel() / joint_kept.sum()
    entry_kept = (attention < threshold).float()
    return dropped * entry_kept * entry_kept.numel() / entry_kept.sum()


def some_maps(seed: int = 0) -> Tensor:
    """Maps in which some joints have far more energy than others: (6, 5, 4, 7)."""
    maps = torch.randn(6, 5, 4, 7, generator=torch.Generator().manual_seed(seed))
    maps[:, :, :, 2] *= 6
    return maps.relu()


def test_dropping_is_its_definition() -> None:
    """Joints and entries go by the attention of the maps as they came, and what stays is scaled by
    numbers of the whole batch.
    """
    maps = some_maps()
    kept, scale = aimclr.energetic_dropped(maps, 0.7)
    torch.testing.assert_close(maps * kept * scale, definition(maps, 0.7))
    whole_joints = (~kept).all(1).all(1)
    assert whole_joints.any()
    assert not whole_joints.all(1).any()
    assert (~kept & ~whole_joints[:, None, None]).any()  # single entries, too


def test_constant_maps_stay_as_they_are() -> None:
    """No energy: y = 0.5, attention 0.622, below 0.7 (AimCLR spec 10)."""
    kept, scale = aimclr.energetic_dropped(torch.ones(2, 3, 4, 5), 0.7)
    assert kept.all()
    assert float(scale) == 1


def test_something_always_stays() -> None:
    """Mean attention is at most sigmoid(3/4), so that what is scaled up is never nothing; with a
    threshold below that it might be, which the settings refuse.
    """
    for maps in (some_maps(), 1e3 * some_maps(1), torch.eye(4).expand(2, 3, 4, 4)):
        kept, scale = aimclr.energetic_dropped(maps, aimclr.Config(drop_from=0.68).drop_from)
        assert kept.flatten(1).any(1).all()
        assert scale.isfinite()
    with pytest.raises(ValueError, match="drop_from"):
        aimclr.Config(drop_from=0.67)


def test_no_gradient_passes_through_the_choice() -> None:
    """What is dropped has none, what stays has that of a mean times the scale."""
    method = small_method()
    maps = some_maps().requires_grad_()
    kept, scale = aimclr.energetic_dropped(maps.detach(), 0.7)
    (method.pooled(maps * kept) * scale).sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad, kept * scale / (4 * 7 * 2))


def reference(method: aimclr.Method, views: list[Tensor], mining: bool) -> dict[str, Tensor]:
    """One step's losses out of the views (AimCLR spec 1): extreme, normal, normal."""
    extreme, normal, other = views
    n, people = len(normal), normal.shape[4]

    def head(maps: Tensor) -> Tensor:
        pooled = maps.mean((2, 3)).view(n, people, -1).mean(1)
        return F.normalize(method.projector(pooled), dim=1)

    queries = [head(method.encoder.maps(normal))]
    maps = method.encoder.maps(extreme)
    queries += [head(maps), head(definition(maps, 0.7))]
    k = F.normalize(method.key_projector(method.key_encoder(other).clip), dim=1)
    keys = torch.cat([k[:, None], method.queue.keys.expand(n, -1, -1)], 1)  # (N, 1 + K, D)
    p = [torch.softmax(torch.einsum("nd,nkd->nk", q, keys) / 0.07, 1) for q in queries]
    positive = torch.zeros_like(p[0])
    positive[:, 0] = 1
    for i in range(n if mining else 0):
        for distribution in p:
            positive[i, 1 + int(distribution[i, 1:].argmax())] = 1
    contrast = -((p[0].log() * positive).sum(1) / positive.sum(1)).mean()
    follows = [-(p[0] * other.log()).sum(1).mean() for other in p[1:]]
    return {"contrast": contrast, "extreme": follows[0], "dropped": follows[1]}


@pytest.mark.parametrize(("epoch", "mining"), [(0, False), (149, False), (150, True), (200, True)])
def test_the_loss_is_its_definition(epoch: int, mining: bool) -> None:
    """All three terms, and neighbours from epoch 151 on, counted from 1 (AimCLR spec 1.1)."""
    method, data = small_method(), batch(epoch=epoch)
    assert isinstance(method, aimclr.Method)
    rng = torch_generator(0, "test")
    views = [method.extreme_view(data.x, rng), method.view(data.x, rng), method.view(data.x, rng)]
    losses = method(data, torch_generator(0, "test"))
    with torch.no_grad():
        expected = reference(method, views, mining)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name].detach(), value, atol=1e-4, rtol=1e-4)
    total = expected["contrast"] + (expected["extreme"] + expected["dropped"]) / 2
    torch.testing.assert_close(losses["loss"].detach(), total, atol=1e-4, rtol=1e-4)


def extremes(n: int = 400, **cfg: float) -> tuple[Tensor, Tensor]:
    """Extreme views of one still clip, many times, with one augmentation alone: x, views."""
    method = small_method("aimclr", **{**QUIET, **cfg})
    assert isinstance(method, aimclr.Method)
    pose = torch.randn(1, 3, 1, 25, 2, generator=torch.Generator().manual_seed(3))
    x = pose.repeat(n, 1, 20, 1, 1)
    x[..., 1] = 0
    return x, method.extreme_view(x, torch_generator(0, "test"))


QUIET = {"shear_amplitude": 0, "rotation_deg": 0, "small_rotation_deg": 0, "noise": 0}


def test_what_happens_to_half_of_the_clips_happens_to_each_on_its_own() -> None:
    """Sides, blur and axes are three coins (AimCLR spec 5): an eighth of the clips is as it was."""
    x, views = extremes()
    mirrored = x[:, :, :, list(load("kinect_v2").mirror)]
    middle = slice(8, 12)
    hidden = (views == 0).flatten(2).all(2).any(1)
    ratio = (views / x)[:, :, middle, :, 0].flatten(1).nan_to_num(0)
    mirrored_ratio = (views / mirrored)[:, :, middle, :, 0].flatten(1).nan_to_num(0)
    straight, swapped = (
        ((r - r.amax(1, keepdim=True)).abs() < 1e-3) | (r == 0) for r in (ratio, mirrored_ratio)
    )
    straight, swapped = straight.all(1), swapped.all(1)
    assert (straight ^ swapped).all()
    gain = torch.where(straight, ratio.amax(1), mirrored_ratio.amax(1))
    assert ((gain > 0.999) & (gain < 5.02)).all()
    for event in (hidden, swapped, gain > 1.001):
        # Kernels narrower than 0.27 frames change a clip by less than that: 9 % of the blurs.
        assert float(event.float().mean()) == pytest.approx(0.5, abs=0.08)
    left = ~hidden & ~swapped & (gain <= 1.001)
    assert float(left.float().mean()) == pytest.approx(0.125, abs=0.06)
    axes = (views == 0).flatten(2).all(2)[hidden].float()
    assert (axes.sum(1) == 1).all()
    torch.testing.assert_close(axes.mean(0), torch.full((3,), 1 / 3), atol=0.1, rtol=0)


def test_noise_reaches_absent_bodies_too() -> None:
    """A quirk of the released code (AimCLR spec 5): half of the absent bodies tremble."""
    _, views = extremes(noise=0.01)
    absent = views[..., 1]
    trembles = absent.flatten(1).any(1)
    assert float(trembles.float().mean()) == pytest.approx(0.5, abs=0.08)
    # A blur adds noise up; where there is none the deviation is that of the settings.
    assert float(absent[trembles].flatten(1).std(1).amin()) == pytest.approx(0.008, abs=0.002)


def test_an_encoder_that_mixes_joints_is_refused() -> None:
    """There is nothing to drop in features that are means already."""
    skeleton = load("kinect_v2")
    encoder = tcn.Encoder(tcn.Config(width=4), skeleton, 2, 20)
    with pytest.raises(UserError, match="set encoder"):
        aimclr.Method(aimclr.Config(), encoder, Problem(skeleton, 2, 20, 10, "joint"))


def test_no_more_neighbours_than_the_queue_holds() -> None:
    """They are looked for after many epochs only, too late to find that there are too few."""
    with pytest.raises(ValidationError, match="nearest is 33, expected at most queue 32"):
        aimclr.Config(queue=32, nearest=33)


def test_any_encoder_that_keeps_joints_apart_will_do() -> None:
    """The dropping knows maps, not the network that made them."""
    skeleton, data = load("kinect_v2"), batch()
    encoder = dsta.Encoder(dsta.Config(width=8), skeleton, 2, 20)
    cfg = aimclr.Config(queue=32, projection=8)
    method = aimclr.Method(cfg, encoder, Problem(skeleton, 2, 20, 10, "joint"))
    losses = method(data, torch_generator(0, "test"))
    losses["loss"].backward()
    assert losses["dropped"].isfinite()
    assert float(losses["dropped"].detach()) != float(losses["extreme"].detach())


def test_maps_are_made_in_bf16_where_features_are() -> None:
    """Normal and extreme views must pass the same network, whatever the precision."""
    method = small_method()
    precision.use_bf16(method)
    assert isinstance(method, aimclr.Method)
    assert method.encoder.maps(batch().x).dtype == torch.bfloat16
    losses = method(batch(), torch_generator(0, "test"))
    assert all(value.dtype == torch.float32 for value in losses.values())
    assert losses["loss"].isfinite()
