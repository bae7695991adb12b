"""How long a suite takes on the device that was benched."""

from typing import Any

from pstl import graph
from pstl.config import Cell, Params, Run, TaskSettings
from pstl.plan.sizes import (
    Figures,
    encoded,
    facts,
    feature_width,
    figure,
    items,
    own_cells,
    training_clips,
)

BACKWARD = 3  # a training step of a task costs as much as this many encodings of its clips
# Tasks that train the encoder, and their epochs where params.yaml does not say.
TUNED_EPOCHS = {"finetune": 150, "semi": 150}
LINEAR_EPOCHS = 150  # where params.yaml does not say
LOOK_EVERY = 5  # epochs of a task that trains the encoder, where params.yaml does not say
TUNED = "tasks that train the encoder"
LOOKING = "looks at test clips"  # of tasks that train the encoder, and of classify


def hours_of(params: Params, suite: str, figures: Figures) -> dict[str, float]:
    """Hours by kind of job; methods and probes without a figure are left out."""
    seconds = dict.fromkeys(("pretrain", "features", "probes", TUNED, LOOKING), 0.0)
    seconds["pretrain"] = sum(pretraining(params, suite, figures))
    for run, batch_norm, _ in encoded(params, suite):
        train, test = facts(run.dataset).split(run.split)
        passes = train + test + train * (batch_norm == "recalibrated")
        if row := figure(params, suite, run.method, figures):
            seconds["features"] += passes / row["encode_clips_per_second"]
    for cell in own_cells(params, suite):
        for kind, value in task_seconds(params, suite, cell, figures).items():
            seconds[kind] += value
    return {kind: value / 3600 for kind, value in seconds.items()}


def pretraining(params: Params, suite: str, figures: Figures) -> list[float]:
    """Seconds of each run that trains and has a figure."""
    seconds = []
    for run in params.runs(suite):
        row = figure(params, suite, run.method, figures)
        if row and params.method(suite, run.method).train.epochs:
            seconds.append(pretraining_of(params, run, row))
    return seconds


def pretraining_of(params: Params, run: Run, row: dict[str, Any]) -> float:
    """Seconds of one pre-training; 0 of a run that trains nothing, or whose encoder is imported.

    row: the figure of its method.
    """
    section = params.method_of(run)
    if not section.train.epochs or graph.is_imported(params, run):
        return 0.0
    rate = row["train_clips_per_second"] * row["items_per_clip"]
    return float(items(section, training_clips(params, run)) / rate)


def task_seconds(params: Params, suite: str, cell: Cell, figures: Figures) -> dict[str, float]:
    """Seconds of one cell by kind, features and pre-training not counted."""
    run, task = cell.run, params.task_of(cell)
    row = figure(params, suite, run.method, figures)
    seconds = {"probes": probe_seconds(params, run, task, row, figures)}
    if not row:
        return seconds
    rate = row["encode_clips_per_second"]
    if task.kind in TUNED_EPOCHS:
        labelled = facts(run.dataset).split(run.split)[0] * task.settings.get("labels", 1.0)
        seconds[TUNED] = BACKWARD * tuned_epochs(task) * labelled / rate
    seconds[LOOKING] = looked_at(params, run, cell.batch_norm, task) / rate
    return seconds


def tuned_epochs(task: TaskSettings) -> int:
    """Epochs of a task that trains the encoder."""
    return int(task.settings.get("train", {}).get("epochs", TUNED_EPOCHS[task.kind]))


def looked_at(params: Params, run: Run, batch_norm: str, task: TaskSettings) -> float:
    """Clips that all looks of a task encode.

    These are the test side in every state, and for renewed statistics what was trained on.
    """
    train, test = facts(run.dataset).split(run.split)
    section = params.method(run.suite, run.method).train
    if task.kind in TUNED_EPOCHS:
        epochs, every = tuned_epochs(task), task.settings.get("test_every", LOOK_EVERY)
        train *= task.settings.get("labels", 1.0)
    elif task.kind == "classify":
        epochs, every = section.epochs, section.snapshot_every
    else:
        return 0.0
    looks = len({epochs, *(range(every, epochs, every) if every else ())})
    return looks * (2 * test + train if batch_norm == "recalibrated" else test)


def probe_seconds(
    params: Params, run: Run, task: Any, row: dict[str, Any], figures: Figures
) -> float:
    """Seconds of one task on features, in proportion to the benched one; 0 where there is none."""
    timed = next((probe for probe in figures if probe.get("task") == task.kind), None)
    width = feature_width(params, run, row)
    if timed is None or width is None:
        return 0.0
    dataset = facts(run.dataset)
    train, test = dataset.split(run.split)
    epochs = task.settings.get("epochs", LINEAR_EPOCHS)
    size = {
        "train": train,
        "test": test,
        "width": width,
        "classes": dataset.classes,
        "epochs": epochs,
    }
    return float(timed["seconds"] * probe_work(task.kind, size) / probe_work(task.kind, timed))


def probe_work(kind: str, size: dict[str, Any]) -> float:
    """What the time of a probe is proportional to. size: {train, test, width, classes, epochs}."""
    train, test, weights = size["train"], size["test"], size["width"] * size["classes"]
    if kind == "linear":  # forwards and backwards, and a test every epoch
        return float(size["epochs"] * (3 * train + test) * weights)
    if kind == "probe":  # as many iterations
        return float(train * weights)
    return float(train * test * (size["width"] if kind == "knn" else 1))  # retrieval sorts
