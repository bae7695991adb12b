"""What a suite costs before it is run: jobs, hours of the device that was benched, bytes on disk.

Free of torch: the rules ask, too. Counts of clips come from the data sets, settings from
params.yaml and the suites, speeds and sizes of networks from `pstl bench --json FILE`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from pstl import graph
from pstl.config import Params, Plugin
from pstl.plan.hours import TUNED_EPOCHS, hours_of, pretraining
from pstl.plan.sizes import (
    FLOAT,
    Figures,
    array_bytes,
    encoded,
    facts,
    feature_width,
    figure,
    own_cells,
    snapshots,
)
from pstl.registry import load_dataset

MEAN_FRAMES = 80  # of a recording at native length, as `bench` assumes
CHECKPOINT = 2 * 3  # two checkpoints, each of weights and two moments


class Cost(NamedTuple):
    """Of one suite.

    jobs: by rule.   hours: of one benched device, by kind of job.   disk: bytes, by kind of file.
    """

    jobs: Counter[str]
    hours: dict[str, float]
    disk: dict[str, float]


def jobs(params: Params, suite: str) -> Counter[str]:
    """Jobs of every rule from nothing to tables, as the rules plan them."""
    runs, cells = params.runs(suite), own_cells(params, suite)
    read = {cell: graph.inputs(params, cell) for cell in cells}
    on_recordings = {cell.run.dataset for cell in cells if read[cell].recordings}
    untrimmed = {dataset for dataset in on_recordings if load_dataset(dataset).untrimmed}
    trained = [run for run in runs if not graph.is_imported(params, run)]
    arrays = _arrays(params, suite)
    trimmed = {dataset for dataset, _ in arrays} | (on_recordings - untrimmed)
    labels = {inputs.labels for inputs in read.values()}
    labels |= {graph.labels(params, run) for run in trained}
    features = {inputs.features for inputs in read.values()}
    fused = len(params.cells(suite)) - len(cells)
    return +Counter(
        {
            "fetch": len(trimmed | untrimmed),
            "parse": len(trimmed),
            "recordings": len(untrimmed),
            "prepare": len(arrays),
            "leakage": len({path for run in runs for path in graph.leakages(params, run)}),
            "labels": len(labels - {None}),
            "pretrain": len(trained),
            "import_weights": len(runs) - len(trained),
            "features": len(features - {None}),
            "evaluate": len(cells),
            "fuse": fused,
            **dict.fromkeys(("report", "page", "track"), 1),
        }
    )


def _arrays(params: Params, suite: str) -> dict[tuple[str, str], Plugin]:
    """Every array that a job reads: data set and the recipe's folder -> the recipe."""
    read: dict[tuple[str, str], Plugin] = {}
    for run in params.runs(suite):
        recipe = params.method_of(run).recipe
        read |= {(dataset, recipe.key): recipe for dataset, _ in graph.sides(params, run)}
    for cell in own_cells(params, suite):
        if not graph.inputs(params, cell).recordings:
            recipe = params.method_of(cell.run).recipe
            read[cell.run.dataset, recipe.key] = recipe
    return read


def cost(params: Params, suite: str, figures: Figures) -> Cost:
    """Everything about one suite.

    What methods without a figure cost (see unknown()) is left out of hours and disk.
    """
    return Cost(
        jobs(params, suite), hours_of(params, suite, figures), _disk(params, suite, figures)
    )


def unknown(params: Params, suite: str, figures: Figures) -> list[str]:
    """Method entries of the suite that train and of which there is no figure."""
    trained = {
        run.method for run in params.runs(suite) if params.method(suite, run.method).train.epochs
    }
    return sorted(name for name in trained if not figure(params, suite, name, figures))


def smaller(params: Params, suite: str, figures: Figures) -> list[str]:
    """Benched methods that the suite's hours rest on and whose own batch did not fit into memory.

    Each with the batch it was done with.
    """
    used = [figure(params, suite, run.method, figures) for run in params.runs(suite)]
    names = {row["method"] for row in used if row}
    rows = [row for row in figures if row.get("method") in names and "own_batch_size" in row]
    cut = [row for row in rows if row["batch_size"] < row["own_batch_size"]]
    return [f"{row['method']} ({row['batch_size']} of {row['own_batch_size']})" for row in cut]


