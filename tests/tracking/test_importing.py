"""What was imported is there once, whole, and says where it comes from."""

from pathlib import Path

import pytest
from report.fabricated import FLOOR, params, run_id, write_all, write_cell, write_run

from pstl.report.rows import from_files
from pstl.tracking import on_disk
from pstl.tracking.reading import results_from_mlflow
from tracking.conftest import ONE_RUN, SMALL, active, everything, imported, mlflow, stored


def test_importing_twice_changes_nothing(uri: str) -> None:
    """The import runs after every suite.

    A second copy of each run would double every count and mean.
    """
    settings = params(SMALL, FLOOR)
    write_all(settings)
    first, before, receipt = (
        imported(settings, uri),
        everything(uri),
        Path("receipt.json").read_bytes(),
    )
    assert len(before) == len({str(cell.run) for cell in settings.cells("tiny")})
    assert imported(settings, uri) == first
    assert everything(uri) == before
    assert Path("receipt.json").read_bytes() == receipt


def test_changed_content_takes_the_place_of_the_old(uri: str) -> None:
    """A task run again must not leave its old accuracy in the store beside the new one.

    Other runs stay as they are.
    """
    settings = params(SMALL)
    write_all(settings)
    first = imported(settings, uri)
    cell = settings.cells("tiny")[0]
    write_cell(cell, {"top1": 77.25, "top5": 90.0, "top1_best": 80.0})
    second = imported(settings, uri)
    changed = run_id(cell.run)
    assert {name for name in first if first[name] != second[name]} == {changed}
    assert set(stored(uri)) == set(second.values())
    assert stored(uri)[second[changed]].data.metrics["linear"] == 77.25
    assert results_from_mlflow(settings, "tiny", uri).rows == from_files(settings, "tiny").rows


def test_earlier_settings_stay_as_history_but_not_in_tables(uri: str) -> None:
    """New settings are a new run.

    Going back to the old ones must bring the old numbers back, not the latest.
    """
    settings = params(ONE_RUN)
    cell = settings.cells("tiny")[0]
    for version, value in ((0, 61.0), (1, 62.0), (0, 61.0)):
        write_run(cell.run, version=version)
        write_cell(cell, {"top1": value}, version=version)
        imported(settings, uri)
        assert [row["value"] for row in results_from_mlflow(settings, "tiny", uri).rows] == [value]
    assert len(stored(uri)) == 2


def test_an_interrupted_import_is_repaired(uri: str) -> None:
    """A run that was half stored when the import was killed must be replaced, not taken for
    complete.
    """
    settings = params(SMALL)
    write_all(settings)
    first = imported(settings, uri)
    victim = run_id(settings.runs("tiny")[0])
    client = mlflow.MlflowClient(tracking_uri=uri)
    client.delete_tag(first[victim], "pstl.digest")
    second = imported(settings, uri)
    assert first[victim] != second[victim]
    assert set(stored(uri)) == set(second.values())


def test_a_run_carries_its_provenance_settings_curves_and_files(uri: str) -> None:
    """A number without commit, data and settings cannot be repeated by who finds it in MLflow."""
    settings = params(SMALL)
    write_all(settings)
    ids = imported(settings, uri)
    run = settings.runs("tiny")[0]
    found = stored(uri)[ids[run_id(run)]]
    tags = {
        "git": "0123456789ab",
        "data_checksum": "c" * 64,
        "device": "cpu",
        "settings_digest": "d" * 16,
        "run": str(run),
        "suite": "tiny",
    }
    assert {key: found.data.tags[f"pstl.{key}"] for key in tags} == tags
    assert found.data.params == {
        "split": "xsub", "method": "pstl", "stream": "joint", "seed": "0", "epochs": "3",
        "lr": "0.005",
    }  # fmt: skip
    client = mlflow.MlflowClient(tracking_uri=uri)
    assert [
        (m.step, m.value) for m in client.get_metric_history(found.info.run_id, "train/loss")
    ] == [(0, 9.5), (1, 4.75), (2, 9.5 / 3)]
    place = Path(found.info.artifact_uri)
    assert not place.is_absolute()  # from the folder of the database, which may be moved
    names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert names == {
        "run.json",
        "curve.jsonl",
        "encoder.pt",
        "scores.json",
        "recalibrated/linear.json",
        "recalibrated/knn.json",
    }
    assert place.is_relative_to("mlruns/tiny/ntu60")


def test_fused_scores_are_runs_too(uri: str) -> None:
    """The three-stream number is the one papers print.

    It has no encoder, so its identity comes from its rows.
    """
    settings = params(SMALL)
    write_all(settings)
    ids = imported(settings, uri)
    fused = [run for run in stored(uri).values() if run.data.params["stream"] == "fused"]
    assert len(fused) == 2
    assert {run.info.run_id for run in fused} == {ids[name] for name in ids if name.count("+") == 2}
    assert all("linear" in run.data.metrics for run in fused)


def test_every_task_is_a_run_beside_its_run(uri: str) -> None:
    """To put linear probes of two methods side by side one needs them as runs.

    A changed run must not leave old children behind.
    """
    settings = params(SMALL)
    write_all(settings)
    imported(settings, uri)
    for version in (0, 1):
        parents = stored(uri)
        children = [run for run in active(uri) if run.info.run_id not in parents]
        cells = settings.cells("tiny")
        assert sorted(
            (c.data.tags["pstl.of"], c.data.tags["pstl.task"]) for c in children
        ) == sorted((str(cell.run), f"{cell.batch_norm}/{cell.name}") for cell in cells)
        for child in children:
            parent = parents[child.data.tags["mlflow.parentRunId"]]
            assert child.data.metrics["top1"] == parent.data.metrics[child.data.params["task"]]
            assert child.info.experiment_id != parent.info.experiment_id
        if not version:
            write_cell(settings.cells("tiny")[0], {"top1": 1.25, "top5": 2.5, "top1_best": 3.0})
            imported(settings, uri)


def test_a_long_curve_is_complete(uri: str) -> None:
    """MLflow takes 1000 numbers a call; a paper-length run has more."""
    settings = params(ONE_RUN)
    run = settings.runs("tiny")[0]
    write_run(run, epochs=450)  # times four numbers
    (name,) = imported(settings, uri).values()
    history = mlflow.MlflowClient(tracking_uri=uri).get_metric_history(name, "train/loss")
    assert [m.step for m in history] == list(range(450))
    assert history[-1].value == 9.5 / 450


def test_the_machine_is_on_its_own_page(uri: str) -> None:
    """MLflow draws what begins with system/ apart from losses.

    Who looks for a slow disk or a full memory looks there.
    """
    settings = params(ONE_RUN)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = {key for key in client.get_run(name).data.metrics if key.startswith("system/")}
    assert found == {
        "system/epoch_seconds",
        "system/peak_mb",
        "system/cpu_percent",
        "system/clips_per_second",
    }
    assert [m.value for m in client.get_metric_history(name, "system/cpu_percent")] == [98.0] * 3


def test_big_encoders_stay_on_disk(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team server must not fill up with weights that nobody asked it to keep."""
    monkeypatch.setattr(on_disk, "LARGEST_ENCODER", 3)
    settings = params(FLOOR)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    assert not list(Path(stored(uri)[name].info.artifact_uri).glob("encoder.pt"))
