"""One run of the grid stored in MLflow: a parent with its rows, a child for each of its tasks."""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pstl import paths
from pstl.report.rows import Row
from pstl.tracking import names
from pstl.tracking.names import allowed, flat, keyed
from pstl.tracking.on_disk import Point, TrackedRun, TrackedTask

# What a parent keeps of run.json.
RECORD = (
    "run", "run_id", "git", "data_checksum", "settings_digest",
    "device", "seconds", "peak_mb", "versions", "machine", "precision",
)  # fmt: skip
METRICS_A_CALL = 1000  # as many as MLflow takes
TAGS_A_CALL = 100


def store_run(client: Any, experiment: str, tracked: TrackedRun) -> str:
    """Store one run. Returns: MLflow's id of the parent.

    The digest is written last: a run without one was interrupted, and the next import replaces it.
    """
    start, run = int(time.time() * 1000), tracked.run
    name = f"{run.split}/{run.method}/{run.stream}/s{run.seed}"
    tags = {names.SUITE: run.suite, names.RUN_ID: tracked.run_id}
    created = client.create_run(experiment, start_time=start, run_name=name, tags=tags)
    mlflow_id: str = created.info.run_id
    settings = {
        **run.model_dump(exclude={"suite"}),
        **tracked.record.get("settings", {}),
        "recipe": tracked.record.get("recipe", ""),
    }
    metrics = _metrics(start, tracked.history, tracked.rows)
    metrics += _system(start, tracked.history, tracked.record, ("seconds", "peak_mb"))
    _log_metrics(client, mlflow_id, metrics)
    _log_texts(client, mlflow_id, settings, _tags(tracked))
    for task in tracked.tasks:
        _store_task(client, experiment, mlflow_id, name, tracked, task)
    folder = Path(paths.run(run))
    for file in tracked.files:
        place = file.relative_to(folder).parent.as_posix()
        client.log_artifact(mlflow_id, str(file), None if place == "." else place)
    client.set_terminated(mlflow_id, "FINISHED")
    client.set_tag(mlflow_id, names.DIGEST, tracked.digest)
    return mlflow_id


def log_now(client: Any, mlflow_id: str, points: Iterable[Point]) -> None:
    """Add values of curves to a stored run, as of now."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(point.key, point.value, now, point.step) for point in points]
    _log_metrics(client, mlflow_id, metrics)


def _store_task(
    client: Any, experiment: str, parent: str, name: str, tracked: TrackedRun, task: TrackedTask
) -> None:
    """Store one task as a child: its numbers under their own names.

    So tasks of different runs can be put side by side.
    """
    start = int(time.time() * 1000)
    facts = _facts(tracked)
    tags = {
        "mlflow.parentRunId": parent,
        names.TASK: task.name,
        names.PARENT: str(tracked.run),
        **{f"pstl.{key}": value for key, value in facts.items()},
    }
    title = f"{name}/{task.name}"
    created = client.create_run(experiment, start_time=start, run_name=title, tags=tags)
    child: str = created.info.run_id
    batch_norm, _, cell = task.name.partition(".")
    prefix = f"{allowed(task.name)}."
    rows = {key.removeprefix(prefix): row for key, row in keyed(cell, task.rows).items()}
    settings = {
        **tracked.run.model_dump(exclude={"suite"}),
        "batch_norm": batch_norm,
        "task": {"name": cell, **task.settings},
    }
    metrics = _metrics(start, task.history, rows)
    metrics += _system(start, task.history, task.rows[0], ("seconds",))
    _log_metrics(client, child, metrics)
    _log_texts(client, child, settings, {names.SETTING: task.rows[0]["setting"]})
    client.set_terminated(child, "FINISHED")


def _metrics(start: int, history: list[Point], rows: dict[str, Row]) -> list[Any]:
    """Curves, and behind their last epoch the rows' values."""
    from mlflow.entities import Metric

    metrics = [
        Metric(point.key, point.value, start + int(1000 * point.seconds), point.step)
        for point in history
    ]
    for key, row in rows.items():
        if row["value"] is not None:
            metrics.append(Metric(key, row["value"], start, _after(history)))
    return metrics


def _system(
    start: int, history: list[Point], record: dict[str, Any], keys: Sequence[str]
) -> list[Any]:
    """What a run or task has taken of the machine, as far as its record says."""
    from mlflow.entities import Metric

    last = _after(history)
    return [
        Metric(f"system/{key}", float(record[key]), start, last) for key in keys if key in record
    ]


def _after(history: list[Point]) -> int:
    """The step behind all epochs."""
    return 1 + max((point.step for point in history), default=-1)


def _tags(tracked: TrackedRun) -> dict[str, str]:
    """Rows, reasons and facts of a parent."""
    tags = {}
    for place, (key, row) in enumerate(tracked.rows.items()):
        tags[f"{names.ROW}{key}"] = json.dumps({**row, "value": place})
    for task, reason in tracked.reasons.items():
        tags[names.reason_tag(task)] = reason
    facts = _facts(tracked)
    kept = {key: tracked.record[key] for key in RECORD if key in tracked.record}
    tags |= {f"pstl.{key}": value for key, value in facts.items()}
    tags[names.RUN] = str(tracked.run)
    tags[names.RECORD] = json.dumps(kept, sort_keys=True)
    tags["mlflow.source.git.commit"] = facts["git"]
    return tags


def _facts(tracked: TrackedRun) -> dict[str, str]:
    """Where a run's numbers come from: its record says so or, of fused scores, its rows."""
    row = next(iter(tracked.rows.values()), {})
    keys = ("git", "data_checksum", "device", "settings_digest", "precision")
    return {key: str(tracked.record.get(key, row.get(key, ""))) for key in keys}


def _log_metrics(client: Any, mlflow_id: str, metrics: list[Any]) -> None:
    for first in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(mlflow_id, metrics=metrics[first : first + METRICS_A_CALL])


def _log_texts(client: Any, mlflow_id: str, settings: dict[str, Any], tags: dict[str, str]) -> None:
    """Settings as MLflow's params, and tags."""
    from mlflow.entities import Param, RunTag

    params = [Param(allowed(key), value) for key, value in flat(settings).items()]
    run_tags = [RunTag(key, value) for key, value in tags.items()]
    for first in range(0, max(len(params), len(run_tags)), TAGS_A_CALL):
        part = slice(first, first + TAGS_A_CALL)
        client.log_batch(mlflow_id, params=params[part], tags=run_tags[part])
