from dataclasses import replace

import pytest
import torch

from benchmarks import search as bench_search
from pstl.ops import neighbours


@pytest.mark.parametrize("task", list(bench_search.TASKS))
def test_many_small_blocks_answer_as_a_plain_loop(task, monkeypatch):
    """What is measured must be the exact answer: small blocks, queries that end within one."""
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 5000)
    features = bench_search.made_up(1100, 61)
    plain = bench_search.by_loop(features)
    found = bench_search.search(task, features, torch.device("cpu")).metrics[
        "top1" if task == "knn" else "map"
    ]
    assert found == pytest.approx(plain[task], abs=1e-9)
    assert 1 < plain[task] < 99


def test_a_wrong_answer_is_noticed(monkeypatch):
    """A benchmark that says `agrees` whatever was found would be a number without a check."""
    monkeypatch.setattr(bench_search, "CLASSES", 3)
    right = bench_search.search
    assert bench_search.measure("knn", 90, 80, "cpu")["agrees"]

    def wrong(task, features, device):
        return replace(right(task, features, device), metrics={"top1": 12.5})

    monkeypatch.setattr(bench_search, "search", wrong)
    assert not bench_search.measure("knn", 90, 80, "cpu")["agrees"]
