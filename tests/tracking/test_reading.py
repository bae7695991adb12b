"""Tables from the store are the tables from the files."""

import shutil
from pathlib import Path

import pytest
from report.fabricated import (
    FLOOR,
    GRID,
    params,
    run_id,
    write_all,
    write_both_states,
    write_cell,
    write_no_sense,
    write_without,
)

from pstl import paths
from pstl.config import Cell
from pstl.errors import UserError
from pstl.report.build import build
from pstl.report.rows import from_files
from pstl.tracking import names
from pstl.tracking.importing import import_runs
from pstl.tracking.reading import results_from_mlflow
from tracking.conftest import ONE_RUN, SMALL, imported, mlflow, stored


def test_tables_from_the_store_are_the_tables_from_the_files(uri: str) -> None:
    """What a team sees in MLflow and what is printed must be one and the same, cell by cell, holes
    included.
    """
    settings = params(
        GRID, FLOOR, {**GRID, "methods": ["psp"], "seeds": [0]}
    )  # which has one stream of the three
    write_all(settings)
    Path(paths.metrics(Cell(settings.runs("tiny")[1], "released", "knn"))).unlink()
    write_without(settings.cells("tiny")[0], "joints=3;by=deletion", "takes every joint")
    for cell in settings.cells("tiny"):
        if cell.run.method == "raw" or cell.fused:
            write_no_sense(cell, "no weights to fine-tune")
    imported(settings, uri)
    files, store = from_files(settings, "tiny"), results_from_mlflow(settings, "tiny", uri)
    assert any(row["value"] is None for row in files.rows)
    assert store.rows == files.rows
    build(settings, "tiny", "from_files")
    shutil.rmtree("results")
    build(settings, "tiny", "from_mlflow", source="mlflow", uri=uri)
    for name in (
        "rows.csv",
        "comparison.csv",
        "comparison.md",
        "summary.json",
        "curves.png",
        "accuracy.png",
        "settings.png",
        "labels.png",
        "moved.png",
        "cost.png",
    ):
        assert Path("from_files", name).read_bytes() == Path("from_mlflow", name).read_bytes(), name


def test_the_released_state_of_a_training_comes_back_from_the_store(uri: str) -> None:
    """Rows that came with a cell of the other state must stand in the tables, once."""
    grid = {**SMALL, "streams": ["joint"], "tasks": ["finetune"], "fuse": None}
    for norms in (["recalibrated"], ["released", "recalibrated"]):
        settings = params({**grid, "batch_norm": norms})
        for cell in settings.cells("tiny"):
            if cell.batch_norm == "released":
                write_cell(cell, {"top1": 50.0, "top1_best": 51.0})
            else:
                write_both_states(cell, 60.0)
        import_runs(settings, "tiny", "receipt.json", uri)
        rows = results_from_mlflow(settings, "tiny", uri).rows
        assert rows == from_files(settings, "tiny").rows
        assert len(rows) == 8


def test_a_score_that_is_not_the_one_of_its_table_is_refused(uri: str) -> None:
    """The tables must show what MLflow shows, or somebody prints a number that nobody measured."""
    settings = params(ONE_RUN)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    mlflow.MlflowClient(tracking_uri=uri).log_metric(name, "knn", 12.5, step=100)
    with pytest.raises(UserError, match=r"knn is 12\.5, its table says 40\.0; run .*pstl track"):
        results_from_mlflow(settings, "tiny", uri)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999"])
def test_a_stored_number_that_is_not_finite_gives_no_table(uri: str, number: str) -> None:
    """A mean over seeds that takes it in is no number either."""
    settings = params(ONE_RUN)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    table = Path(stored(uri)[name].info.artifact_uri, names.SCORES)
    text = table.read_text()
    assert "40.0" in text
    table.write_text(text.replace("40.0", number))
    with pytest.raises(UserError, match=r"finite number.*import its suite again"):
        results_from_mlflow(settings, "tiny", uri)


def test_a_store_of_an_earlier_version_is_named_and_then_replaced(uri: str) -> None:
    """Its runs have other names and places: half of a table would be worse than none, and two of
    each run worse still.
    """
    settings = params(ONE_RUN)
    write_all(settings)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("ntu60", artifact_location="mlruns/ntu60")
    run = settings.runs("tiny")[0]
    tags = {"pstl.suite": "tiny", "pstl.run": str(run), "pstl.run_id": run_id(run)}
    tags |= {"pstl.current": "yes", "pstl.digest": "of what it was"}
    earlier = client.create_run(experiment, tags=tags).info.run_id
    client.create_run(experiment, tags={"mlflow.parentRunId": earlier})
    with pytest.raises(UserError, match=r"in the form of another version.*pstl track --suite tiny"):
        results_from_mlflow(settings, "tiny", uri)
    (name,) = imported(settings, uri).values()
    assert list(stored(uri)) == [name]
    assert results_from_mlflow(settings, "tiny", uri).rows == from_files(settings, "tiny").rows
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"


def test_reading_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for tables from a store that is not there is a mistake to report, not a reason to
    create one.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no such store.*pstl track"):
        results_from_mlflow(params(), "tiny", "sqlite:///mlflow.db")
    assert not Path("mlflow.db").exists()


def test_a_store_without_this_suite_is_reported(uri: str) -> None:
    """An empty table from an empty store would look like a suite that failed."""
    with pytest.raises(UserError, match=r"no run of suite 'tiny'.*pstl track"):
        results_from_mlflow(params(), "tiny", uri)
