import math

import pytest
import torch

from pstl.backbones.tcn import Config as EncoderConfig
from pstl.backbones.tcn import Encoder
from pstl.errors import UserError
from pstl.methods import simclr
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load

FRAMES = 20


def method(**cfg) -> simclr.Method:
    torch.manual_seed(0)
    skeleton = load("kinect_v1")
    encoder = Encoder(EncoderConfig(width=16, blocks=1), skeleton, 1, FRAMES)
    return simclr.Method(simclr.Config(**cfg), encoder, Problem(skeleton, 1, FRAMES, 10, "joint"))


def batch(clips: int = 16, length: int = FRAMES) -> Batch:
    """Random walks of `length` frames, zero beyond."""
    steps = torch.randn(clips, 3, FRAMES, 20, 1, generator=torch_generator(0, "clips"))
    x = 0.1 * steps.cumsum(2)
    x[:, :, length:] = 0
    return Batch(x, torch.full((clips,), length))


def still() -> dict[str, float]:
    """Settings under which a view is the clip."""
    nothing = dict.fromkeys(
        ("turn_deg", "stretch", "bones", "mirror", "lost_joints", "jitter"), 0.0
    )
    return {**nothing, "shortest": 1.0}


def test_without_views_a_view_is_the_clip():
    """Each setting switches its view off."""
    data = batch()
    torch.testing.assert_close(method(**still()).view(data, torch_generator(0, "v")), data.x)


def test_every_setting_changes_the_view():
    """A setting that does nothing would be an ablation that lies."""
    data = batch()
    for name in ("turn_deg", "stretch", "bones", "mirror", "lost_joints", "jitter"):
        settings = {**still(), name: 30.0 if name == "turn_deg" else 0.5}
        seen = method(**settings).view(data, torch_generator(0, "v"))
        assert not torch.allclose(seen, data.x), name
    part = method(**{**still(), "shortest": 0.3}).view(data, torch_generator(0, "v"))
    assert not torch.allclose(part, data.x)


def test_a_view_is_of_the_recorded_frames_alone():
    """Padding is not motion; a recipe's own count of frames may be that of the recording."""
    data = batch(length=8)
    counted = data._replace(length=torch.full((16,), 300))
    views = [method().view(each, torch_generator(0, "v")) for each in (data, counted)]
    assert torch.equal(*views)
    shown = (views[0] != 0).any(dim=4).any(dim=3).any(dim=1)
    assert bool(shown.all())


def test_the_loss_starts_near_chance_and_falls():
    """Chance is the log of the other rows' number."""
    model, data = method(), batch()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for step in range(30):
        loss = model(data, torch_generator(0, "test", step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] < 1.5 * math.log(31)
    assert sum(losses[-5:]) / 5 < 0.7 * losses[0]


def test_a_batch_of_one_clip_is_one_line():
    """Nothing to tell it from, and no statistics: the last short batch may be one clip."""
    with pytest.raises(UserError, match="a batch of one clip has no negatives; choose a batch"):
        method()(batch(clips=1), torch_generator(0, "test"))


def test_streams_are_made_of_the_views():
    """Bones of a mirrored, turned body are those of that body."""
    skeleton = load("kinect_v1")
    model = method()
    model.problem = Problem(skeleton, 1, FRAMES, 10, "motion")
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(batch(), torch_generator(0, "v"))
    assert len(seen) == 2
    assert all(bool((x[:, :, -1] == 0).all()) for x in seen)  # motion's last frame


def test_views_have_the_frames_that_are_asked_for():
    """Stretched to an array of many frames, a clip moves slower than what is encoded downstream."""
    data = batch()
    seen = method(**still(), frames=7).view(data, torch_generator(0, "v"))
    assert seen.shape == (16, 3, 7, 20, 1)
    losses = method(frames=7)(data, torch_generator(0, "v"))
    assert torch.isfinite(losses["loss"])


def test_neighbours_are_positives_from_their_epoch_on():
    """Early features name neighbours at random, so a method may wait."""
    data = batch()
    plain = method()(data, torch_generator(0, "v"))["loss"]
    before, after = (
        method(nearest=3, mine_after=2)(data._replace(epoch=epoch), torch_generator(0, "v"))["loss"]
        for epoch in (1, 2)
    )
    assert torch.equal(before, plain)
    assert not torch.equal(after, plain)
