"""Seconds and cells are counted once, whatever a cell has of rows."""

import json
from pathlib import Path

import pytest
from report.fabricated import GRID, params, rows_of, write_both_states, write_run

from pstl import paths
from pstl.report import document, facts, joined, material, page
from pstl.report.costs import Spent, costs


def test_a_cell_costs_once_whatever_it_has_of_settings_and_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prediction with four settings took 535 s and stood as 2,140 s."""
    monkeypatch.chdir(tmp_path)
    settings = params({**GRID, "seeds": [0], "streams": ["joint"], "fuse": None,
        "tasks": ["knn", "finetune"], "batch_norm": ["recalibrated"]})  # fmt: skip
    write_run(settings.runs("tiny")[0])
    knn, tuned = settings.cells("tiny")
    rows = []
    for setting in ("k=1", "k=5", "baseline=chance"):
        rows += rows_of(knn, {"top1": 50.0, "macro_f1": 49.0}, setting=setting, seconds=535.0)
    Path(paths.metrics(knn)).parent.mkdir()
    Path(paths.metrics(knn)).write_text(json.dumps({"rows": rows, "curve": []}))
    write_both_states(tuned, 60.0)
    everything = joined.read(settings, "tiny")
    spent = costs(everything.results, everything.cells)
    assert spent.tasks == {"knn": Spent(1, 535.0), "finetune": Spent(1, 1.5)}
    assert facts.facts(everything)["wall time"].startswith("549 s: 12 s of pre-training, 536 s")
    table = page.cost(material.of_runs(settings, "tiny")).tasks.rows
    assert [[getattr(cell, "text", cell) for cell in row] for row in table] == [
        ["knn", "1", "535"], ["finetune", "1", "2"],
    ]  # fmt: skip


def test_the_page_shows_what_accuracy_took_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The panel that the tables have, for whoever asks whether a method is worth its hours."""
    monkeypatch.chdir(tmp_path)
    settings = params({**GRID, "seeds": [0], "streams": ["joint"], "fuse": None, "tasks": ["knn"]})
    write_run(settings.runs("tiny")[0])
    for cell in settings.cells("tiny"):
        write_both_states(cell, 60.0)
    section = page.cost(material.of_runs(settings, "tiny"))
    assert [len(chart.points) for chart in section.charts] == [1]
    assert section.charts[0].title in document.page("tiny", [section])
