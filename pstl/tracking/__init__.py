"""Tell MLflow every number of a suite, and read them back. Jobs write plain files; this is the one place that knows MLflow.

One importer, after all jobs: training neither needs a tracking library nor waits for a database. Imports into one local store take
turns, because a fresh database breaks when several processes create it at once. A run of the grid is a parent, each of its
tasks a child; the tables are read back from the parents alone.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pstl import paths
from pstl.config import Cell, Params, Run
from pstl.config import digest as short_hash
from pstl.errors import UserError
from pstl.files import checksum, write_json
from pstl.report import rows as report
from pstl.report.rows import Epochs, Results, Row
from pstl.tracking import store

LAYOUT = "4"  # of what is stored; a new number imports every run again
LARGEST_ENCODER = 32 * 2**20  # bytes; bigger encoders stay on disk only
RECORD = (
    "run",
    "run_id",
    "git",
    "data_checksum",
    "settings_digest",
    "device",
    "seconds",
    "peak_mb",
    "versions",
    "machine",
)  # of run.json, kept as a tag

OWN_CURVE = (
    "train",
    "curve",
)  # prefixes of a run's own training: a parent also shows the curves of its tasks
# Columns of such a curve about the machine: MLflow shows what begins with system/ on a page of its own.
MACHINE = {"seconds": "system/epoch_seconds"} | {
    name: f"system/{name}" for name in ("clips_per_second", "cpu_percent", "peak_mb")
}

log = logging.getLogger(__name__)


class Task(NamedTuple):
    """One task on one run: what its child shows. `settings` is the task's section of params.yaml."""

    name: str  # {batch norm}.{task}
    rows: list[Row]
    history: list[tuple[str, int, float, float]]
    settings: dict[str, Any]


Asked = set[tuple[Run, str, str]]  # run, batch norm and task of every cell of a suite


class Item(NamedTuple):
    """One run as it lies on disk. `digest` covers the contents of `files`."""

    run: Run
    run_id: str
    record: dict[str, Any]
    rows: dict[str, Row]  # by metric key
    reasons: dict[str, str]  # {batch norm}.{task} -> why it makes no sense for this run
    history: list[tuple[str, int, float, float]]  # (key, step, seconds since the start, value)
    tasks: list[Task]
    files: list[Path]
    digest: str


def import_runs(params: Params, suite: str, receipt: str | Path | None, uri: str = "") -> None:
    """Import every run of `suite` that has results, fused ones included, and write {run_id: MLflow's run id} to `receipt`, if given.

    A run that is there with the same content is left alone, one with other content takes its place; importing twice changes nothing.
    uri: the store; empty: params.tracking_uri, else MLFLOW_TRACKING_URI, else sqlite:///mlflow.db with artifacts under mlruns/.
    Raises: UserError if the store cannot be used or a results file cannot be read.
    """
    store.quiet_mlflow()  # before anything is read or written: it may not be installed
    items = list(_items(params, suite))
    with store.in_turn(store.address_of(params, uri)):
        client, address = store.connect(params, uri)
        with store.said(address):
            stored, imported = _import(client, address, suite, items)
    if imported or receipt:
        log.info(
            "suite %s: %d runs imported, %d were there already",
            suite,
            imported,
            len(items) - imported,
        )
    if receipt:
        write_json(receipt, {"suite": suite, "runs": stored})


def _import(client: Any, address: str, suite: str, items: list[Item]) -> tuple[dict[str, str], int]:
    """Bring the store up to date. Returns: MLflow's id by run id, and how many runs were new."""
    stored, known, imported = {}, _stored(client, suite), 0
    for item in items:
        same = [run for run in known if run.data.tags.get("pstl.run_id") == item.run_id]
        kept = next(
            (run.info.run_id for run in same if run.data.tags.get("pstl.digest") == item.digest),
            None,
        )
        stored[item.run_id] = kept or _log(
            client, store.experiment(client, item.run.dataset, address), item
        )
        imported += kept is None
        for run in same:
            if run.info.run_id != kept:
                _delete(client, run)
    _mark_current(client, suite, set(stored.values()))
    return stored, imported


