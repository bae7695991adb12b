"""Absent bodies: half of all clips have one, and encoding it costs as much as a person."""

import torch
from torch import Tensor

from pstl.ops.bodies import merge_absent, merge_by_slot, present
from pstl.rng import torch_generator


def clips() -> Tensor:
    """Four clips of up to three people, (4, 3, 5, 6, 3); five of the twelve bodies are absent."""
    x = torch.randn(4, 3, 5, 6, 3, generator=torch_generator(0, "clips"))
    there = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]])
    return x * there[:, None, None, None]


def test_a_body_is_there_if_one_number_is_not_zero() -> None:
    """A person who stands at the origin but for one joint of one frame is no empty slot."""
    x = torch.zeros(2, 3, 4, 5, 2)
    x[1, 2, 3, 4, 0] = 1e-9
    assert present(x).tolist() == [[False, False], [True, False]]
    assert present(clips()).sum() == 7


def test_merged_bodies_stand_for_all() -> None:
    """What an encoder gives of the merged bodies is what it gives of every one, row by row."""
    bodies = clips().permute(0, 4, 1, 2, 3).flatten(0, 1)
    merged, source = merge_absent(bodies)
    assert len(merged) == 7 + 1
    assert torch.equal(merged[source], bodies)


def test_nothing_is_copied_where_nobody_is_absent() -> None:
    """Data sets of single people must not pay for those of two."""
    bodies = torch.ones(3, 2, 2)
    merged, source = merge_absent(bodies)
    assert merged is bodies
    assert torch.equal(merged[source], bodies)


def test_bodies_merged_by_slot_stand_for_as_many_as_they_replace() -> None:
    """Norms weigh each row by what it stands for: a body lost or counted twice shifts them all."""
    x = clips()
    bodies = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
    merged = merge_by_slot(present(x), torch.device("cpu"))
    assert len(merged.rows) == 7 + 3  # of each slot one that is absent
    assert torch.equal(bodies[merged.rows][merged.source], bodies)
    assert torch.equal(
        merged.source.bincount().double(), merged.standing.share * len(merged.source)
    )
    assert torch.equal(merged.source[merged.rows], torch.arange(10))
