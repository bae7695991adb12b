"""Accuracy against pre-training steps: every snapshot of a run, probed both ways, so that a budget
is chosen from a curve.
"""

import logging
import os
from pathlib import Path
from typing import Any

import torch

from pstl.config import BatchNorm, Params, Run, validated
from pstl.contracts import Task
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import encode_all, recalibrate
from pstl.errors import UserError
from pstl.files import reading
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
    """One row per snapshot, batch-norm variant and task: {epoch, steps, batch_norm, task, top1,
    ...}.

    snapshots: file that pre-training wrote with `train.snapshot_every`.
    tasks: names of tasks of params.yaml that classify on features.
    Raises: UserError for another task, or a file that holds no snapshots, or those of another run.
    """
    for name in tasks:
        kind = params.task(run.suite, name).kind
        if task_traits(kind).needs != "features":
            raise UserError(f"--tasks {name}: expected a task on features, e.g. linear or knn")
    steps = steps_of(Path(snapshots).with_name("curve.jsonl"))
    data = open_array(array, verify=True)
    train_side, test_side = data.sides(run.split)
    train, test = Clips(data, train_side, device), Clips(data, test_side, device)
    rows = []
    for epoch, file in unpacked(snapshots):
        for norm in NORMS:
            card, encoder = encoder_file.load(file)
            check_origin(card, data, run, f"{snapshots}, {file.name}")
            encoder.to(device)
            if norm == "recalibrated":
                recalibrate(card, encoder, train)
            meta = {"classes": data.meta["classes"]}
            sides = encode_all(card, encoder, train), encode_all(card, encoder, test)
            features = FeatureSet(
                *sides, data.y[train_side], data.y[test_side], data.unseen(run.split), meta
            )
            for name in tasks:
                section = params.task(run.suite, name)
                task: Task = load_plugin("tasks", section.kind).TASK
                result = task.run(
                    features,
                    validated(task.settings, section.settings, f"tasks.{name}"),
                    run.seed,
                    device,
                )
                rows.append(
                    {
                        "run": str(run),
                        "epoch": epoch,
                        "steps": steps[epoch],
                        "batch_norm": norm,
                        "task": name,
                        **result.metrics,
                    }
                )
        log.info(
            "%s  epoch %d: %s",
            run,
            epoch,
            "  ".join(
                f"{r['task']} {r['batch_norm']} {r['top1']:.1f}" for r in rows[-2 * len(tasks) :]
            ),
        )
    if not rows:
        raise UserError(
            f"{snapshots}: holds no snapshots; set train.snapshot_every in params.yaml and pre-train again"
        )
    return rows


def check_origin(card: EncoderCard, data: ArraySet, run: Run, file: str) -> None:
    """Raises: UserError if a snapshot is of another run, or was trained on other data than those it
    is tested on.
    """
    found = (card.provenance.get("run"), card.provenance.get("data_checksum"))
    if found != (str(run), data.meta["checksum"]):
        raise UserError(
            f"{file}: snapshot of {found[0]} on data {str(found[1])[:16]}, expected {run} on {data.meta['checksum'][:16]}; "
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
