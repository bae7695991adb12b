import pytest
import torch
import torch.nn.functional as F

from pstl.errors import ShapeError
from pstl.ops import time


def test_a_ramp_follows_the_half_pixel_rule_with_clamped_ends():
    """Another convention shifts every clip by part of a frame.

    The released arrays use this one (SCD-Net spec 3, 11).
    """
    ramp = torch.arange(100.0).view(1, 1, 100, 1, 1)
    y = time.resize_span(ramp, time.Span(torch.tensor([20]), torch.tensor([80])), 64).flatten()
    torch.testing.assert_close(y, 20 + (torch.arange(64) + 0.5) * 80 / 64 - 0.5)
    short = time.resize_span(ramp, time.Span(torch.tensor([5]), torch.tensor([8])), 64).flatten()
    assert short[:4].tolist() == [5] * 4  # positions below 0 are the first frame
    assert short[-4:].tolist() == [12] * 4
    assert (short.diff() >= 0).all()


def test_every_clip_is_resized_as_if_it_were_alone():
    """The batched gather must equal the library's resampling of each part, one-frame clips
    included.
    """
    x = torch.randn(5, 3, 90, 4, 2)
    start, length = torch.tensor([0, 3, 26, 89, 10]), torch.tensor([90, 64, 64, 1, 33])
    y = time.resize_span(x, time.Span(start, length), 64)
    for clip, s, n, ours in zip(x, start, length, y, strict=True):
        theirs = F.interpolate(
            clip[:, s : s + n].permute(0, 2, 3, 1).flatten(0, 2)[None],
            size=64,
            mode="linear",
            align_corners=False,
        )
        torch.testing.assert_close(ours, theirs.view(3, 4, 2, 64).permute(0, 3, 1, 2))


def test_frames_outside_a_span_are_never_read():
    """The recipe leaves them empty: one number from there would poison a clip."""
    x = torch.full((1, 3, 300, 2, 1), float("nan"))
    x[:, :, 7:90] = 1
    assert (time.resize_span(x, time.Span(torch.tensor([7]), torch.tensor([83])), 64) == 1).all()
    assert torch.equal(
        time.resize_span(x[:, :, 7:71], time.Span(torch.tensor([0]), torch.tensor([64])), 64),
        x[:, :, 7:71],
    )


def test_random_spans_stay_inside_and_reach_both_ends():
    """A span past the recorded frames would show what is not there.

    Short clips are never cropped (SCD-Net spec 3).
    """
    length = torch.arange(1, 301)
    for draw in (0.0, 1 - 2**-24):  # the smallest and the largest number torch.rand gives
        start, kept = time.random_span(
            length, torch.full((300,), 0.1), torch.full((300,), draw), 64
        )
        assert (kept == length.clamp(max=64)).all()
        assert (start == (0 if draw == 0 else length - kept)).all()
    start, kept = time.random_span(length, torch.rand(300) * 0.9 + 0.1, torch.rand(300), 64)
    assert (start >= 0).all()
    assert (start + kept <= length).all()
    assert (kept >= length.clamp(max=64)).all()


def test_a_crop_of_100_frames_is_most_often_the_shortest():
    """The floor of 64 frames makes the law lopsided: P(L = 64) is that of a scale below 0.65
    (SCD-Net spec 3).
    """
    n = 40_000
    scale, place = torch.rand(2, n, generator=torch.Generator().manual_seed(0))
    start, kept = time.random_span(torch.full((n,), 100), 0.1 + 0.9 * scale, place, 64)
    assert float((kept == 64).float().mean()) == pytest.approx(0.55 / 0.9, abs=0.01)
    starts = torch.bincount(start[kept == 64])
    assert len(starts) == 37
    assert starts.min() > 0.7 * starts.float().mean()


def test_the_centred_part_loses_as_much_at_both_ends():
    """floor(0.025 n) frames at each end, also where 0.025 n is whole (SCD-Net spec 3.3)."""
    length = torch.arange(1, 301)
    start, kept = time.centred_span(length, 0.95)
    assert start.tolist() == [n // 40 for n in range(1, 301)]
    assert (2 * start + kept == length).all()


def test_spans_of_another_batch_are_refused():
    """Broadcasting one span over all clips would crop them alike, silently."""
    with pytest.raises(ShapeError, match="one per clip"):
        time.resize_span(
            torch.zeros(4, 3, 70, 2, 1), time.Span(torch.tensor([0]), torch.tensor([64])), 64
        )
