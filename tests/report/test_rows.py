import json
from pathlib import Path

import pytest
from fabricated import (
    GRID,
    params,
    write_all,
    write_both_states,
    write_cell,
    write_run,
    write_without,
)  # fmt: skip

from pstl import paths
from pstl.errors import UserError
from pstl.report import facts
from pstl.report.joined import Joined
from pstl.report.rows import from_files, read_cell


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_run_is_a_table_of_missing_cells() -> None:
    """Before the first job the table already says what will be in it."""
    settings = params()
    results = from_files(settings, "tiny")
    assert len(results.rows) == len(settings.cells("tiny"))
    assert {row["value"] for row in results.rows} == {None}
    assert (results.runs, results.curves) == ({}, {})


def test_a_missing_cell_is_missing_from_every_metric() -> None:
    """If one of three seeds is absent, top1 and top1_best both have to say so."""
    settings = params()
    write_all(settings)
    cell = next(c for c in settings.cells("tiny") if c.task == "linear" and c.run.seed == 1)
    Path(paths.metrics(cell)).unlink()
    missing = [row for row in from_files(settings, "tiny").rows if row["value"] is None]
    assert [row["metric"] for row in missing] == ["top1", "top5", "top1_best"]
    assert {(row["seed"], row["batch_norm"], row["task"], row["stream"]) for row in missing} == {
        (1, cell.batch_norm, "linear", cell.run.stream)
    }


def test_rows_come_in_the_order_of_the_grid() -> None:
    """The order of params.yaml is the order people read; it must not depend on the file system."""
    settings = params()
    write_all(settings)
    rows = from_files(settings, "tiny").rows
    seen = list(
        dict.fromkeys(
            (r["method"], r["batch_norm"], r["seed"], r["task"], r["stream"]) for r in rows
        )
    )
    assert seen == [
        (c.run.method, c.batch_norm, c.run.seed, c.task, c.run.stream)
        for c in settings.cells("tiny")
    ]


def test_a_setting_and_a_stream_that_make_no_sense_say_why() -> None:
    """A hole that looks like all others is taken for work that was not done."""
    settings = params(
        {**GRID, "methods": ["pstl", "psp"], "seeds": [0], "batch_norm": ["released"]}
    )
    write_all(settings)
    write_without(settings.cells("tiny")[0], "joints=3", "takes every joint")
    rows = [row for row in from_files(settings, "tiny").rows if row["value"] is None]
    reasons = {
        (row["method"], row["stream"], row["task"], row["setting"], row["metric"]): row["reason"]
        for row in rows
    }
    without = "PSP learns from joint and motion together"
    found = {key[:2] for key, reason in reasons.items() if without in reason}
    assert found == {("psp", "bone"), ("psp", "motion"), ("psp", "fused")}
    mine = {key: reason for key, reason in reasons.items() if key[0] == "pstl"}
    assert mine == {
        ("pstl", "joint", "linear", "joints=3", m): "n/a: takes every joint"
        for m in ("top1", "top5", "top1_best")
    }


TUNED = {**GRID, "streams": ["joint"], "seeds": [0, 1], "tasks": ["finetune"], "fuse": None}


def test_the_released_state_of_a_training_is_in_the_tables() -> None:
    """A suite of recalibrated cells has its like-for-like number with them, absent seeds, too."""
    settings = params({**TUNED, "batch_norm": ["recalibrated"]})
    first, _ = settings.cells("tiny")
    write_both_states(first, 60.0)
    results = from_files(settings, "tiny")
    values = {(r["batch_norm"], r["seed"], r["metric"]): r["value"] for r in results.rows}
    assert values == {
        ("recalibrated", 0, "top1"): 60.0, ("recalibrated", 0, "top1_best"): 62.0,
        ("released", 0, "top1"): 59.5, ("released", 0, "top1_best"): 61.5,
        ("recalibrated", 1, "top1"): None, ("recalibrated", 1, "top1_best"): None,
        ("released", 1, "top1"): None, ("released", 1, "top1_best"): None,
    }  # fmt: skip
    shown = facts.facts(Joined(settings, "tiny", results, [], []))
    assert shown["cells"].startswith("1 of 2 evaluated")
    assert "2 s of tasks" in shown["wall time"]


