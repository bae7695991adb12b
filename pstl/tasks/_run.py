"""From features, or an encoder and an array, to the rows of one task, and from several streams' scores to the rows of their fusion."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pstl.config import Params, Run, TaskSettings, digest, validated
from pstl.errors import UserError
from pstl.metrics import top_k
from pstl.provenance import git_hash
from pstl.registry import load as load_plugin
from pstl.tasks import _result
from pstl.tasks._features import FeatureSet, open_features
from pstl.tasks._measures import measures
from pstl.tasks._pretrained import Pretrained, open_pretrained
from pstl.tasks._recorded import Recorded, open_recorded
from pstl.tasks._result import NotApplicable, Result
from pstl.train.encoder_file import EncoderCard
from pstl.train.pretrain import device_name, peak_memory


def evaluate(
    params: Params,
    run: Run,
    task: str,
    batch_norm: str,
    features: str | Path | None,
    out: str | Path,
    scores: str | Path | None,
    device: torch.device,
    encoder: str | Path | None = None,
    array: str | Path | None = None,
    recordings: str | Path | None = None,
    labels: str | Path | None = None,
) -> None:
    """Run one task as its NEEDS say, on frozen features, or on an encoder and an array, or on an encoder and whole recordings.

    Writes its rows and test scores. A long task resumes from `<task>.last.pt` beside `out`, which goes when it is done.
    Raises: UserError if something the task needs is not given or is of another run.
    """
    began = time.monotonic()
    section = params.task(run.suite, task)
    module = load_plugin("tasks", section.kind)
    cfg = validated(module.Config, section.settings, f"tasks.{task}")
    maker = params.encoder_run(run, task)
    given: FeatureSet | Pretrained | Recorded
    needs, progress = getattr(module, "NEEDS", "features"), Path(out).with_name(f"{task}.last.pt")
    if needs == "recordings":
        given = _recordings(run, maker, batch_norm, task, (encoder, recordings), progress, section, device)
        meta, y = {**given.card.provenance, "data_checksum": given.store.checksum}, np.zeros(0, np.int64)
    elif needs in ("clips", "labels", "both"):
        if needs == "labels" and labels is None:
            raise UserError(f"{run}: task {task} reads which clips are labelled; pass --labels FILE, made with 'python -m pstl labels'")
        given = _clips(run, maker, batch_norm, task, (encoder, array, labels), progress, section, device)
        if needs == "both":
            given = replace(given, features=_features(run, maker, batch_norm, features))
        meta, y = {**given.card.provenance, "data_checksum": given.data.meta["checksum"]}, given.data.y[given.test]
    else:
        given = _features(run, maker, batch_norm, features)
        meta, y = given.meta, given.y_test
    try:
        result: Result = module.run(given, cfg, run.seed, device)
    except NotApplicable as reason:
        result = Result({}, not_applicable=str(reason))
    result = _with_source(result, run, maker)
    facts = {
        **meta, **_run_id(run, maker, meta["run_id"]), "git": git_hash(), "device": device_name(device),
        "seconds": time.monotonic() - began, "peak_mb": peak_memory(device),
    }  # fmt: skip
    _result.write(out, scores, _result.rows(run, task, batch_norm, result, facts), result, y)


def _features(run: Run, maker: Run, batch_norm: str, path: str | Path | None) -> FeatureSet:
    """Cached features, of the run they should be of."""
    if path is None:
        raise UserError(f"{run}: this task reads features; pass --features FILE, made with 'python -m pstl features'")
    data = open_features(path)
    found, wanted = (data.meta["run"], data.meta["encoded_dataset"], data.meta["batch_norm"]), (str(maker), run.dataset, batch_norm)
    if found != wanted:
        raise UserError(
            f"{path}: features by {found[0]} of {found[1]} ({found[2]}), expected {wanted[0]} of {wanted[1]} ({wanted[2]}); "
            "make them again with 'python -m pstl features'"
        )
    return data


def _clips(
    run: Run,
    maker: Run,
    batch_norm: str,
    task: str,
    files: tuple[str | Path | None, str | Path | None, str | Path | None],
    progress: Path,
    section: TaskSettings,
    device: torch.device,
) -> Pretrained:
    """Encoder and array, the encoder of the run it should be of."""
    encoder, array, labels = files
    if encoder is None or array is None:
        raise UserError(f"{run}: task {task} works on clips; pass --encoder FILE and --array FOLDER")
    world = open_pretrained(run, batch_norm, encoder, array, progress, _shaped(section, run, batch_norm), device, labels)
    _check_maker(world.card, maker, encoder)
    return world


def _recordings(
    run: Run,
    maker: Run,
    batch_norm: str,
    task: str,
    files: tuple[str | Path | None, str | Path | None],
    progress: Path,
    section: TaskSettings,
    device: torch.device,
) -> Recorded:
    """Encoder and recordings, the encoder of the run it should be of."""
    encoder, recordings = files
    if encoder is None or recordings is None:
        raise UserError(f"{run}: task {task} works on whole recordings; pass --encoder FILE and --recordings FOLDER")
    world = open_recorded(run, batch_norm, encoder, recordings, progress, _shaped(section, run, batch_norm), device)
    _check_maker(world.card, maker, encoder)
    return world


def _shaped(section: TaskSettings, run: Run, batch_norm: str) -> str:
    """Digest of what a task's own settings shape."""
    return digest([section.model_dump(mode="json", exclude={"summary", "published"}), str(run), batch_norm])


