import numpy as np
import torch

from pstl.data.loader import Clips
from pstl.data.store import ArraySet
from pstl.records import Wants


def test_bodies_are_items_of_their_own():
    """Hi-TRS trains on single people: every body that is there once, none that is not, each with
    its recording's length and label."""
    x = np.random.default_rng(0).normal(size=(5, 3, 9, 20, 2)).astype(np.float32)
    x[1, ..., 1] = x[3, ..., 0] = x[4] = 0
    length = np.array([9, 8, 3, 7, 6])
    data = ArraySet(x, np.arange(5), length, np.arange(5), [], {}, {})
    clips = Clips(
        data, np.arange(5), torch.device("cpu"), Wants(labels=True, single_bodies=True, shortest=4)
    )
    taken, lengths, y = clips.take(torch.arange(len(clips)))
    assert taken.shape == (
        4,
        3,
        9,
        20,
        1,
    )  # two of clip 0, one of 1, none of 2 (too short), one of 3, none of 4 (empty)
    for body, (clip, slot) in zip(taken, [(0, 0), (0, 1), (1, 0), (3, 1)], strict=True):
        np.testing.assert_array_equal(body[..., 0].numpy(), x[clip, ..., slot])
    assert lengths.tolist() == clips.host_length.tolist() == [9, 9, 8, 7]
    assert y.tolist() == [0, 0, 1, 3]
    assert clips.present.all()