def test_whose_weights_and_which_corpus_stand_above_the_tables() -> None:
    """Who compares encoders must see which of them have seen other clips."""
    settings = params({**GRID, "streams": ["joint"], "seeds": [0, 1], "fuse": None})
    cells = settings.cells("tiny")
    for cell in cells:
        write_cell(cell, {"top1": 60.0})
        write_run(cell.run)
    empty = facts.facts(Joined(settings, "tiny", from_files(settings, "tiny"), [], []))
    for cell in cells:
        write_cell(cell, {"top1": 60.0}, weights="theirs.pt sha256:0123")
        file = Path(paths.run(cell.run), "run.json")
        sides = {"a/x": {"clips": 3, "checksum": ""}, "b/y": {"clips": 4, "checksum": ""}}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"corpus": sides}))
    shown = facts.facts(Joined(settings, "tiny", from_files(settings, "tiny"), [], []))
    run = cells[0].run
    assert {key: text for key, text in shown.items() if key not in empty} == {
        "trained on several data sets": (
            f"{run.method} of {run.dataset}/{run.split}: a/x 3 + b/y 4 clips"
        ),
        "trained by others": f"{run.method}: theirs.pt sha256:0123",
    }


def test_a_state_with_a_cell_of_its_own_is_read_there() -> None:
    """Where a suite asks for both variants, each number must stand once."""
    settings = params({**TUNED, "batch_norm": ["released", "recalibrated"]})
    for cell in settings.cells("tiny"):
        if cell.batch_norm == "released":
            write_cell(cell, {"top1": 50.0 + cell.run.seed, "top1_best": 51.0})
        else:
            write_both_states(cell, 60.0)
    rows = from_files(settings, "tiny").rows
    assert len(rows) == 8
    released = {(r["seed"], r["metric"]): r["value"] for r in rows if r["batch_norm"] == "released"}
    best = {(0, "top1_best"): 51.0, (1, "top1_best"): 51.0}
    assert released == {(0, "top1"): 50.0, (1, "top1"): 51.0} | best


def test_a_recalibrated_row_in_a_released_cell_is_refused() -> None:
    """Only the papers' state comes with another cell; the other would be the headline."""
    settings = params({**TUNED, "batch_norm": ["released"]})
    write_cell(settings.cells("tiny")[0], {"top1": 60.0}, batch_norm="recalibrated")
    with pytest.raises(UserError, match=r"recalibrated.*expected.*released"):
        from_files(settings, "tiny")


def test_a_file_of_another_run_is_refused() -> None:
    """A metrics file copied to the wrong folder would give a method somebody else's accuracy."""
    settings = params()
    first = settings.cells("tiny")[0]
    write_cell(first, {"top1": 60.0}, method="supervised")
    with pytest.raises(UserError, match=r"supervised.*expected.*pstl"):
        from_files(settings, "tiny")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_value_that_is_no_number_is_refused(value: float | None) -> None:
    """NaN in a mean makes the whole line NaN without a word."""
    settings = params()
    write_cell(settings.cells("tiny")[0], {"top1": value})  # type: ignore[dict-item]
    with pytest.raises(UserError, match="expected a finite number"):
        from_files(settings, "tiny")


@pytest.mark.parametrize("text", ["{", '{"rows": []}', json.dumps({"rows": [{"value": 1.0}]})])
def test_a_broken_file_is_named(text: str) -> None:
    """Half a file or a file of another schema has to be named, not skipped."""
    settings = params()
    path = write_cell(settings.cells("tiny")[0], {"top1": 60.0})
    path.write_text(text)
    with pytest.raises(UserError, match=path.name):
        from_files(settings, "tiny")


def test_a_broken_curve_is_named() -> None:
    """A curve is drawn from a file that a killed job may have left."""
    settings = params()
    write_all(settings)
    path = Path(paths.run(settings.runs("tiny")[0])) / "curve.jsonl"
    path.write_text('{"epoch": 0\n')
    with pytest.raises(UserError, match=r"curve\.jsonl"):
        from_files(settings, "tiny")


def test_rows_of_an_earlier_version_are_read() -> None:
    """Results of weeks must not have to be made again because a column was added."""
    settings = params()
    write_all(settings)
    first = settings.cells("tiny")[0]
    path = Path(paths.metrics(first))
    content = json.loads(path.read_text())
    for row in content["rows"]:
        del row["precision"], row["labelled"], row["weights"]
    path.write_text(json.dumps(content))
    rows = read_cell(first)
    assert isinstance(rows, list)
    assert {(row["precision"], row["labelled"]) for row in rows} == {("", "")}
