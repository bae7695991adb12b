import math

import numpy as np
import pytest
import torch

from pstl.ops import windows


def test_windows_are_those_of_the_released_code(shared):
    """Which frames form a clip is the whole clip level.

    Indices 7 k + {0, 2, ..., 12} into the sequence with 6 frames before it.
    """
    theirs = np.load(shared / "parity/hitrs.npz")["windows"]
    centre = torch.arange(len(theirs)) * 7
    np.testing.assert_array_equal(windows.frames_around(centre, 7, 2).numpy() + 6, theirs)
    assert int(windows.window_count(torch.tensor([64]), 7)) == len(theirs)


def test_number_of_windows():
    """One clip for every stride begun, for every length of the data set.

    With stride 1 one for every frame (Hi-TRS spec 1.3).
    """
    length = torch.arange(1, 301)
    assert windows.window_count(length, 7).tolist() == [math.ceil(t / 7) for t in range(1, 301)]
    assert windows.window_count(length, 1).tolist() == length.tolist()


def test_each_frame_is_in_one_window_at_most():
    """Neighbouring windows interleave.

    At most three of the last frames are in none (Hi-TRS spec 1.3).
    """
    for t in range(19, 301):
        frames = windows.frames_around(torch.arange(math.ceil(t / 7)) * 7, 7, 2)
        inside = frames[(frames >= 0) & (frames < t)]
        assert len(inside) == len(inside.unique())
        assert len(inside) >= t - 3


def test_rows_of_packed_sequences():
    """A frame before or after its sequence must never be its neighbour's."""
    length = torch.tensor([3, 1, 4])
    packed = windows.pack(length)
    assert packed.sequence.tolist() == [0, 0, 0, 1, 2, 2, 2, 2]
    assert packed.frame.tolist() == [0, 1, 2, 0, 0, 1, 2, 3]
    around = windows.frames_around(torch.tensor([0, 0, 3]), 3, 1)
    assert windows.rows_of(around, packed.start, length, outside=8).tolist() == [
        [8, 0, 1],
        [8, 3, 8],
        [6, 7, 8],
    ]


def test_padded_groups():
    """What fills up a rectangle is marked, whatever row it points to."""
    row, real = windows.padded(torch.tensor([2, 3]))
    assert row[real].tolist() == [0, 1, 2, 3, 4]
    assert real.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_distant_pairs_are_uniform(count):
    """Places at least 2 apart, each pair as likely as any other.

    Of two places the only pair (Hi-TRS spec 3.2, 3.3).
    """
    n = 30_000
    pairs = windows.distant_pair(
        torch.full((n,), count), torch.rand(n, 2, generator=torch.Generator().manual_seed(0))
    )
    expected = [(i, j) for i in range(count) for j in range(i + 2, count)] or [(0, 1)]
    seen, often = pairs.unique(dim=0, return_counts=True)
    assert [tuple(pair) for pair in seen.tolist()] == expected
    np.testing.assert_allclose(often.numpy() / n, 1 / len(expected), atol=0.012)


def test_exactly_two_entries_are_exchanged():
    """The negative of both order tasks."""
    rows = torch.arange(24).view(2, 4, 3)
    out = windows.swapped(rows, torch.tensor([[0, 2], [1, 3]]))
    assert torch.equal(out[0], rows[0, [2, 1, 0, 3]])
    assert torch.equal(out[1], rows[1, [0, 3, 2, 1]])
    assert torch.equal(windows.swapped(out, torch.tensor([[0, 2], [1, 3]])), rows)
