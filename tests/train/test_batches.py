import numpy as np
import pytest
import torch

from pstl.config import TrainSettings
from pstl.data.loader import Clips
from pstl.data.store import ArraySet
from pstl.errors import UserError
from pstl.records import Wants
from pstl.train import batches

CPU = torch.device("cpu")


def clips(n=40, known=(1, 5, 9, 20, 33, 39), labelled=True, share=None):
    x = (
        np.arange(n, dtype=np.float32)[:, None, None, None, None]
        * np.ones((1, 3, 2, 20, 1), np.float32)
        + 1
    )
    data = ArraySet(x, np.arange(n) % 3, np.full(n, 2), np.arange(n), [], {}, {})
    return Clips(
        data,
        np.arange(n),
        CPU,
        Wants(labels=labelled),
        known=None if known is None else np.array(known),
        share=share,
    )


def settings(**train):
    return TrainSettings(**{"epochs": 4, "lr": 1.0, "batch_size": 10} | train)


def test_labels_of_other_clips_are_not_even_loaded():
    """What is not in memory cannot leak into a semi-supervised score."""
    c = clips()
    assert c.labelled.tolist() == [1, 5, 9, 20, 33, 39]
    assert c.y[c.labelled].tolist() == [i % 3 for i in c.labelled.tolist()]
    assert (np.delete(c.y.numpy(), c.labelled.numpy()) == -1).all()
    assert clips(labelled=False).y is None
    assert len(clips(labelled=False).labelled) == 0
    assert (clips(known=None).y >= 0).all()


def test_a_batch_has_labelled_clips_in_front_and_the_others_without_label():
    """Labelled clips are among the others again, there without their class (PSP spec 7)."""
    c = clips()
    train = settings(labelled_batch=4, steps_per_epoch=8)
    others = []
    for members in batches.of_epoch(c, train, seed=0, epoch=0):
        batch = batches.make(c, members)
        assert batch.labelled == 4
        assert len(batch.x) == 14
        assert set(members.labelled.tolist()) <= set(c.labelled.tolist())
        assert batch.y[:4].tolist() == [i % 3 for i in members.labelled.tolist()]
        assert (batch.y[4:] == -1).all()
        assert (
            batch.x[:, 0, 0, 0, 0] - 1
        ).long().tolist() == members.labelled.tolist() + members.others.tolist()
        others += members.others.tolist()
    assert sorted(others) == sorted(list(range(40)) * 2)  # two whole passes in 8 batches of 10


def test_short_batches_at_a_pass_s_end_are_left_out():
    """Both sets are gone through independently, each in batches of one size."""
    rows = batches.cycled(7, 3, 0, 10, seed=0, purpose="p")
    assert [len(row) for row in rows] == [3] * 10
    for first in range(0, 10, 2):  # two batches make a pass
        assert len(set(torch.cat(rows[first : first + 2]).tolist())) == 6
    # Fewer labelled clips than asked for.
    assert [len(row) for row in batches.cycled(2, 9, 0, 3, seed=0, purpose="p")] == [2] * 3


def test_epochs_go_on_where_the_last_one_stopped():
    """A resumed run knows its epoch and nothing else; the series must be the uninterrupted one."""
    whole = batches.cycled(23, 5, 0, 30, 1, "p")
    parts = [row for epoch in range(3) for row in batches.cycled(23, 5, epoch * 10, 10, 1, "p")]
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_draws_with_replacement_repeat_clips_and_go_on_where_the_last_epoch_stopped():
    """Predict & Cluster draws each clip among all (Predict-Cluster spec 4): a batch may be larger
    than the data, and what a resumed run draws is what an uninterrupted one does."""
    c, train = clips(4, known=None), settings(steps_per_epoch=3, replacement=True)
    rows = [batches.of_epoch(c, train, seed=0, epoch=epoch) for epoch in (0, 1)]
    indices = [members.others for epoch in rows for members in epoch]
    assert [len(index) for index in indices] == [10] * 6
    assert torch.cat(indices).unique().tolist() == [0, 1, 2, 3]
    whole = batches.drawn(4, 10, 0, 6, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(whole, indices, strict=True))
    assert len({tuple(index.tolist()) for index in indices}) == 6
    with pytest.raises(ValueError, match="replacement needs steps_per_epoch"):
        settings(replacement=True)


@pytest.mark.parametrize(
    ("share", "rows"), [(0.05, 5), (0.1, 9), (0.15, 14), (0.2, 18), (0.3, 27), (0.4, 36), (0.01, 4)]
)
def test_the_labelled_part_follows_the_fraction(share, rows):
    """9 beside 90 at 10 % is the released configuration; the others are the rule of PSP spec 7."""
    c = clips(1000, known=np.arange(int(1000 * share)))
    assert batches.labelled_size(settings(batch_size=90, labelled_batch="fraction"), c) == rows


@pytest.mark.parametrize(
    ("share", "counted", "rows"),
    [(0.05, 494, 5), (0.1, 988, 9), (0.15, 1_480, 14), (0.4, 3_951, 36), (0.35, 3_450, 32)],
)
def test_the_labelled_part_follows_the_share_that_was_asked_for(share, counted, rows):
    """33 clips of every class of NTU-60 are 4.94 %, 4 of 90; 5 % are 5 (PSP spec 7)."""
    c = clips(10_000, known=np.arange(counted), share=share)
    assert batches.labelled_size(settings(batch_size=90, labelled_batch="fraction"), c) == rows


def test_labelled_batches_need_labels():
    """Otherwise a run without labels would look semi-supervised."""
    with pytest.raises(UserError, match="no clip has a label"):
        batches.of_epoch(clips(labelled=False), settings(labelled_batch=4), 0, 0)


STEPS = [(420, 12), (128, 4), (127, 4), (2005, 60), (4009, 124)]


@pytest.mark.parametrize(("count", "kept"), STEPS)
def test_batches_that_make_no_whole_step_are_left_out(count, kept):
    """Hi-TRS takes 3 steps of 4 x 32 from 420 labels, 15 from 2,005 (Hi-TRS spec 5)."""
    train = settings(batch_size=32, accumulate=4, whole_steps=True)
    c = clips(count, known=None)
    members = batches.of_epoch(c, train, seed=3, epoch=1)
    everything = batches.of_epoch(c, settings(batch_size=32, accumulate=4), seed=3, epoch=1)
    assert len(members) == kept
    assert all(torch.equal(a.others, b.others) for a, b in zip(members, everything, strict=False))


def test_fewer_batches_than_a_step_takes_are_refused():
    """An epoch without a step would leave the weights as they were, under the name of training."""
    train = settings(batch_size=32, accumulate=4, whole_steps=True)
    with pytest.raises(UserError, match="3 batches of 32 in an epoch make no step of 4"):
        batches.of_epoch(clips(90, known=None), train, 0, 0)
