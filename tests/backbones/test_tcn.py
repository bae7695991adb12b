import pytest
import torch

from pstl.backbones.tcn import Config, Encoder
from pstl.rng import torch_generator
from pstl.skeletons import load


def encoder(name: str = "kinect_v1", people: int = 1, **cfg) -> Encoder:
    torch.manual_seed(0)
    model = Encoder(Config(width=8, **cfg), load(name), people, 50)
    return model.eval().requires_grad_(False)


def clips(joints: int = 20, people: int = 1) -> torch.Tensor:
    return torch.randn(3, 3, 50, joints, people, generator=torch_generator(0, "clips"))


@pytest.mark.parametrize(("name", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_shapes(name, people):
    """What tasks read has the promised widths, for every body and number of people."""
    model = encoder(name, people)
    features = model(clips(load(name).joints, people))
    assert features.clip.shape == (3, model.width) == (3, 16)
    assert features.frames.shape == (3, 13, 8)


def test_each_joint_counts_on_its_own():
    """Two joints exchanged are another posture; a mean over joints could not tell."""
    x = clips()
    exchanged = x[:, :, :, [1, 0, *range(2, 20)]]
    model = encoder()
    assert float((model(x).clip - model(exchanged).clip).abs().max()) > 1e-3


def test_speed_is_seen_beside_the_posture():
    """A clip and the same postures at rest differ by the displacements only."""
    moving = clips()
    model, blind = encoder(motion=5.0), encoder(motion=0.0)
    still = moving[:, :, :1].expand_as(moving)
    shifted = still + torch.linspace(0, 1, 50).view(1, 1, -1, 1, 1)
    with_motion = (model(shifted).frames - model(still).frames)[:, 0].abs().max()
    without = (blind(shifted).frames - blind(still).frames)[:, 0].abs().max()
    assert float(with_motion) > 1.5 * float(without)


def test_people_are_averaged():
    """The order of two people is no part of what they do."""
    x, model = clips(people=2), encoder(people=2)
    torch.testing.assert_close(model(x).clip, model(x.flip(4)).clip)


def test_the_largest_value_over_time_survives_a_longer_rest():
    """Half of the feature is a maximum: a short movement does not fade in a long clip."""
    x = clips()
    x[:, :, 25:] = x[:, :, 25:26]  # at rest, so that the end of the clip is none of a movement
    longer = torch.cat([x, x[:, :, -1:].expand(-1, -1, 50, -1, -1)], dim=2)
    model = encoder()
    change = model(longer).clip - model(x).clip
    assert float(change[:, :8].min()) > -1e-4  # maxima only grow


def test_without_halving_every_frame_has_its_row():
    """An action of seven frames has no row of its own where every fourth frame has one."""
    model = encoder(halve=False, blocks=3)
    x = clips()
    rows = model(x).frames
    assert rows.shape == (3, 50, 8)
    later = torch.cat([x[:, :, :1].expand(-1, -1, 3, -1, -1), x], dim=2)
    moved = model(later).frames
    reach = 1 + 2 * (1 + 2 + 4) * 2  # frames either way, of three blocks of kernel 5
    torch.testing.assert_close(moved[:, 3 + reach :], rows[:, reach:])


def test_without_halving_each_block_reaches_twice_as_far():
    """A row has to see the action around it, not the frame alone."""
    x = clips()
    poked = x.clone()
    poked[:, :, 25] += 1
    changed = []
    for blocks in (1, 2):
        model = encoder(halve=False, blocks=blocks)
        differs = (model(poked).frames - model(x).frames).abs().amax(dim=(0, 2)) > 0
        changed.append(int(differs.sum()))
    assert changed == [12, 28]  # and the frame after, whose displacement has changed


def test_levels_stand_before_what_the_end_says():
    """Values of every depth are kept apart, and the rows in time are the end's as before."""
    plain, deep = encoder(), encoder(levels=True)
    x = clips()
    assert deep.width == 3 * plain.width == deep(x).clip.shape[1]
    torch.testing.assert_close(deep(x).clip[:, -plain.width :], plain(x).clip)
    torch.testing.assert_close(deep(x).frames, plain(x).frames)
    deep.blocks[-1].layers[-1].weight.zero_()  # the last block adds nothing
    changed = (deep(x).clip != encoder(levels=True)(x).clip).any(dim=0)
    assert changed[-plain.width :].any()
    assert not changed[: -plain.width].any()
