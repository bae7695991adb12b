import pytest
import torch

from pstl.config import BodyViews
from pstl.ops import body_views
from pstl.rng import torch_generator
from pstl.skeletons import load, names


def clips(joints: int = 20, people: int = 2) -> torch.Tensor:
    """(4, 3, 6, joints, 2), the second person of every other clip absent."""
    x = torch.randn(4, 3, 6, joints, people, generator=torch_generator(0, "clips"))
    x[::2, ..., 1:] = 0
    return x


def draw(x: torch.Tensor) -> body_views.Draws:
    return body_views.Draws(x, torch_generator(0, "views"))


def lengths(x, skeleton):
    """Of every bone, (N, T, V, M)."""
    return (x - x[:, :, :, list(skeleton.parents)]).norm(dim=1)


def test_turning_keeps_distances_and_reaches_every_axis():
    """A view from another side is the same body; a recipe's upright is turned, too."""
    x = clips()
    turned = body_views.turn(x, 30.0, draw(x))
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(lengths(turned, load("kinect_v1")), lengths(x, load("kinect_v1")))
    moved = (turned - x).abs().amax(dim=(0, 2, 3, 4))
    assert bool((moved > 0.05).all())


def test_turning_by_no_more_than_asked():
    """Within 5 degrees about three axes no direction moves by more than 15."""
    x = torch.nn.functional.normalize(clips(people=1), dim=1)
    turned = body_views.turn(x, 5.0, draw(x))
    assert float((turned * x).sum(1).clamp(-1, 1).arccos().rad2deg().max()) <= 15.0


@pytest.mark.parametrize("name", names())
def test_bones_change_by_one_factor_each_and_keep_their_directions(name):
    """A factor for a joint's position would bend the limb below it."""
    skeleton = load(name)
    x = clips(skeleton.joints)
    longer = body_views.lengthen(x, skeleton, 0.1, draw(x))
    before = x - x[:, :, :, list(skeleton.parents)]
    after = longer - longer[:, :, :, list(skeleton.parents)]
    factor = (after * before).sum(1) / before.square().sum(1).clamp(min=1e-12)  # (N, T, V, M)
    torch.testing.assert_close(after, before * factor[:, None], atol=1e-5, rtol=1e-4)
    first = factor[1]
    torch.testing.assert_close(first, first[:1, :, :1].expand_as(first), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(longer[:, :, :, skeleton.centre], x[:, :, :, skeleton.centre])


def test_a_mirror_twice_is_nothing_and_once_exchanges_sides():
    """Labels of left and right must follow the mirrored coordinates."""
    skeleton, x = load("kinect_v1"), clips()
    image = body_views.mirrored(x, skeleton, 1.0, draw(x))
    left, right = skeleton.hips
    torch.testing.assert_close(image[:, 0, :, left], -x[:, 0, :, right])
    torch.testing.assert_close(image[:, 1:, :, left], x[:, 1:, :, right])
    torch.testing.assert_close(body_views.mirrored(image, skeleton, 1.0, draw(image)), x)
    assert torch.equal(body_views.mirrored(x, skeleton, 0.0, draw(x)), x)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: body_views.turn(x, 30.0, draw(x)),
        lambda x: body_views.stretch(x, 0.2, draw(x)),
        lambda x: body_views.lengthen(x, load("kinect_v1"), 0.1, draw(x)),
        lambda x: body_views.mirrored(x, load("kinect_v1"), 0.5, draw(x)),
        lambda x: body_views.lose_joints(x, 0.3, draw(x)),
        lambda x: body_views.jitter(x, 0.01, draw(x)),
        lambda x: body_views.part(x, 0.3, draw(x), x.shape[2]),
    ],
    ids=["turn", "stretch", "lengthen", "mirrored", "lose_joints", "jitter", "part"],
)
def test_every_clip_has_a_view_of_its_own_and_absent_bodies_stay_absent(view):
    """One draw for a batch teaches less; noise on nobody would be a person."""
    x = clips()[1:2].repeat(8, 1, 1, 1, 1)
    x[0, ..., 1] = 0
    seen = view(x)
    assert seen.shape == x.shape
    assert not torch.equal(seen[1], seen[2]) or not torch.equal(seen[1], seen[3])
    assert bool((seen[0, ..., 1] == 0).all())


def test_lost_joints_are_lost_in_all_frames():
    """A joint that flickers would be noise, not a loss."""
    x = torch.ones(50, 3, 6, 20, 1)
    seen = body_views.lose_joints(x, 0.2, draw(x))
    per_joint = seen.mean(dim=(1, 2, 4))
    assert set(per_joint.flatten().tolist()) == {0.0, 1.0}
    assert 0.15 < 1 - float(per_joint.mean()) < 0.25


def test_by_default_a_view_is_the_clip_itself():
    """Methods and tasks that ask for no views train on what they trained on before."""
    x = clips()
    assert body_views.random_view(x, load("kinect_v1"), BodyViews(), torch_generator(0, "v")) is x


def test_parts_end_with_a_clips_last_recorded_frame():
    """Frames of nobody behind a short clip are not a part of it."""
    x = clips(people=1)
    x[:, :, 4:] = 0
    seen = body_views.part(x, 0.3, draw(x), x.shape[2])
    assert bool((seen != 0).any(dim=(1, 3, 4)).all())
