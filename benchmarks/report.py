"""What a large report takes: python -m benchmarks.report [--methods 40] [--seeds 7]

A folder of fabricated results, more than 10,000 rows by default, is made into tables, plots and the
page. Times are of the process alone (CPU seconds), which other work on the machine does not touch.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pstl import config, paths
from pstl.config import Cell, Params, Run
from pstl.files import write_text
from pstl.report import build, joined, page, plots
from pstl.report.rows import FIELDS

SUITE = "scale"
TASKS = {
    "linear": ("top1", "top5", "top1_best"),
    "knn": ("top1", "macro_f1"),
    "retrieval": ("map",),
}
SETTINGS = {"knn": "k=1;cosine", "retrieval": "cosine"}
EPOCHS = 50


def settings(folder: Path, methods: int, seeds: int) -> Params:
    """Variants of one method in three streams, on a data set that nobody needs to have."""
    names = [f"method_{number}" for number in range(methods)]
    content = {
        "suite": SUITE,
        "methods": {
            "pstl": {
                "recipe": "resize50",
                "encoder": "stgcn",
                "train": {"epochs": EPOCHS, "lr": 0.01},
            }
        }
        | {name: {"base": "pstl", "method": "pstl"} for name in names},
        "tasks": {name: {} for name in TASKS},
    }
    suite = {
        "summary": f"{methods} fabricated methods",
        "floors": False,
        "dataset": "nwucla",
        "splits": ["xview"],
        "seeds": list(range(seeds)),
        "experiments": [{"methods": names, "streams": "all", "tasks": list(TASKS)}],
    }
    write_text(folder / "params.yaml", yaml.safe_dump(content))
    write_text(folder / f"suites/{SUITE}.yaml", yaml.safe_dump(suite))
    params, _ = config.load_suite(folder / "params.yaml", SUITE)
    return params


def write_results(params: Params) -> int:
    """Runs with curves, and a file of rows for every cell.   Returns: how many rows."""
    rng, rows = np.random.default_rng(0), 0
    for run in params.runs(SUITE):
        write_run(run, rng)
    for cell in params.cells(SUITE):
        rows += write_cell(cell, rng)
    return rows


def write_run(run: Run, rng: np.random.Generator) -> None:
    """run.json and curve.jsonl."""
    folder = Path(paths.run(run))
    record = {
        "run": str(run),
        "run_id": str(run),
        "seconds": float(rng.uniform(60, 6000)),
        "settings": {},
    }
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    losses = 5 * np.exp(-np.arange(EPOCHS) / 10) + rng.random(EPOCHS) / 10
    lines = [json.dumps({"epoch": epoch, "loss": loss}) for epoch, loss in enumerate(losses)]
    (folder / "curve.jsonl").write_text("\n".join(lines) + "\n")


def write_cell(cell: Cell, rng: np.random.Generator) -> int:
    """Rows of one cell.   Returns: how many."""
    common: dict[str, Any] = dict.fromkeys(FIELDS, "") | cell.identity
    common |= {"seconds": 2.0, "peak_mb": 300.0, "run_id": str(cell.run), "data_checksum": "c" * 64}
    common["setting"] = SETTINGS.get(cell.task, "")
    rows = []
    for metric in TASKS[cell.task]:
        rows.append({**common, "metric": metric, "value": float(rng.uniform(40, 80))})
    path = Path(paths.metrics(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": rows, "curve": []}))
    return len(rows)


def timed(name: str, work: Callable[[], object]) -> str:
    """A line with what a piece of work took."""
    start = time.process_time()
    work()
    return f"{name:<24}{time.process_time() - start:8.1f} s"


def main() -> None:
    """Fabricate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="folder for the results and what is made of them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        params = settings(folder, options.methods, options.seeds)
        os.chdir(folder)
        rows = write_results(params)
        suite = joined.read(params, SUITE)
        lines = [
            f"{rows:,} rows, {len(params.runs(SUITE)):,} runs",
            timed("tables and plots", lambda: build.build(params, SUITE, "tables")),
            timed("  of which plots", lambda: plots.write_all(suite, Path("plots"))),
            timed("page", lambda: page.build(params, SUITE, "index.html")),
        ]
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
