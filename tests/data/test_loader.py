"""Clips come out of an array as they stand there, and no process copies them all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from arrays import write_array

from pstl.data.loader import Clips
from pstl.data.store import ArraySet
from pstl.records import Wants

CPU = torch.device("cpu")


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
    assert clips.batch(torch.arange(len(clips))).present.all()


def test_every_batch_says_which_bodies_are_there():
    """Encoders leave out bodies by this: one that is there and not said is not trained on."""
    x = np.ones((4, 3, 9, 20, 2), np.float32)
    x[1, ..., 1] = x[3] = 0
    data = ArraySet(x, np.arange(4), np.full(4, 9), np.arange(4), [], {}, {})
    batch = Clips(data, np.array([3, 1, 0]), CPU).batch(torch.tensor([2, 0, 1]))
    assert batch.present.tolist() == [[True, True], [False, False], [True, False]]


HELD = """
import sys
from pathlib import Path
import numpy as np
import torch
from pstl.data.loader import Clips
from pstl.data.store import open_array
from pstl.records import Wants

def held():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

data = open_array(sys.argv[1])
wants = Wants(labels=True, single_bodies=sys.argv[2] == "single")
Clips(data, np.arange(8), torch.device("cpu"), wants).batch(torch.arange(8))
before = held()
clips = Clips(data, np.arange(0, len(data.x), 2), torch.device("cpu"), wants)
total = sum(float(clips.batch(part).x.sum()) for part in torch.arange(len(clips)).split(8))
print(held() - before, total)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux counts pages so")
@pytest.mark.parametrize("items", ["clips", "single"])
def test_a_process_does_not_hold_the_clips_that_it_trains_on(tmp_path, items):
    """Four trainings of one array on a machine would hold four copies of it. What is read of a map
    belongs to the file's own pages, which all share; only what is copied is the process's own."""
    x = np.ones((4096, 3, 64, 20, 2), np.float32)  # 126 MB, half of it taken
    number = np.arange(len(x))
    meta, splits = {"dataset": "nwucla"}, {"xsub": (number[:4], number[4:])}
    names = list(map(str, number))
    content = number.astype(np.uint64)
    write_array(tmp_path / "a", ArraySet(x, number, number + 64, content, names, splits, meta))
    command = [sys.executable, "-c", HELD, tmp_path / "a", items]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert float(said[1]) == x[::2].sum()
    assert float(said[0]) < x.nbytes / 2 / 1024 / 2  # half of the side, in kB