def _check_maker(card: EncoderCard, maker: Run, encoder: str | Path) -> None:
    """Raises: UserError if the encoder is of another run than it should be."""
    if (found := card.provenance.get("run")) != str(maker):
        raise UserError(f"{encoder}: encoder of {found}, expected {maker}; pass the encoder that 'python -m pstl pretrain' wrote for it")


def _with_source(result: Result, run: Run, maker: Run) -> Result:
    """The setting names the data set the encoder comes from, where it is another one."""
    if (maker.dataset, maker.split) == (run.dataset, run.split):
        return result
    source = maker.dataset if maker.dataset != run.dataset else f"{maker.dataset}/{maker.split}"

    def named(setting: str) -> str:
        return ";".join(filter(None, [f"source={source}", setting]))

    return replace(result, setting=named(result.setting), others={named(s): metrics for s, metrics in result.others.items()})


def _run_id(run: Run, maker: Run, run_id: str) -> dict[str, str]:
    """Rows of a transfer, or of another suite's encoder, stand in another run than the encoder's, and are told apart from it."""
    return {} if maker == run else {"run_id": digest([str(run), run_id])}


def fuse(
    run: Run, task: str, batch_norm: str, files: dict[str, str], weights: dict[str, float], out: str | Path, scores: str | Path | None
) -> None:
    """Sum the streams' raw test scores with their weights; top1_equal is the accuracy of their plain sum.

    files: stream -> scores file; the stream's rows stand beside it.   weights: stream -> weight.
    Raises: UserError if a stream is missing or the files are not scores of the same test clips.
    """
    began = time.monotonic()
    if files.keys() != weights.keys():
        raise UserError(f"{run}: scores of {', '.join(sorted(files))}, expected {', '.join(sorted(weights))}")
    whole = {stream: json.loads(Path(path.replace(".scores.npz", ".json")).read_text()) for stream, path in files.items()}
    if reason := next((content["not_applicable"] for content in whole.values() if content.get("not_applicable")), ""):
        return _result.write(out, scores, [], Result({}, not_applicable=reason), np.zeros(0, np.int64))
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
    equal = torch.from_numpy(np.sum([points for points, _ in loaded.values()], axis=0))
    result = Result({**measures(fused, classes), "top1_equal": float(top_k(equal, classes, 1))}, setting, total)
    parts = [content["rows"][0] for content in whole.values()]
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
