"""One figure, one place: page, tables, summary, DVC's files and MLflow say the same."""

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from report.fabricated import GRID, params, rows_of, write_all

from pstl import config, paths
from pstl.config import Params
from pstl.report import declared, facts, joined, material, overview, page
from pstl.report.build import build
from pstl.tracking.importing import import_runs
from tracking.conftest import active, stored

SOURCED = {
    "dataset": "pkummd1", "splits": ["xsub"], "methods": ["pstl"], "streams": ["joint"],
    "seeds": [0, 1], "batch_norm": ["recalibrated"], "tasks": ["knn"], "sources": ["ntu60/xsub"],
}  # fmt: skip
BOTH = {**GRID, "seeds": [0, 1], "batch_norm": ["released", "recalibrated"]}


def fabricated() -> Params:
    """Three streams and their fusion in both states of the norms, a transfer, and baselines."""
    settings = params(BOTH, SOURCED)
    write_all(settings)
    for number, cell in enumerate(settings.cells("tiny")):
        seconds = {"seconds": 100.0 + number}
        rows = rows_of(cell, {"top1": 40 + number / 7, "top5": 90.0}, **seconds)
        if not cell.fused:
            rows += rows_of(cell, {"top1": 99.0}, setting="baseline=ridge", **seconds)
        Path(paths.metrics(cell)).write_text(json.dumps({"rows": rows, "curve": []}))
    return settings


@pytest.fixture(params=["of invented numbers", "that the verbs have run"])
def suite(
    request: pytest.FixtureRequest, uri: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Params, str, Path]:
    """A suite, the store it was imported into, and the folder of its tables."""
    out = Path("tables").absolute()
    if request.param == "of invented numbers":
        settings = fabricated()
    else:
        monkeypatch.chdir(request.getfixturevalue("small"))
        settings = config.load("params.yaml")
    build(settings, "tiny", out)
    import_runs(settings, "tiny", None, uri)
    return settings, uri, out


def test_scores_are_the_same_everywhere(suite: tuple[Params, str, Path]) -> None:
    """A number that differs between two places is a number that nobody may quote."""
    settings, uri, out = suite
    means = json.loads((out / "summary.json").read_text())
    assert means
    for_dvc = {}
    for file in (out / "metrics").rglob("*.json"):
        place = file.relative_to(out / "metrics").with_suffix("").as_posix()
        for_dvc |= {f"{place}/{name}": mean for name, mean in json.loads(file.read_text()).items()}
    assert for_dvc == means
    tracked = _in_mlflow(uri)
    assert {name: round(statistics.fmean(tracked[name]), 4) for name in means} == means
    lines = list(csv.DictReader((out / "comparison.csv").read_text().splitlines()))
    printed: dict[str, set[str]] = {}
    for line in lines:
        place = "/".join(line[key] for key in ("dataset", "split", "method", "stream"))
        printed.setdefault(place, set()).add(line["mean"])
    shown = overview.overview(material.of_runs(settings, "tiny")).matrix
    entries = {row.name: {entry.text for entry in row.entries} for row in shown.rows}
    for name, mean in means.items():
        place, _, task = name.rpartition("/")
        assert f"{mean:.4f}" in printed[place]
        _, _, method, stream = place.split("/")
        source = " from ntu60" if "source" in task else ""
        metric = declared.metrics().of("map" if task.startswith("retrieval") else "top1")
        if task.startswith(("knn", "linear", "probe", "retrieval")):
            assert metric.text(mean) in entries[f"{method}{source}, {stream}"]


def test_seconds_and_cells_are_the_same_everywhere(suite: tuple[Params, str, Path]) -> None:
    """Seconds were counted once for each of a task's settings: 2,140 s stood for 535 s."""
    settings, uri, _ = suite
    files = [Path(paths.metrics(cell)) for cell in settings.cells("tiny")]
    contents = [json.loads(file.read_text())["rows"] for file in files if file.is_file()]
    tasks = sum(rows[0]["seconds"] for rows in contents if rows)
    records = [Path(paths.run(run), "run.json") for run in settings.runs("tiny")]
    training = sum(json.loads(r.read_text())["seconds"] for r in records if r.is_file())
    cells = sum(1 for rows in contents if rows)

    everything = joined.read(settings, "tiny")
    said = facts.facts(everything)
    assert said["wall time"].startswith(
        f"{training + tasks:,.0f} s: {training:,.0f} s of pre-training, {tasks:,.0f} s of tasks"
    )
    assert said["cells"].startswith(f"{cells} of ")
    table = page.cost(material.of_runs(settings, "tiny")).tasks.rows
    assert sum(int(row[1].text) for row in table) == cells  # type: ignore[union-attr]
    by_task = sum(float(row[2].text.replace(",", "")) for row in table)  # type: ignore[union-attr]
    assert by_task == pytest.approx(tasks, abs=0.5 * len(table))
    runs = stored(uri).values()
    assert _sum(runs, "cost/task_seconds") == pytest.approx(tasks)
    assert _sum(runs, "cost/training_seconds") == pytest.approx(training)
    children = [run for run in active(uri) if "pstl.task" in run.data.tags]
    assert len(children) == cells
    assert _sum(children, "cost/seconds") == pytest.approx(tasks)


def _in_mlflow(uri: str) -> dict[str, list[float]]:
    """Scores by the names of the summary, one value a seed."""
    values: dict[str, list[float]] = {}
    for run in stored(uri).values():
        _, *place, _ = run.data.tags["pstl.run"].split("/")
        for metric, value in run.data.metrics.items():
            if "/" not in metric:
                values.setdefault("/".join([*place, metric]), []).append(value)
    return values


def _sum(runs: Any, metric: str) -> float:
    return sum(run.data.metrics.get(metric, 0.0) for run in runs)
