"""Accuracy against pre-training steps: every snapshot of a run, probed both ways, so that a budget
is chosen from a curve.
"""

import logging
import os
from pathlib import Path
from typing import Any

import torch

from pstl.config import BatchNorm, Frozen, Params, Run, validated
from pstl.contracts import Task
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import encode_all, recalibrate
from pstl.errors import UserError
from pstl.files import reading
from pstl.modules import BaseEncoder
from pstl.registry import load as load_plugin
from pstl.registry import task_traits
from pstl.train import curve, encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.snapshots import unpacked

log = logging.getLogger(__name__)
NORMS: tuple[BatchNorm, ...] = ("released", "recalibrated")


def trace(
    params: Params,
    run: Run,
    snapshots: str | Path,
    array: str | Path,
    tasks: list[str],
    device: torch.device,
) -> list[dict[str, Any]]:
    """One row per snapshot, batch-norm variant and task.

    Each is {run, epoch, steps, batch_norm, task, top1, ...}.
    snapshots: file that pre-training wrote with `train.snapshot_every`.
    tasks: names of tasks of params.yaml that classify on features.
    Raises: UserError for another task, or a file that holds no snapshots, or those of another run.
    """
    probes = {name: _probe(params, run, name) for name in tasks}
    steps = steps_of(Path(snapshots).with_name("curve.jsonl"))
    data = open_array(array, encodable=True)
    data.sides(run.split)  # an unknown split is said before the first snapshot is read
    rows: list[dict[str, Any]] = []
    for epoch, file in unpacked(snapshots):
        looks = []
        for norm in NORMS:
            card, encoder = encoder_file.load(file)
            check_origin(card, data, run, f"{snapshots}, {file.name}")
            features = _features(card, encoder.to(device), data, run.split, norm, device)
            about = {"run": str(run), "epoch": epoch, "steps": steps[epoch], "batch_norm": norm}
            for name, (task, cfg) in probes.items():
                result = task.run(features, cfg, run.seed, device)
                looks.append({**about, "task": name, **result.metrics})
        shown = [f"{look['task']} {look['batch_norm']} {look['top1']:.1f}" for look in looks]
        log.info("%s  epoch %d: %s", run, epoch, "  ".join(shown))
        rows += looks
    if not rows:
        raise UserError(
            f"{snapshots}: holds no snapshots; set train.snapshot_every in params.yaml "
            "and pre-train again"
        )
    return rows


def _probe(params: Params, run: Run, name: str) -> tuple[Task, Frozen]:
    """A task with its settings. Raises: UserError for one that does not classify on features."""
    section = params.task(run.suite, name)
    traits = task_traits(section.kind)
    if traits.needs != "features" or not traits.classifies:
        raise UserError(f"--tasks {name}: expected a task on features, e.g. linear or knn")
    task: Task = load_plugin("tasks", section.kind).TASK
    return task, validated(task.settings, section.settings, f"tasks.{name}")


def _features(
    card: EncoderCard,
    encoder: BaseEncoder,
    data: ArraySet,
    split: str,
    norm: BatchNorm,
    device: torch.device,
) -> FeatureSet:
    """Features of both sides of the split, with one variant of the batch norms' statistics."""
    train_side, test_side = data.sides(split)
    train, test = Clips(data, train_side, device), Clips(data, test_side, device)
    if norm == "recalibrated":
        recalibrate(card, encoder, train)
    return FeatureSet(
        encode_all(card, encoder, train),
        encode_all(card, encoder, test),
        data.y[train_side],
        data.y[test_side],
        data.unseen(split),
        {"classes": data.meta["classes"]},
    )


def check_origin(card: EncoderCard, data: ArraySet, run: Run, file: str) -> None:
    """Raises: UserError if a snapshot is of another run, or was trained on other data."""
    origin = (card.provenance.get("run"), card.provenance.get("data_checksum"))
    if origin != (str(run), data.meta["checksum"]):
        other, expected = str(origin[1])[:16], data.meta["checksum"][:16]
        raise UserError(
            f"{file}: snapshot of {origin[0]} on data {other}, expected {run} on {expected}; "
            "pass the array of this run, or train it again"
        )


def steps_of(path: Path) -> dict[int, int]:
    """Optimiser steps made by the end of each number of epochs, from the run's curve.jsonl.

    Raises: UserError if it is not there.
    """
    if not os.path.lexists(path):
        raise UserError(
            f"{path}: no such file; snapshots are read beside the curve of the run that made them"
        )
    epochs = curve.read(path)
    with reading(path, curve.CURVE):
        return {int(epoch["epoch"]) + 1: int(epoch["step"]) for epoch in epochs}
