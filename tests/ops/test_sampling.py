import pytest
import torch

from pstl.ops import sampling
from pstl.ops.streams import motion


def drawn(lengths, frames, seed=0, longest=None):
    length = torch.tensor(lengths)
    keys = torch.rand(
        len(length),
        sampling.candidates(longest or max(lengths), frames),
        generator=torch.Generator().manual_seed(seed),
    )
    return sampling.sampled_frames(length, keys, frames)


def test_long_clips_lose_frames_and_short_ones_repeat_them():
    """No frame twice where there are enough, none missing where there are too few, always in order
    (PSP spec 2.2).
    """
    index = drawn([1, 7, 25, 49, 50, 51, 120], 50)
    assert (index.diff(dim=1) >= 0).all()
    for row, length in zip(index, [1, 7, 25, 49, 50, 51, 120], strict=True):
        times = torch.bincount(row, minlength=length)
        assert len(times) == length  # nothing beyond the clip
        assert times.max() <= -(-50 // length)
    assert torch.equal(index[4], torch.arange(50))
    assert torch.equal(index[2], torch.arange(50) // 2)
    assert len(set(index[6].tolist())) == 50


def test_every_frame_is_as_likely():
    """Uniform over the clip; a draw that favours its beginning would be a crop."""
    index = drawn([30] * 4000, 10, longest=80)
    share = torch.bincount(index.flatten(), minlength=30) / 4000
    assert (share - 1 / 3).abs().max() < 0.04  # five standard errors
    short = drawn([7] * 4000, 10, longest=80)  # r = 2: each frame of 14 with probability 10 / 14
    assert (torch.bincount(short.flatten(), minlength=7) / 4000 - 10 / 7).abs().max() < 0.06


def test_frames_and_motion_are_those_of_the_recording():
    """Motion before sampling: a jump over dropped frames must not count as speed, nor the end of
    the clip as a fall to zero.
    """
    x = torch.randn(3, 3, 60, 20, 2)
    length = torch.tensor([60, 40, 1])
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    index = drawn(length.tolist(), 50)
    joint, moved = sampling.take(x, index), sampling.take_motion(x, length, index)
    for i, n in enumerate(length):
        native = motion(x[i : i + 1, :, :n])  # last frame 0
        torch.testing.assert_close(joint[i], x[i][:, index[i]])
        torch.testing.assert_close(moved[i], native[0][:, index[i]])


@pytest.mark.parametrize("length", [1, 13, 50, 77, 300])
def test_evaluation_takes_evenly_spaced_frames(length):
    """index floor(i L / T): deterministic, the same for every draw of labels."""
    index = sampling.spaced_frames(torch.tensor([length]), 50)
    assert index[0].tolist() == [i * length // 50 for i in range(50)]
