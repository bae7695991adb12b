"""From the files that a cell reads to the rows of its task."""

import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pstl.config import Cell, Params, Run, TrainSettings, digest, validated
from pstl.contracts import Task
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.evaluation.cell import Evaluation, Opened, named
from pstl.metrics.clips import ClipMetrics
from pstl.metrics.metric import UNSEEN, Metrics
from pstl.provenance import git_hash
from pstl.records import OPENERS, READS, NotApplicable, Result
from pstl.registry import load as load_plugin
from pstl.train import hardware, precision
from pstl.train.hardware import device_name, peak_memory

if TYPE_CHECKING:
    import torch

    from pstl.graph import Inputs

# How the command line is given each file that a cell may read.
OPTIONS = {
    "encoder": "--encoder FILE",
    "array": "--array FOLDER",
    "features": "--features FILE, made with 'python -m pstl features'",
    "recordings": "--recordings FOLDER",
    "labels": "--labels FILE, made with 'python -m pstl labels'",
    "snapshots": "--snapshots FILE",
}


def evaluate(
    params: Params,
    cell: Cell,
    inputs: "Inputs",
    out: str | Path,
    scores: str | Path | None,
    device: "torch.device",
) -> None:
    """Run one task on what it needs, and write its rows and, if `scores` is given, its test scores.

    A long task resumes from `<cell>.last.pt` beside `out`, which goes when it is done.
    Raises: UserError if something the task needs is not given or is of another run.
    """
    began = time.monotonic()
    section = params.task_of(cell)
    task: Task = load_plugin("tasks", section.kind).TASK
    cfg = validated(task.settings, section.settings, f"tasks.{cell.task}")
    place = [str(cell.run), cell.batch_norm, cell.source]
    shaped = [section.kind, cfg.model_dump(mode="json"), *place]
    asked = Evaluation(
        cell,
        params.encoder_run(cell.run, cell.source),
        task.needs,
        Path(out).with_name(f"{cell.name}.last.pt"),
        digest(shaped),
        device,
        section.pooling,
    )
    opened = open_inputs(asked, inputs)
    try:
        result = task.run(opened.given, cfg, cell.run.seed, device)
    except NotApplicable as reason:
        result = Result(ClipMetrics(), not_applicable=str(reason))
    _check_declared(result, section.kind, task)
    if opened.on_clips:
        _check_unseen(result, section.kind, opened.tested.unseen)
    facts = {
        **opened.meta,
        **_run_id(cell.run, asked.encoder_run, opened.meta["run_id"]),
        "git": git_hash(),
        "device": device_name(device),
        "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(device),
        "precision": _precision(opened.meta.get("precision", ""), dict(cfg), device),
        "weights": opened.meta.get("weights", ""),
        "labelled": result_file.labelled_clips(result, opened.meta),
        **result_file.computed_by(_stages(opened.meta, device)),
    }
    _write(out, scores, result, facts, asked, opened)


def open_inputs(asked: Evaluation, inputs: "Inputs") -> Opened:
    """What the cell's task needs. Raises: UserError if a file is not given, or of another run."""
    missing = [name for name in READS[asked.needs] if getattr(inputs, name) is None]
    if missing:
        options = " and ".join(OPTIONS[name] for name in missing)
        cell = asked.cell
        raise UserError(f"{cell.run}: task {cell.task} reads what is not given; pass {options}")
    opener = import_module(f"pstl.evaluation.{OPENERS[asked.needs]}")
    opened: Opened = opener.open_inputs(asked, inputs)
    return opened


def _write(
    out: str | Path,
    scores: str | Path | None,
    result: Result,
    facts: dict[str, Any],
    asked: Evaluation,
    opened: Opened,
) -> None:
    """Rows and scores, with the cell and the data that they are of."""
    cell = asked.cell
    of_data = {key: opened.meta[key] for key in ("data_checksum", "run_id")}
    tested = replace(opened.tested, about={**named(cell), **of_data, **opened.tested.about})
    rows = result_file.rows(cell, result, facts)
    result_file.write(out, scores, rows, result, tested)


def _check_declared(result: Result, name: str, task: Task) -> None:
    """Raises: UserError for a metric that the task does not declare: no table could print it."""
    declared = Metrics({name: task.metrics})
    for metrics in (result.metrics, *result.others.values(), *result.norms.values()):
        if unknown := [metric for metric in metrics if declared.find(metric) is None]:
            raise UserError(
                f"task {name}: reports {unknown[0]!r}, which it does not declare; "
                "add it to its metrics"
            )


def _check_unseen(result: Result, kind: str, unseen: np.ndarray) -> None:
    """Raises: UserError if a task on clips made its metrics without on_clips().

    That alone gives what copies of training clips hide.   unseen: (N,) bool.
    """
    ends = ("", UNSEEN) if unseen.any() and not unseen.all() else ("",)
    for metrics in (result.metrics, *result.others.values(), *result.norms.values()):
        names = {name.removesuffix(UNSEEN) for name in metrics}
        expected = set(map("".join, product(names, ends)))
        if not isinstance(metrics, ClipMetrics) or set(metrics) != expected:
            raise UserError(
                f"task {kind}: metrics of test clips without their figures on clips that repeat no "
                "training clip; make them with pstl.metrics.clips.on_clips"
            )


def _precision(of_encoder: str, settings: dict[str, Any], device: "torch.device") -> str:
    """The column `precision` of a task's rows: of the encoder and, where it trains, of the task.

    settings: of the task, by name.
    """
    train = settings.get("train")
    if not isinstance(train, TrainSettings):
        return of_encoder
    of_task = f"task {precision.chosen(train, device).precision}"
    return f"{of_encoder}, {of_task}" if of_encoder else of_task


def _stages(meta: Mapping[str, Any], device: "torch.device") -> dict[str, dict[str, str]]:
    """What computed the rows of a cell, stage by stage, as result_file.computed_by() takes it."""
    stages = {}
    if meta.get("precision"):  # the encoder was trained here
        stages["encoder"] = {name: meta.get(name, "") for name in result_file.COMPUTED_BY}
    if "encoded_dataset" in meta:  # the cell reads features
        stages["features"] = meta.get("encoded_by", {})
    return {**stages, "task": hardware.computed_by(device)}


def _run_id(run: Run, encoder_run: Run, run_id: str) -> dict[str, str]:
    """Rows by the encoder of another run stand in a run of their own, told apart from it."""
    return {} if encoder_run == run else {"run_id": digest([str(run), run_id])}
