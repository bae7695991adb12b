"""From a features file to the rows of one task, and from several streams' scores to the rows of their fusion."""

import json
import time
from pathlib import Path

import numpy as np
import torch

from pstl.config import Params, Run, digest, validated
from pstl.errors import UserError
from pstl.metrics import top_k
from pstl.provenance import git_hash
from pstl.registry import load as load_plugin
from pstl.tasks import _result
from pstl.tasks._features import open_features
from pstl.tasks._result import Result
from pstl.train.pretrain import device_name, peak_memory


def evaluate(
    params: Params,
    run: Run,
    task: str,
    batch_norm: str,
    features: str | Path,
    out: str | Path,
    scores: str | Path | None,
    device: torch.device,
) -> None:
    """Run one task on frozen features and write its rows (and its test scores)."""
    began = time.monotonic()
    section = params.task(run.suite, task)
    module = load_plugin("tasks", section.kind)
    data = open_features(features)
    if data.meta["run"] != str(run) or data.meta["batch_norm"] != batch_norm:
        found = f"{data.meta['run']} ({data.meta['batch_norm']})"
        raise UserError(f"{features}: features of {found}, expected {run} ({batch_norm}); make them again with 'python -m pstl features'")
    result: Result = module.run(data, validated(module.Config, section.settings, f"tasks.{task}"), run.seed, device)
    facts = {
        **data.meta,
        "git": git_hash(),
        "device": device_name(device),
        "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(device),
    }
    _result.write(out, scores, _result.rows(run, task, batch_norm, result, facts), result, data.y_test)


def fuse(
    run: Run, task: str, batch_norm: str, files: dict[str, str], weights: dict[str, float], out: str | Path, scores: str | Path | None
) -> None:
    """Sum the streams' raw test scores with their weights.

    files: stream -> scores file; the stream's rows stand beside it.   weights: stream -> weight.
    Raises: UserError if a stream is missing or the files are not scores of the same test clips.
    """
    began = time.monotonic()
    if files.keys() != weights.keys():
        raise UserError(f"{run}: scores of {', '.join(sorted(files))}, expected {', '.join(sorted(weights))}")
    loaded = {stream: _read_scores(path) for stream, path in files.items()}
    truth = next(iter(loaded.values()))[1]
    for stream, (points, y) in loaded.items():
        if not points.size or not np.array_equal(y, truth):
            raise UserError(
                f"{files[stream]}: not scores of the {len(truth)} test clips the other streams have; evaluate this stream again"
            )
    total = np.sum([weights[stream] * points for stream, (points, _) in loaded.items()], axis=0)
    fused, classes = torch.from_numpy(total), torch.from_numpy(truth)
    setting = ";".join(f"{stream}={weight:g}" for stream, weight in weights.items())
    result = Result({"top1": float(top_k(fused, classes, 1)), "top5": float(top_k(fused, classes, 5))}, setting, total)
    parts = [json.loads(Path(path.replace(".scores.npz", ".json")).read_text())["rows"][0] for path in files.values()]
    facts = {
        "run_id": digest([str(run), sorted(part["run_id"] for part in parts)]), "device": "cpu", "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(torch.device("cpu")), "git": git_hash(), "data_checksum": parts[0]["data_checksum"],
        "settings_digest": digest([weights, sorted(part["settings_digest"] for part in parts)]),
    }  # fmt: skip
    _result.write(out, scores, _result.rows(run, task, batch_norm, result, facts), result, truth)


def _read_scores(path: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path) as content:
            return content["scores"], content["y"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not a readable scores file ({error}); delete it and evaluate the stream again") from None
