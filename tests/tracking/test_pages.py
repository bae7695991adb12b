"""What a stranger sees in MLflow: few scores to compare, true times, nothing of another suite."""

import json
from datetime import datetime
from pathlib import Path

from report.fabricated import params, write_all

from pstl import paths
from pstl.tracking import experiments
from pstl.tracking.importing import import_runs
from pstl.tracking.ui import command, tables
from tracking.conftest import ONE_RUN, SMALL, active, imported, mlflow, stored


def test_scores_are_single_values_with_short_names_beside_curves(uri: str) -> None:
    """MLflow draws what has a later step as a line: accuracies stood as dots at steps 0 and 150,
    under 75 heads that began alike.
    """
    settings = params({**SMALL, "batch_norm": ["released", "recalibrated"]})
    write_all(settings)
    ids = imported(settings, uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    run = next(run for run in stored(uri).values() if run.data.params["stream"] == "joint")
    finals = {metric for metric in run.data.metrics if not metric.startswith(("train/", "system/"))}
    assert finals == {
        "linear", "knn", "cost/training_seconds", "cost/task_seconds", "cost/peak_mb",
    }  # fmt: skip
    for metric in finals:
        assert [m.step for m in client.get_metric_history(run.info.run_id, metric)] == [0]
    assert run.info.run_id in ids.values()
    tasks = [one for one in active(uri) if one.data.tags.get("pstl.task", "").endswith("linear")]
    # A fused score has no epochs.
    trained = [one for one in tasks if one.data.params["stream"] == "joint"]
    assert trained
    for task in trained:
        assert {"top1", "top5", "top1_best", "epochs/top1"} <= task.data.metrics.keys()


def test_a_run_lasts_as_long_as_its_training(uri: str) -> None:
    """Its start was that of the import, its duration that of writing to the database."""
    settings = params({**ONE_RUN, "tasks": ["linear"]})
    write_all(settings)
    run = settings.runs("tiny")[0]
    home, began = Path(paths.run(run)), datetime(2026, 3, 1).timestamp()
    curve = [json.loads(line) for line in (home / "curve.jsonl").read_text().splitlines()]
    for number, epoch in enumerate(curve):
        epoch |= {"seconds": 4.0, "ended": began + 10 * number + 4}  # a pause of 6 s after each
    (home / "curve.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in curve))
    record = json.loads((home / "run.json").read_text()) | {"ended": began + 26}
    (home / "run.json").write_text(json.dumps(record))
    (cell,) = settings.cells("tiny")
    rows = json.loads(Path(paths.metrics(cell)).read_text()) | {"ended": began + 100}
    Path(paths.metrics(cell)).write_text(json.dumps(rows))
    (name,) = imported(settings, uri).values()
    info, client = stored(uri)[name].info, mlflow.MlflowClient(tracking_uri=uri)
    assert (info.start_time / 1000, info.end_time / 1000) == (began, began + 26)
    history = client.get_metric_history(name, "train/loss")
    assert [metric.timestamp / 1000 - began for metric in history] == [4, 14, 24]
    (task,) = [one.info for one in active(uri) if one.info.run_id != name]
    assert (task.start_time / 1000, task.end_time / 1000) == (began + 98.5, began + 100)
    dates = {one.data.tags["pstl.dates"] for one in active(uri)}
    assert dates == {"recorded while it ran"}


def test_what_has_no_dates_gets_those_of_its_files_and_says_so(uri: str) -> None:
    """Results of earlier versions do not say when they were made."""
    settings = params(ONE_RUN)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    run = stored(uri)[name]
    assert run.data.tags["pstl.dates"] == "dates of its files"
    assert run.info.end_time - run.info.start_time == 12250


def test_two_suites_never_share_an_experiment(uri: str) -> None:
    """Runs of both had equal names in one table, which nobody could tell apart."""
    for suite in ("tiny", "other"):
        settings = params(ONE_RUN, suite=suite)
        write_all(settings, suite)
        import_runs(settings, suite, None, uri)
    names = {one.name for one in mlflow.MlflowClient(tracking_uri=uri).search_experiments()}
    assert names == {
        "Default", "tiny: ntu60", "tiny: ntu60, tasks", "other: ntu60", "other: ntu60, tasks",
    }  # fmt: skip


def test_the_pages_open_at_a_table_of_scores(uri: str) -> None:
    """They opened at an assistant for language models, with no score in sight."""
    settings = params(SMALL)
    write_all(settings)
    imported(settings, uri)
    ((title, address),) = tables(settings, "tiny", "http://127.0.0.1:5000", uri)
    assert title == "tiny: ntu60"
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(title)
    page = f"http://127.0.0.1:5000/#/experiments/{experiment.experiment_id}/runs"
    assert address == f"{page}?workflowType=machine_learning&viewStateShareKey=scores"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "`knn`: Top-1 accuracy" in experiment.tags["mlflow.note.content"]
    view = json.loads(experiment.tags["mlflow.sharedViewState.scores"])
    state = json.loads(view["state"])
    assert state["selectedColumns"][-2:] == ["metrics.`linear`", "metrics.`knn`"]
    assert client.search_runs([experiment.experiment_id], state["searchFilter"])
    assert "sqlite:///mlflow.db" in command(Path(uri.removeprefix("sqlite:///")), 5000)


def test_a_view_of_many_scores_fits_into_a_tag() -> None:
    """MLflow refuses tags of more than 5,000 characters, and with them the import."""
    scores = [f"lost_joints_joints_{number}_by_deletion_frames_0.5" for number in range(300)]
    assert len(experiments.view(scores)) < 5000
