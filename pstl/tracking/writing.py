"""One run of the grid stored in MLflow with its scores, and each of its tasks as a run of its own.

Scores are single values at step 0, which MLflow draws as bars; curves have the epoch as their step
and the time at which it ended. Runs begin, end and last as what they are about did.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pstl import paths
from pstl.report.costs import run_seconds
from pstl.tracking import artifacts, names
from pstl.tracking.names import allowed, flat
from pstl.tracking.on_disk import Point, Span, TrackedRun, TrackedTask

METRICS_A_CALL = 1000  # as many as MLflow takes
TAGS_A_CALL = 100
# In front of a setting's name where it says nothing to who compares.
PREFIXES = ("train.", "settings.")


class Target(NamedTuple):
    """Where a run is stored.   runs, tasks: ids of experiments."""

    client: Any
    address: str
    runs: str
    tasks: str


def store_run(target: Target, tracked: TrackedRun) -> str:
    """Store one run. Returns: MLflow's id of it.

    The digest is written last: a run without one was interrupted, and the next import replaces it.
    """
    client, run = target.client, tracked.run
    name = f"{run.split}/{run.method}/{run.stream}/s{run.seed}"
    tags = {names.SUITE: run.suite, names.RUN_ID: tracked.run_id}
    start = _ms(tracked.span.start)
    created = client.create_run(target.runs, start_time=start, run_name=name, tags=tags)
    mlflow_id: str = created.info.run_id
    _log_metrics(client, mlflow_id, _metrics(tracked.span, tracked.history, _finals(tracked)))
    _log_texts(client, mlflow_id, _params(tracked, tracked.record.get("settings", {})), tracked)
    for task in tracked.tasks:
        _store_task(target, mlflow_id, name, tracked, task)
    folder = Path(paths.run(run))
    for file in tracked.files:
        place = file.relative_to(folder).as_posix()
        artifacts.put(client, target.address, created, file, place)
    artifacts.put_text(
        client, target.address, created, names.table_text(tracked.table), names.SCORES
    )
    client.set_terminated(mlflow_id, "FINISHED", end_time=_ms(tracked.span.end))
    client.set_tag(mlflow_id, names.DIGEST, tracked.digest)
    return mlflow_id


def log_now(client: Any, mlflow_id: str, points: Iterable[Point]) -> None:
    """Add values of curves to a stored run, as of now."""
    from mlflow.entities import Metric

    now = _ms(time.time())
    metrics = [Metric(point.key, point.value, now, point.step) for point in points]
    _log_metrics(client, mlflow_id, metrics)


def _finals(tracked: TrackedRun) -> dict[str, float]:
    """Scores of a run, and what it cost."""
    finals = dict(tracked.scores)
    if tracked.record:
        finals["cost/training_seconds"] = run_seconds(tracked.record)
        finals["cost/peak_mb"] = float(tracked.record.get("peak_mb", 0))
    finals["cost/task_seconds"] = sum(float(task.rows[0]["seconds"]) for task in tracked.tasks)
    return finals


def _store_task(
    target: Target, parent: str, name: str, tracked: TrackedRun, task: TrackedTask
) -> None:
    """Store one task: its numbers under their own names, so that tasks of runs stand side by side.

    All its settings are in the table of its run.
    """
    client = target.client
    batch_norm, _, cell = task.name.partition("/")
    tags = {
        "mlflow.parentRunId": parent,
        names.TASK: task.name,
        names.PARENT: str(tracked.run),
        names.DATES: names.RECORDED if task.span.recorded else names.OF_FILES,
    }
    title = f"{name}/{cell}" + ("" if batch_norm == "recalibrated" else f" ({batch_norm})")
    start = _ms(task.span.start)
    created = client.create_run(target.tasks, start_time=start, run_name=title, tags=tags)
    child: str = created.info.run_id
    finals = {allowed(row["metric"]): row["value"] for row in task.rows if row["value"] is not None}
    finals["cost/seconds"] = float(task.rows[0]["seconds"])
    _log_metrics(client, child, _metrics(task.span, task.history, finals))
    first = {"task": cell, "batch_norm": batch_norm, "setting": task.rows[0]["setting"]}
    _log_params(client, child, {**first, **_params(tracked, task.settings)})
    client.set_terminated(child, "FINISHED", end_time=_ms(task.span.end))


def _params(tracked: TrackedRun, settings: dict[str, Any]) -> dict[str, str]:
    """Which run it is, and the settings that are set, by short names.

    Those that are 0 or no are left out; run.json has all of them.
    """
    run = tracked.run
    params = {"split": run.split, "method": run.method, "stream": run.stream}
    params["seed"] = str(run.seed)
    if run.labels is not None:
        params["labels"] = f"{run.labels:g}"
    for key, value in flat(settings).items():
        short = key.removesuffix(".name")
        for prefix in PREFIXES:
            short = short.removeprefix(prefix)
        if value not in ("0", "0.0"):
            params.setdefault(short, value)
    return params


def _metrics(span: Span, history: list[Point], finals: dict[str, float]) -> list[Any]:
    from mlflow.entities import Metric

    metrics = [Metric(key, value, _ms(span.end), 0) for key, value in finals.items()]
    for point in history:
        when = _ms(span.start + point.seconds)
        metrics.append(Metric(point.key, point.value, when, point.step))
    return metrics


def _ms(seconds: float) -> int:
    return int(1000 * seconds)


def _tags(tracked: TrackedRun) -> dict[str, str]:
    """Where a run's numbers come from: its record says so or, of fused scores, its rows."""
    row = tracked.table[0] if tracked.table else {}
    keys = ("git", "data_checksum", "device", "settings_digest", "precision")
    facts = {key: str(tracked.record.get(key, row.get(key, ""))) for key in keys}
    return {
        **{f"pstl.{key}": fact for key, fact in facts.items()},
        names.RUN: str(tracked.run),
        names.FORM: names.LAYOUT,
        names.DATES: names.RECORDED if tracked.span.recorded else names.OF_FILES,
        "mlflow.source.git.commit": facts["git"],
        "mlflow.loggedArtifacts": names.TABLES,
    }


def _log_texts(client: Any, mlflow_id: str, params: dict[str, str], tracked: TrackedRun) -> None:
    from mlflow.entities import RunTag

    _log_params(client, mlflow_id, params)
    tags = [RunTag(key, value) for key, value in _tags(tracked).items()]
    client.log_batch(mlflow_id, tags=tags)


def _log_params(client: Any, mlflow_id: str, params: dict[str, str]) -> None:
    from mlflow.entities import Param

    every = [Param(allowed(key), value) for key, value in params.items()]
    for first in range(0, len(every), TAGS_A_CALL):
        client.log_batch(mlflow_id, params=every[first : first + TAGS_A_CALL])


def _log_metrics(client: Any, mlflow_id: str, metrics: list[Any]) -> None:
    for first in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(mlflow_id, metrics=metrics[first : first + METRICS_A_CALL])
