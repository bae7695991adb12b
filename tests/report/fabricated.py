"""A small suite with invented numbers, written where the jobs would write theirs.

Only for tests of tables and tracking.
"""

import json
from pathlib import Path
from typing import Any

from settings_files import settings_of

from pstl import paths
from pstl.config import FUSED, Cell, Params, Run, digest
from pstl.report.rows import FIELDS

METRICS = {
    "linear": ("top1", "top5", "top1_best"),
    "knn": ("top1",),
    "retrieval": ("r1", "map"),
    "fused": ("top1", "top5"),
}
SETTINGS = {"knn": "k=1;cosine", "retrieval": "cosine"}
GRID: dict[str, Any] = {
    "dataset": "ntu60", "splits": ["xsub"], "methods": ["pstl"], "streams": ["joint",
    "bone", "motion"], "seeds": [0, 1, 2],
    "tasks": ["linear", "knn"], "fuse": {"tasks": ["linear"]},
}  # fmt: skip
METHOD: dict[str, Any] = {
    "recipe": "resize50",
    "encoder": "stgcn",
    "train": {"epochs": 3, "lr": 5.0e-3},
}
FLOOR: dict[str, Any] = {
    "dataset": "ntu60",
    "splits": ["xsub"],
    "methods": ["raw"],
    "batch_norm": ["released"],
    "tasks": ["linear", "knn"],
}


def params(*experiments: dict[str, Any], suite: str = "tiny") -> Params:
    """Settings with one suite of these experiments.

    By default PSTL in three streams and three seeds, and a floor.
    Every task is the protocol of every method's paper.
    """
    chosen = list(experiments or (GRID, FLOOR))
    tasks: dict[str, Any] = {name: {} for block in chosen for name in block["tasks"]}
    methods = {
        name: {**METHOD, "method": "psp" if name == "psp" else "pstl", "protocol": tasks}
        for experiment in chosen
        for name in experiment["methods"]
    }
    suites = {suite: {"summary": "Invented", "experiments": chosen}}
    content = {"suite": suite, "methods": methods, "tasks": tasks, "suites": suites}
    return settings_of(content)


def write_all(settings: Params, suite: str = "tiny") -> None:
    """Every run and every cell of the suite; values differ from cell to cell."""
    cells = settings.cells(suite)
    for run in settings.runs(suite):
        write_run(run)
    for number, cell in enumerate(cells):
        names = METRICS["fused" if cell.fused else cell.task]
        write_cell(cell, {name: 40 + number / 7 + i / 3 for i, name in enumerate(names)})


def run_id(run: Run, version: int = 0) -> str:
    if run.stream == FUSED:
        return "+".join(
            sorted(
                run_id(run.model_copy(update={"stream": s}), version)
                for s in ("joint", "bone", "motion")
            )
        )
    return digest([str(run), version])


def write_run(run: Run, epochs: int = 3, version: int = 0) -> None:
    """run.json, curve.jsonl and encoder.pt."""
    folder = Path(paths.run(run))
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "run": str(run), "run_id": run_id(run, version), "settings_digest": "d" * 16,
        "data_checksum": "c" * 64, "git": "0123456789ab",
        "settings": {"method": "pstl", "train": {"epochs": epochs, "lr": 0.005}}, "device": "cpu",
        "peak_mb": 250.5, "seconds": 12.25,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6"}, "finished": True,
        "recipe": {"name": "resize50"},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    load = {"seconds": 4.0, "clips_per_second": 150.0, "cpu_percent": 98.0, "peak_mb": 250.5}
    curve = [
        {"epoch": e, "step": 10 * (e + 1), "lr": 0.005, "loss": 9.5 / (e + 1) + run.seed, **load}
        for e in range(epochs)
    ]
    (folder / "curve.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in curve))
    (folder / "encoder.pt").write_bytes(b"weights of " + str(run).encode())


def rows_of(
    cell: Cell, metrics: dict[str, float], version: int = 0, **other: Any
) -> list[dict[str, Any]]:
    run = cell.run
    own = SETTINGS.get(cell.task, "")
    setting = ";".join(filter(None, [own, "joint=0.6;bone=0.6;motion=0.4"])) if cell.fused else own
    common = {
        **cell.identity, "setting": setting, "run_id": run_id(run, version), "device": "cpu",
        "seconds": 1.5, "peak_mb": 300.25,
        "git": "0123456789ab", "data_checksum": "c" * 64, "settings_digest": "d" * 16,
        "precision": "fp32", "labelled": "", "weights": "", "torch": "2.13.0", "threads": "1",
        "processor": "AMD EPYC, AVX2",
    }  # fmt: skip
    rows = [{**common, "metric": name, "value": value, **other} for name, value in metrics.items()]
    assert all(set(row) == set(FIELDS) for row in rows)
    return rows


def write_cell(cell: Cell, metrics: dict[str, float], version: int = 0, **other: Any) -> Path:
    """The metrics file of one cell."""
    path = Path(paths.metrics(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    curve = (
        [{"epoch": e, "top1": 30.0 + e} for e in range(2)]
        if cell.task == "linear" and not cell.fused
        else []
    )
    path.write_text(json.dumps({"rows": rows_of(cell, metrics, version, **other), "curve": curve}))
    return path


def write_both_states(cell: Cell, top1: float) -> None:
    """A recalibrated cell that trained the encoder, with its released state half a point below."""
    own = rows_of(cell, {"top1": top1, "top1_best": top1 + 2})
    below = {"top1": top1 - 0.5, "top1_best": top1 + 1.5}
    others = rows_of(cell, below, batch_norm="released", seconds=0.0)
    path = Path(paths.metrics(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": own + others, "curve": []}))


def write_without(cell: Cell, setting: str, reason: str) -> None:
    """One more setting of a cell that is there, which makes no sense for its method."""
    path = Path(paths.metrics(cell))
    path.write_text(json.dumps({**json.loads(path.read_text()), "without": {setting: reason}}))


def write_no_sense(cell: Cell, reason: str) -> None:
    """The metrics file of a cell whose task makes no sense for its encoder."""
    path = Path(paths.metrics(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": [], "curve": [], "not_applicable": reason}))
