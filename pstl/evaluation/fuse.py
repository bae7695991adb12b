"""From several streams' scores to the rows of their fusion."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pstl.config import Cell, digest
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.evaluation.cell import named, no_scores
from pstl.evaluation.scores import DATA, Scores, difference
from pstl.evaluation.scores import read as read_scores
from pstl.metrics.classification import classification_metrics, top_k
from pstl.metrics.clips import ClipMetrics, on_clips
from pstl.provenance import git_hash
from pstl.records import Result
from pstl.train.hardware import peak_memory


def fuse(
    cell: Cell, files: Mapping[str, str], out: str | Path, scores_out: str | Path | None
) -> None:
    """Sum the streams' raw test scores with their weights; top1_equal is of their plain sum.

    The setting of the rows is the streams' own, which says what was asked of them, and the weights.
    cell: its `fused` are the weights, by stream.
    files: stream -> scores file; the stream's rows stand beside it.
    Raises: UserError if a stream is missing or the files are not scores of the same test clips.
    """
    began, weights = time.monotonic(), cell.fused or {}
    if files.keys() != weights.keys():
        streams, expected = ", ".join(sorted(files)), ", ".join(sorted(weights))
        raise UserError(f"{cell.run}: scores of {streams}, expected {expected}")
    rows_files = {stream: path.replace(".scores.npz", ".json") for stream, path in files.items()}
    contents = {stream: result_file.read(path) for stream, path in rows_files.items()}
    reasons = [content.get("not_applicable", "") for content in contents.values()]
    if reason := next(filter(None, reasons), ""):
        result = Result(ClipMetrics(), not_applicable=reason)
        nothing = no_scores(np.zeros(0, np.int64), np.zeros(0, bool), {})
        return result_file.write(out, scores_out, [], result, nothing)
    scores = {stream: _stream(cell, stream, path) for stream, path in files.items()}
    first = _same_clips(scores, files)
    parts = [content["rows"][0] for content in contents.values()]
    points = {stream: of_stream.points for stream, of_stream in scores.items()}
    result = _fused(points, weights, first, _common_setting(cell, parts))
    labelled = next(iter(contents.values())).get("labelled")
    if labelled:  # of the same draw in all: _same_clips
        result = replace(result, labelled=labelled)
    facts = {
        "run_id": digest([str(cell.run), sorted(part["run_id"] for part in parts)]),
        "device": "cpu",
        "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(torch.device("cpu")),
        "git": git_hash(),
        "data_checksum": parts[0]["data_checksum"],
        "settings_digest": digest([weights, sorted(part["settings_digest"] for part in parts)]),
        "precision": _of_all(parts, "precision"),
        "labelled": parts[0].get("labelled", ""),
        "weights": _of_all(parts, "weights"),
        **{name: _of_all(parts, name) for name in result_file.COMPUTED_BY},
    }
    rows = result_file.rows(cell, result, facts)
    about = {**first.about, **named(cell), "run_id": facts["run_id"]}
    return result_file.write(out, scores_out, rows, result, replace(first, about=about))


def _of_all(parts: list[dict[str, Any]], column: str) -> str:
    """A column of the streams' rows: what all of them say, or each."""
    return "+".join(sorted({part.get(column, "") for part in parts} - {""}))


def _same_clips(scores: Mapping[str, Scores], files: Mapping[str, str]) -> Scores:
    """The first stream's scores. Raises: UserError if another's are not of the same test clips."""
    first = next(iter(scores.values()))
    for stream, other in scores.items():
        reason = difference(other, first, DATA)
        if not reason and other.points.shape != first.points.shape:
            reason = f"{other.points.shape[1]} classes, not {first.points.shape[1]}"
        if reason:
            raise UserError(
                f"{files[stream]}: not scores of the {len(first.y)} test clips the other streams "
                f"have ({reason}); evaluate this stream again"
            )
    return first


def _common_setting(cell: Cell, parts: list[dict[str, Any]]) -> str:
    """The setting that the rows of all streams have. Raises: UserError if they differ."""
    settings = sorted({part.get("setting", "") for part in parts})
    if len(settings) > 1:
        raise UserError(
            f"{cell.run}, {cell.name}: streams of different settings ({', '.join(settings)}); "
            "evaluate them again"
        )
    return settings[0]


def _fused(
    points: Mapping[str, np.ndarray], weights: Mapping[str, float], tested: Scores, asked: str
) -> Result:
    """Metrics of the weighted sum of the streams' scores, and top1_equal of their plain sum.

    points: (N, classes) by stream.   asked: the setting of the streams.
    """
    total = np.sum([weights[stream] * own for stream, own in points.items()], axis=0)
    fused, equal = torch.from_numpy(total), torch.from_numpy(np.sum(list(points.values()), axis=0))
    y = torch.from_numpy(tested.y)

    def measure(kept: torch.Tensor) -> dict[str, float]:
        """Metrics of some clips (n,) by their numbers."""
        top1_equal = float(top_k(equal[kept], y[kept], 1))
        return classification_metrics(fused[kept], y[kept]) | {"top1_equal": top1_equal}

    summed = [f"{stream}={weight:g}" for stream, weight in weights.items()]
    setting = ";".join(filter(None, [asked, *summed]))
    return Result(on_clips(measure, tested.unseen), setting, total)


def _stream(cell: Cell, stream: str, path: str) -> Scores:
    """One stream's scores. Raises: UserError if there are none, or they are of another cell."""
    scores = read_scores(path)
    if not scores.points.size:
        raise UserError(
            f"{path}: holds no class scores, so there is nothing to fuse; "
            "evaluate this stream again"
        )
    expected = {**named(cell), "stream": stream}
    wrong = [
        f"{key} {scores.about[key]}, not {value}"
        for key, value in expected.items()
        if scores.about.get(key, value) != value
    ]
    if wrong:
        raise UserError(
            f"{path}: scores of another cell ({', '.join(wrong)}); "
            f"pass the file of stream {stream} of {cell.run}"
        )
    return scores