def _delete(client: Any, run: Any) -> None:
    """One run and its children."""
    children = client.search_runs(
        [run.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{run.info.run_id}'",
        max_results=1000,
    )
    for one in [*children, run]:
        client.delete_run(one.info.run_id)


def results_from_mlflow(params: Params, suite: str, uri: str = "") -> Results:
    """The results of the last import of `suite`, rebuilt from the store alone; equal to report.rows.from_files at that time.

    Raises: UserError if the store holds no run of this suite.
    """
    client, address = store.connect(params, uri, create=False)
    runs = {
        run.data.tags["pstl.run"]: run
        for run in _stored(client, suite)
        if run.data.tags.get("pstl.current") == "yes"
    }
    if not runs:
        raise UserError(
            f"{store.shown(address)}: no run of suite {suite!r}; run 'python -m pstl track --suite {suite}' first"
        )
    cells, senseless = params.grid(suite), params.senseless(suite)
    asked = {cell[:3] for cell in cells}
    names = [name for name in dict.fromkeys(str(cell.run) for cell in cells) if name in runs]
    tables = {name: _stored_rows(runs[name], store.shown(address)) for name in names}
    records = {name: json.loads(runs[name].data.tags["pstl.record"]) for name in names}
    losses = {
        name: [
            {"epoch": m.step, "loss": m.value}
            for m in client.get_metric_history(runs[name].info.run_id, "train.loss")
        ]
        for name in names
    }

    def read(cell: Cell) -> list[Row] | str | None:
        if cell.run in senseless:
            return senseless[cell.run]
        of_task = [row for row in tables.get(str(cell.run), []) if row["task"] == cell.task]
        own = [row for row in of_task if report.belongs(row, cell, asked)]
        tags = runs[str(cell.run)].data.tags if str(cell.run) in runs else {}
        return own or tags.get(_reason_tag(f"{cell.batch_norm}.{cell.task}"))

    return Results(
        rows=report.collect(cells, read),
        runs={name: record for name, record in records.items() if record},
        curves={
            name: sorted(epochs, key=lambda e: e["epoch"])
            for name, epochs in losses.items()
            if epochs
        },
    )


def _items(params: Params, suite: str) -> Iterator[Item]:
    """What there is on disk for each run of the grid, in grid order; runs without any result are left out."""
    cells: dict[Run, list[Cell]] = {}
    for cell in params.cells(suite):
        cells.setdefault(cell.run, []).append(cell)
    asked = {cell[:3] for cell in params.grid(suite)}
    for run, own in cells.items():
        record = report.read_run(run) or {}
        tables = {f"{cell.batch_norm}.{cell.task}": _rows(cell, asked) for cell in own}
        rows = keyed([row for table in tables.values() if isinstance(table, list) for row in table])
        reasons = {name: table for name, table in tables.items() if isinstance(table, str)}
        if not record and not rows and not reasons:
            continue
        folder = Path(paths.run(run))
        names = [
            "run.json",
            "curve.jsonl",
            *(f"{cell.batch_norm}/{cell.task}.json" for cell in own),
        ]
        encoder = folder / "encoder.pt"
        if encoder.is_file() and encoder.stat().st_size <= LARGEST_ENCODER:
            names.append("encoder.pt")
        files = [folder / name for name in names if (folder / name).is_file()]
        contents = [
            LAYOUT,
            str(run),
            *(f"{file.relative_to(folder)} {checksum(file)}" for file in files),
        ]
        run_id = record.get("run_id") or next(
            (row["run_id"] for row in rows.values()), short_hash(str(run))
        )
        digest = hashlib.sha256("\n".join(contents).encode()).hexdigest()
        history, tasks = list(_history(run, own)), list(_tasks(params, own, asked))
        yield Item(run, run_id, record, rows, reasons, history, tasks, files, digest)


def _rows(cell: Cell, asked: Asked) -> list[Row] | str | None:
    """Rows of a cell that stand in the tables, or why there are none."""
    rows = report.read_cell(cell)
    if not isinstance(rows, list):
        return rows
    return [row for row in rows if report.belongs(row, cell, asked)]


def _tasks(params: Params, cells: list[Cell], asked: Asked) -> Iterator[Task]:
    for cell in cells:
        if isinstance(rows := _rows(cell, asked), list):
            content = (
                report.read_results(Path(paths.metrics(cell.run, cell.batch_norm, cell.task))) or {}
            )
            settings = (
                params.task(cell.run.suite, cell.task).model_dump(exclude={"summary"})
                if cell.task in params.tasks
                else {}
            )
            yield Task(
                f"{cell.batch_norm}.{cell.task}",
                rows,
                list(points("curve", content.get("curve", []))),
                settings,
            )


def keyed(rows: list[Row]) -> dict[str, Row]:
    """Rows by the name MLflow gets: recalibrated.linear.top1, with the setting where one name would stand for several rows."""
    names = [f"{row['batch_norm']}.{row['task']}.{row['metric']}" for row in rows]
    return {
        (_key(f"{name}.{row['setting']}") if names.count(name) > 1 else _key(name)): row
        for name, row in zip(names, rows, strict=True)
    }


def _history(run: Run, cells: list[Cell]) -> Iterator[tuple[str, int, float, float]]:
    """Curves of the pre-training and of every task that has one: (key, epoch, seconds since the start, value)."""
    yield from points("train", report.read_curve(run))
    for cell in cells:
        content = (
            report.read_results(Path(paths.metrics(cell.run, cell.batch_norm, cell.task))) or {}
        )
        yield from points(f"{cell.batch_norm}.{cell.task}.curve", content.get("curve", []))


def points(prefix: str, epochs: Epochs) -> Iterator[tuple[str, int, float, float]]:
    elapsed = 0.0
    for number, epoch in enumerate(epochs):
        elapsed += epoch.get("seconds", 0.0)
        for name, value in epoch.items():
            if name != "epoch":
                own = MACHINE.get(name) if prefix in OWN_CURVE else None
                yield (
                    own or _key(f"{prefix}.{name}"),
                    int(epoch.get("epoch", number)),
                    elapsed,
                    float(value),
                )


def _log(client: Any, experiment: str, item: Item) -> str:
    """Store one run. Its digest is written last: a run without one was interrupted and is replaced by the next import."""
    from mlflow.entities import Metric, Param, RunTag

    start, run = int(time.time() * 1000), item.run
    name = f"{run.split}/{run.method}/{run.stream}/s{run.seed}"
    mlflow_id: str = client.create_run(
        experiment,
        start_time=start,
        run_name=name,
        tags={"pstl.suite": run.suite, "pstl.run_id": item.run_id},
    ).info.run_id
    tags = [
        RunTag(f"pstl.row.{key}", json.dumps({**row, "value": i}))
        for i, (key, row) in enumerate(item.rows.items())
    ]
    facts = _facts(item)
    tags += [RunTag(_reason_tag(name), reason) for name, reason in item.reasons.items()]
    tags += [RunTag(f"pstl.{key}", value) for key, value in facts.items()] + [
        RunTag("mlflow.source.git.commit", facts["git"])
    ]
    settings = {
        **run.model_dump(exclude={"suite"}),
        **item.record.get("settings", {}),
        "recipe": item.record.get("recipe", ""),
    }
    values = [Param(_key(key), value) for key, value in flat(settings).items()]
    last = 1 + max((step for _, step, _, _ in item.history), default=-1)
    metrics = [
        Metric(key, value, start + int(1000 * after), step)
        for key, step, after, value in item.history
    ]
    metrics += [
        Metric(key, row["value"], start, last)
        for key, row in item.rows.items()
        if row["value"] is not None
    ]
    metrics += [
        Metric(f"system/{key}", float(item.record[key]), start, last)
        for key in ("seconds", "peak_mb")
        if key in item.record
    ]
    for i in range(0, len(metrics), 1000):
        client.log_batch(mlflow_id, metrics=metrics[i : i + 1000])
    for i in range(0, max(len(values), len(tags)), 100):
        client.log_batch(mlflow_id, params=values[i : i + 100], tags=tags[i : i + 100])
    folder = Path(paths.run(run))
    for task in item.tasks:
        _log_task(client, experiment, mlflow_id, name, item, task)
    for file in item.files:
        parent = file.relative_to(folder).parent.as_posix()
        client.log_artifact(mlflow_id, str(file), None if parent == "." else parent)
    client.set_terminated(mlflow_id, "FINISHED")
    client.set_tag(mlflow_id, "pstl.digest", item.digest)
    return mlflow_id


def _log_task(client: Any, experiment: str, parent: str, name: str, item: Item, task: Task) -> None:
    """Store one task as a child: its numbers under their own names, so that tasks of different runs can be put side by side."""
    from mlflow.entities import Metric, Param, RunTag

    start = int(time.time() * 1000)
    facts = {key: value for key, value in _facts(item).items() if key not in ("record", "run")}
    tags = {
        "mlflow.parentRunId": parent,
        "pstl.task": task.name,
        "pstl.of": str(item.run),
        **{f"pstl.{k}": v for k, v in facts.items()},
    }
    child: str = client.create_run(
        experiment, start_time=start, run_name=f"{name}/{task.name}", tags=tags
    ).info.run_id
    rows = {key.removeprefix(f"{task.name}."): row for key, row in keyed(task.rows).items()}
    last = 1 + max((step for _, step, _, _ in task.history), default=-1)
    metrics = [
        Metric(key, value, start + int(1000 * after), step)
        for key, step, after, value in task.history
    ]
    metrics += [
        Metric(key, row["value"], start, last)
        for key, row in rows.items()
        if row["value"] is not None
    ]
    metrics += [Metric("system/seconds", float(task.rows[0]["seconds"]), start, last)]
    norm, _, kind = task.name.partition(".")
    settings = {
        **item.run.model_dump(exclude={"suite"}),
        "batch_norm": norm,
        "task": {"name": kind, **task.settings},
    }
    values = [Param(_key(key), value) for key, value in flat(settings).items()]
    for i in range(0, len(metrics), 1000):
        client.log_batch(child, metrics=metrics[i : i + 1000])
    client.log_batch(
        child, params=values[:100], tags=[RunTag("pstl.setting", task.rows[0]["setting"])]
    )
    client.set_terminated(child, "FINISHED")


def _reason_tag(name: str) -> str:
    """The tag that says why a task makes no sense.   name: {batch norm}.{task}."""
    return f"pstl.na.{name}"


def _facts(item: Item) -> dict[str, str]:
    """Tags of one run: where its numbers come from."""
    row = next(iter(item.rows.values()), {})
    facts = {
        key: item.record.get(key, row.get(key, ""))
        for key in ("git", "data_checksum", "device", "settings_digest")
    }
    kept = {key: item.record[key] for key in RECORD if key in item.record}
    return {
        "run": str(item.run),
        **{key: str(value) for key, value in facts.items()},
        "record": json.dumps(kept, sort_keys=True),
    }


def _stored_rows(run: Any, address: str) -> list[Row]:
    """Rows of one stored run in their order: identity from the tags (their "value" is its place), value from the metric, if any.

    Raises: UserError for a value that is not finite.
    """
    tags = {
        key.removeprefix("pstl.row."): json.loads(text)
        for key, text in run.data.tags.items()
        if key.startswith("pstl.row.")
    }
    values = {key: run.data.metrics.get(key) for key in tags}
    for key, value in values.items():
        if value is not None and not report.sound(value):
            raise UserError(
                f"{address}: {key} of {run.data.tags['pstl.run']} is {value}; import that suite again"
            )
    return [
        {**row, "value": values[key]}
        for key, row in sorted(tags.items(), key=lambda tag: tag[1]["value"])
    ]


def _mark_current(client: Any, suite: str, ids: set[str]) -> None:
    """Tag which stored runs are the suite as it is on disk now; runs of earlier settings stay, as history."""
    for run in _stored(client, suite):
        current = "yes" if run.info.run_id in ids else "no"
        if run.data.tags.get("pstl.current") != current:
            client.set_tag(run.info.run_id, "pstl.current", current)


def _stored(client: Any, suite: str) -> list[Any]:
    """Every stored run of a suite."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    found: list[Any] = []
    token: str | None = None
    while experiments:
        page = client.search_runs(
            experiments,
            f"tags.`pstl.suite` = '{suite}'",
            max_results=1000,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            break
    return found


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level: {"train.lr": "0.005"}."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        found |= (
            flat(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {f"{prefix}{key}": str(value)}
        )
    return found


def _key(text: str) -> str:
    """`text` with the characters MLflow allows in a name."""
    return re.sub(r"[^\w\-. :/]", "-", text)
