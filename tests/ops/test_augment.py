import math

import pytest
import torch

from pstl.ops import augment
from pstl.rng import torch_generator
from pstl.skeletons import load


@pytest.mark.parametrize("per_sample", [False, True])
def test_crop_is_a_window_of_the_symmetrically_padded_clip(per_sample):
    """PSTL spec 6.1: pad T // 6 mirrored frames (edge repeated) at both ends, take T consecutive
    ones.
    """
    x = torch.arange(50.0).view(1, 1, 50, 1, 1).repeat(8, 3, 1, 2, 1)
    padded = [*range(7, -1, -1), *range(50), *range(49, 41, -1)]
    windows = [padded[s : s + 50] for s in range(17)]
    found = (
        augment.crop(x, 6, torch_generator(0, "test"), per_sample)[:, 0, :, 0, 0].long().tolist()
    )
    assert all(row in windows for row in found)
    assert (len({tuple(row) for row in found}) > 1) == per_sample


def test_rotation_keeps_lengths_and_is_mostly_about_one_axis():
    """p' = p R with R a rotation.

    Orthogonal, determinant 1, at most 30 degrees on the main axis and 1 on the others.
    """
    r = augment.rotation(200, 30, 1, torch_generator(0, "test"))
    torch.testing.assert_close(
        r @ r.transpose(1, 2), torch.eye(3).expand(200, 3, 3), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(200))
    angle = torch.rad2deg(torch.arccos(((r.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1)))
    assert 20 < angle.max() < 31.5


def test_rotation_about_z_turns_as_the_released_code_does():
    """The sense matters because angles are never negative: R = [[c, s, 0], [-s, c, 0], [0, 0, 1]]
    acts on columns (PSTL spec 6.1).
    """
    rng = torch_generator(0, "test")
    for _ in range(50):
        state = rng.get_state()
        r = augment.rotation(1, 30, 0, rng)[0]
        rng.set_state(state)
        main = int(torch.randint(0, 3, (1, 1), generator=rng))
        angle = float(torch.rand(1, 3, generator=rng)[0, main]) * math.pi / 6
        c, s = math.cos(angle), math.sin(angle)
        columns = [
            [[1, 0, 0], [0, c, s], [0, -s, c]],
            [[c, 0, -s], [0, 1, 0], [s, 0, c]],
            [[c, s, 0], [-s, c, 0], [0, 0, 1]],
        ]
        torch.testing.assert_close(r.T, torch.tensor(columns[main]), atol=1e-6, rtol=0)


def test_a_turn_about_z_keeps_height_and_lengths():
    """PSP's views are upright along z.

    A turn that tilted them would be another augmentation than the one named.
    """
    angle = torch.tensor([-170.0, -45.0, 0.0, 90.0])
    r = augment.about_z(angle)
    torch.testing.assert_close(r @ r.mT, torch.eye(3).expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(4))
    p = torch.tensor([1.0, 0.0, 2.0]) @ r
    assert (p[:, 2] == 2).all()
    torch.testing.assert_close(torch.rad2deg(torch.atan2(p[:, 1], p[:, 0])), angle)


def test_shear_follows_the_convention_of_the_released_code():
    """out_d = sum_c x_c S[c, d] with unit diagonal (PSTL spec 6.1)."""
    s = augment.shear(3, 1.0, torch_generator(0, "test"))
    assert (s.diagonal(dim1=1, dim2=2) == 1).all()
    assert s.abs().max() <= 1
    x = torch.randn(3, 3, 4, 5, 2)
    torch.testing.assert_close(augment.transform(x, s), torch.einsum("nctvm,ncd->ndtvm", x, s))


def test_swapping_sides_twice_gives_the_clip_back():
    """The flip is a permutation of joints and nothing else."""
    x, mirror = torch.randn(2, 3, 4, 25, 1), load("kinect_v2").mirror
    swap = lambda y: augment.swap_sides(y, mirror, 1.0, torch_generator(0, "test"))  # noqa: E731
    assert torch.equal(swap(swap(x)), x)
    assert not torch.equal(swap(x), x)


def test_swapping_per_sample_swaps_about_half():
    """Probability 0.5, clip by clip."""
    x, mirror = torch.randn(200, 3, 1, 20, 1), load("kinect_v1").mirror
    swapped = (
        (augment.swap_sides(x, mirror, 0.5, torch_generator(0, "test"), per_sample=True) != x)
        .flatten(1)
        .any(1)
    )
    assert 70 < swapped.sum() < 130


def test_absent_person_stays_absent():
    """All transforms are linear in space, so a zero body must stay zero through every view."""
    x = torch.randn(4, 3, 50, 25, 2)
    x[..., 1] = 0
    rng = torch_generator(0, "test")
    y = augment.transform(
        augment.crop(x, 6, rng), augment.shear(1, 1.0, rng) @ augment.rotation(1, 30, 1, rng)
    )
    assert not y[..., 1].any()


def test_chosen_clips_are_transformed_and_the_others_left():
    """Each augmentation of SCD-Net happens to a clip or does not; the identity must be exact."""
    x, chosen = torch.randn(4, 3, 2, 20, 1), torch.tensor([True, False, False, True])
    matrix = augment.shear(4, 1.0, torch_generator(0, "test"))
    y = augment.transform(x, augment.only_where(chosen, matrix))
    torch.testing.assert_close(y[~chosen], x[~chosen], atol=0, rtol=0)
    torch.testing.assert_close(y[chosen], augment.transform(x, matrix)[chosen])
    mirror = load("kinect_v1").mirror
    z = augment.swap_sides_where(x, mirror, chosen)
    assert torch.equal(z[~chosen], x[~chosen])
    assert torch.equal(z[chosen], x[chosen][:, :, :, list(mirror)])


def test_each_clip_may_be_shifted_by_its_own_frames():
    """A shift is a place in the clip that goes on mirrored, its edge frames standing twice."""
    x = torch.arange(5.0).view(1, 1, 5, 1, 1).repeat(4, 3, 1, 2, 1)
    y = augment.shift_frames(x, torch.tensor([0, 2, -2, 5]))
    rows = [[0, 1, 2, 3, 4], [2, 3, 4, 4, 3], [1, 0, 0, 1, 2], [4, 3, 2, 1, 0]]
    assert y[:, 2, :, 1, 0].long().tolist() == rows


def test_a_blur_adds_weighted_neighbours_up_in_the_chosen_clips():
    """Tap by tap; the weights are not normalised, and beyond the ends there is nothing."""
    x, sigma = torch.randn(3, 3, 9, 2, 1), torch.tensor([0.8, 2.0, 0.1])
    y = augment.blur(x, sigma, torch.tensor([True, True, False]), taps=5)
    for clip in (0, 1):
        for frame in range(9):
            expected = torch.zeros(3, 2, 1)
            for k in range(-2, 3):
                if 0 <= frame + k < 9:
                    weight = math.exp(-(k**2) / (2 * float(sigma[clip]) ** 2))
                    expected += weight * x[clip, :, frame + k]
            torch.testing.assert_close(y[clip, :, frame], expected)
    assert torch.equal(y[2], x[2])


def test_a_wide_blur_of_a_still_clip_makes_it_five_times_as_large():
    """The released kernel sums to 5.0 at its widest (AimCLR spec 5), and so scales the body."""
    still = torch.ones(1, 3, 50, 1, 1)
    y = augment.blur(still, torch.tensor([2.0]), torch.tensor([True]), taps=15)
    assert float(y[0, 0, 25, 0, 0]) == pytest.approx(5.01, abs=0.01)


def test_one_axis_of_the_chosen_clips_is_hidden():
    """All its coordinates are zero, whoever's they are; the others stay to the last bit."""
    x, chosen = torch.randn(3, 3, 4, 2, 2), torch.tensor([True, False, True])
    y = augment.hide_axes(x, torch.tensor([0, 1, 2]), chosen)
    assert not y[0, 0].any()
    assert not y[2, 2].any()
    assert torch.equal(y[1], x[1])
    assert torch.equal(y[0, 1:], x[0, 1:])
    assert torch.equal(y[2, :2], x[2, :2])
