"""Scores along time: what a window says about a frame reaches that frame and no other."""

import doctest

import torch

from pstl.ops import timeline
from pstl.ops.timeline import overlap_mean, rows_to_frames, runs, smooth, window_starts


def test_examples_hold():
    """The docstrings show numbers; a reader takes them for true."""
    assert not doctest.testmod(timeline).failed


def test_windows_cover_every_frame_once_at_least():
    """A frame that no window shows would always be background."""
    for total in range(1, 40):
        for stride in (1, 3, 7):
            start = window_starts(total, 7, stride)
            shown = overlap_mean(torch.ones(len(start), 7, 1), start, total)
            assert torch.equal(shown, torch.ones(total, 1))


def test_rows_on_a_line_give_frames_on_that_line():
    """Interpolation must know where rows stand: half a row of shift moves every boundary."""
    at = torch.tensor([0.5, 4.0, 9.0, 11.0])
    line = 2 * at - 3
    frames = rows_to_frames(line[None, :, None], at, 12)[0, :, 0]
    expected = 2 * torch.arange(12.0).clamp(0.5, 11) - 3
    torch.testing.assert_close(frames, expected)


def test_the_mean_is_that_of_a_loop():
    """Formula test: the scatter against a sum window by window."""
    torch.manual_seed(0)
    start, scores = window_starts(23, 8, 3), torch.rand(len(window_starts(23, 8, 3)), 8, 4)
    for frame in range(23):
        shown = [scores[i, frame - s] for i, s in enumerate(start.tolist()) if 0 <= frame - s < 8]
        torch.testing.assert_close(
            overlap_mean(scores, start, 23)[frame], torch.stack(shown).mean(0)
        )


def test_smoothing_keeps_probabilities():
    """Every frame's scores still add up to one, and a width of one changes nothing."""
    scores = torch.rand(50, 5).softmax(1)
    torch.testing.assert_close(smooth(scores, 9).sum(1), torch.ones(50))
    torch.testing.assert_close(smooth(scores, 1), scores)
    torch.testing.assert_close(smooth(scores, 9)[20], scores[16:25].mean(0))


def test_runs_tile_the_recording():
    """Intervals that overlap or leave gaps would count frames twice or not at all."""
    labels = torch.randint(0, 3, (200,), generator=torch.Generator().manual_seed(1))
    found = runs(labels)
    assert found[0, 1] == 0
    assert found[-1, 2] == 199
    assert torch.equal(found[1:, 1], found[:-1, 2] + 1)
    for label, first, last in found.tolist():
        assert (labels[first : last + 1] == label).all()