def uncounted(params: Params, suite: str, figures: Figures) -> list[str]:
    """Kinds of task in the suite whose own hours are not counted."""
    counted = {row["task"] for row in figures if "task" in row} | set(TUNED_EPOCHS) | {"classify"}
    kinds = {params.task_of(cell).kind for cell in own_cells(params, suite)}
    return sorted(kinds - counted)


def _disk(params: Params, suite: str, figures: Figures) -> dict[str, float]:
    """Bytes at most: arrays without holes, and two checkpoints of every run at once."""
    runs, arrays = params.runs(suite), _arrays(params, suite)
    disk = {
        "sequences": sum(
            _sequence_bytes(dataset) for dataset in {dataset for dataset, _ in arrays}
        ),
        "arrays": sum(array_bytes(dataset, recipe) for (dataset, _), recipe in arrays.items()),
        "checkpoints while training": 0.0,
        "encoders": 0.0,
        "features": 0.0,
        "scores": 0.0,
    }
    for run in runs:
        row = figure(params, suite, run.method, figures)
        section = params.method(suite, run.method)
        encoders = 1 + snapshots(section)
        disk["encoders"] += encoders * row.get("encoder_parameters", 0) * FLOAT
        if row and section.train.epochs:
            disk["checkpoints while training"] += CHECKPOINT * row["parameters"] * FLOAT
    for run, *_ in encoded(params, suite):
        clips = facts(run.dataset).split(run.split)
        width = feature_width(params, run, figure(params, suite, run.method, figures))
        disk["features"] += sum(clips) * (width or 0) * FLOAT
    for cell in params.cells(suite):
        size = facts(cell.run.dataset)
        disk["scores"] += size.split(cell.run.split)[1] * size.classes * FLOAT
    return disk


def _sequence_bytes(dataset: str) -> float:
    """Of a data set's recordings as they were read."""
    size = facts(dataset)
    return size.total * MEAN_FRAMES * size.joints * size.people * 3 * FLOAT


def text(params: Params, suite: str, figures: Figures) -> str:
    """The bill."""
    bill = cost(params, suite, figures)
    gigabytes = {kind: size / 2**30 for kind, size in bill.disk.items()}
    lines = [
        f"{suite}: {sum(bill.jobs.values()):,} jobs",
        *_column(bill.jobs, "d"),
        f"hours of one device ({'; '.join(devices(figures))})",
        *_column(bill.hours, ".1f"),
        _side_by_side(params, suite, figures),
        "GiB on disk at most, recordings as they came not counted",
        *_column(gigabytes, ".1f"),
    ]
    remarks = {
        "not in hours and disk, because bench has no figure of it": unknown(params, suite, figures),
        "not in hours": uncounted(params, suite, figures),
        "benched in smaller batches than trained with": smaller(params, suite, figures),
        "hours are for the papers' settings; this suite changes": _changed(params, suite),
    }
    for remark, names in remarks.items():
        colon = "" if remark.endswith("changes") else ":"
        if names:
            lines.append(f"{remark}{colon} {', '.join(names)}")
    return "\n".join(lines) + "\n"


def _side_by_side(params: Params, suite: str, figures: Figures) -> str:
    """What hours become where several jobs run at once."""
    longest = max(pretraining(params, suite, figures), default=0.0) / 3600
    return (
        f"  jobs side by side: a share of these, never less than the longest run ({longest:.1f}); "
        "bench\n  had the machine to itself, and jobs that share memory and caches are slower"
    )


def devices(figures: Figures) -> list[str]:
    """What was benched, with the number of threads."""
    devices = set()
    for row in figures:
        plural = "" if row["threads"] == 1 else "s"
        devices.add(f"{row['device']}, {row['threads']} thread{plural}")
    return sorted(devices)


def _changed(params: Params, suite: str) -> list[str]:
    """Methods whose speed a suite changes."""
    changes = params.suite_named(suite).methods
    decisive = {"encoder", "settings", "recipe"}
    return sorted(name for name, entry in changes.items() if decisive & set(entry))


def _column(values: Mapping[str, Any], form: str) -> list[str]:
    """Names and numbers one below the other, with their sum where it is no count."""
    total = {"together": sum(values.values())} if form != "d" else {}
    return [f"  {name:<30}{value:>12,{form}}" for name, value in {**values, **total}.items()]
