"""From features, or an encoder and an array, to the rows of one task, and from several streams' scores to the rows of their fusion."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pstl.config import Params, Run, digest, validated
from pstl.contracts import NotApplicable, Result, Task
from pstl.encoding.feature_file import clip_digest
from pstl.encoding.features import FeatureSet, open_features
from pstl.encoding.pretrained import Pretrained, open_pretrained
from pstl.encoding.recorded import Recorded, open_recorded
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.evaluation.scores import CELL, DATA, Scores, difference
from pstl.evaluation.scores import read as read_scores
from pstl.metrics.classification import top_k
from pstl.metrics.clips import ClipMetrics, accuracies, on_clips
from pstl.metrics.metric import UNSEEN, Metrics
from pstl.provenance import git_hash
from pstl.registry import load as load_plugin
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import device_name, peak_memory


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
    snapshots: str | Path | None = None,
) -> None:
    """Run one task as it needs, on frozen features, or on an encoder and an array, or on an encoder and whole recordings.

    Writes its rows and test scores. A long task resumes from `<task>.last.pt` beside `out`, which goes when it is done.
    Raises: UserError if something the task needs is not given or is of another run.
    """
    began = time.monotonic()
    section = params.task(run.suite, task)
    kind: Task = load_plugin("tasks", section.kind).TASK
    cfg = validated(kind.settings, section.settings, f"tasks.{task}")
    maker = params.encoder_run(run, task)
    given: FeatureSet | Pretrained | Recorded
    needs, progress = kind.needs, Path(out).with_name(f"{task}.last.pt")
    # Of the settings as they count, defaults included: what others have begun is not gone on with.
    shaped = digest([section.kind, cfg.model_dump(mode="json"), str(run), batch_norm])
    if needs == "recordings":
        files = (encoder, recordings)
        given = _recordings(run, maker, batch_norm, task, files, progress, shaped, device)
        meta = {**given.card.provenance, "data_checksum": given.store.checksum}
    elif needs != "features":
        if needs == "labelled_clips" and labels is None:
            raise UserError(
                f"{run}: task {task} reads which clips are labelled; pass --labels FILE, made with 'python -m pstl labels'"
            )
        given = _clips(
            run, maker, batch_norm, task, (encoder, array, labels), progress, shaped, device
        )  # fmt: skip
        if needs == "clips_and_features":
            given = replace(
                given,
                features=_same_weights(
                    _features(run, maker, batch_norm, features), given, features
                ),
            )
        if needs == "snapshots":
            if snapshots is None:
                raise UserError(
                    f"{run}: task {task} looks at a training on its way; pass --snapshots FILE"
                )
            classifier = encoder_file.load_classifier(str(encoder))
            given = replace(given, classifier=classifier, snapshots=snapshots)
        meta = {**given.card.provenance, "data_checksum": given.data.meta["checksum"]}
    else:
        given = _features(run, maker, batch_norm, features)
        meta = given.meta
    try:
        result = kind.run(given, cfg, run.seed, device)
    except NotApplicable as reason:
        result = Result(ClipMetrics(), not_applicable=str(reason))
    _check_declared(result, section.kind, kind)
    result = _with_source(result, run, maker)
    facts = {
        **meta, **_run_id(run, maker, meta["run_id"]), "git": git_hash(), "device": device_name(device),
        "seconds": time.monotonic() - began, "peak_mb": peak_memory(device),
    }  # fmt: skip
    about = {
        **_cell(run, task, batch_norm),
        **{key: meta[key] for key in ("data_checksum", "run_id")},
    }
    tested = _tested(given, about)
    if needs != "recordings":
        _check_unseen(result, section.kind, tested.unseen)
    result_file.write(
        out, scores, result_file.rows(run, task, batch_norm, result, facts), result, tested
    )


def _cell(run: Run, task: str, batch_norm: str) -> dict[str, Any]:
    """What names one cell of the grid, as it stands in its rows and beside its scores."""
    return {key: getattr(run, key) for key in CELL[:5]} | {
        "task": task,
        "batch_norm": batch_norm,
    }


def _tested(given: FeatureSet | Pretrained | Recorded, about: Mapping[str, Any]) -> Scores:
    """The test clips a task was given, without scores yet; none of whole recordings, whose tasks keep none."""
    if isinstance(given, FeatureSet):
        own = {"clips": given.meta.get("clips", "")}
        return Scores(np.zeros((0, 0), np.float32), given.y_test, given.unseen, {**about, **own})
    if isinstance(given, Pretrained):
        own = {"clips": clip_digest(given.data.names[i] for i in given.test)}
        if given.ranking is not None:
            own["labels"] = given.ranking.digest
        return Scores(
            np.zeros((0, 0), np.float32), given.data.y[given.test], given.unseen, {**about, **own}
        )
    return Scores(
        np.zeros((0, 0), np.float32), np.zeros(0, np.int64), np.zeros(0, bool), dict(about)
    )


def _check_declared(result: Result, name: str, task: Task) -> None:
    """Raises: UserError for a metric that the task does not declare: no table knows how to print it."""
    declared = Metrics({name: task.metrics})
    for metrics in (result.metrics, *result.others.values(), *result.norms.values()):
        if unknown := [metric for metric in metrics if declared.find(metric) is None]:
            raise UserError(
                f"task {name}: reports {unknown[0]!r}, which it does not declare; add it to its metrics"
            )


def _check_unseen(result: Result, kind: str, unseen: np.ndarray) -> None:
    """Raises: UserError if a task on clips made its metrics without on_clips(), which alone gives what copies of training clips hide."""
    ends = (UNSEEN,) if unseen.any() and not unseen.all() else ()
    for metrics in (result.metrics, *result.others.values(), *result.norms.values()):
        names = {name.removesuffix(UNSEEN) for name in metrics}
        if not isinstance(metrics, ClipMetrics) or set(metrics) != {
            name + end for name in names for end in ("", *ends)
        }:
            raise UserError(
                f"task {kind}: metrics of test clips without their figures on clips that repeat no training clip; "
                "make them with pstl.metrics.clips.on_clips"
            )


def _features(run: Run, maker: Run, batch_norm: str, path: str | Path | None) -> FeatureSet:
    """Cached features, of the run they should be of."""
    if path is None:
        raise UserError(
            f"{run}: this task reads features; pass --features FILE, made with 'python -m pstl features'"
        )
    data = open_features(path)
    found = tuple(data.meta.get(key) for key in ("run", "encoded_dataset", "split", "batch_norm"))
    wanted = (str(maker), run.dataset, run.split, batch_norm)
    if found != wanted:
        said, asked = ("{} of {}/{} ({})".format(*where) for where in (found, wanted))
        raise UserError(
            f"{path}: features by {said}, expected {asked}; make them again with 'python -m pstl features'"
        )
    return data


def _same_weights(features: FeatureSet, world: Pretrained, path: str | Path | None) -> FeatureSet:
    """The features, if encoder and array are those that made them. Raises: UserError."""
    own = {**world.card.provenance, "data_checksum": world.data.meta["checksum"]}
    for key, what in (("data_checksum", "array"), ("run_id", "encoder")):
        if features.meta[key] != own[key]:
            found = f"{str(features.meta[key])[:16]}, not {str(own[key])[:16]}"
            raise UserError(
                f"{path}: features of another {what} ({key} {found}); make them again with 'python -m pstl features'"
            )
    return features


def _clips(
    run: Run,
    maker: Run,
    batch_norm: str,
    task: str,
    files: tuple[str | Path | None, str | Path | None, str | Path | None],
    progress: Path,
    shaped: str,
    device: torch.device,
) -> Pretrained:
    """Encoder and array, the encoder of the run it should be of."""
    encoder, array, labels = files
    if encoder is None or array is None:
        raise UserError(
            f"{run}: task {task} works on clips; pass --encoder FILE and --array FOLDER"
        )
    world = open_pretrained(run, batch_norm, encoder, array, progress, shaped, device, labels)
    _check_maker(world.card, maker, encoder)
    return world


def _recordings(
    run: Run,
    maker: Run,
    batch_norm: str,
    task: str,
    files: tuple[str | Path | None, str | Path | None],
    progress: Path,
    shaped: str,
    device: torch.device,
) -> Recorded:
    """Encoder and recordings, the encoder of the run it should be of."""
    encoder, recordings = files
    if encoder is None or recordings is None:
        raise UserError(
            f"{run}: task {task} works on whole recordings; pass --encoder FILE and --recordings FOLDER"
        )
    world = open_recorded(run, batch_norm, encoder, recordings, progress, shaped, device)
    _check_maker(world.card, maker, encoder)
    return world


def _check_maker(card: EncoderCard, maker: Run, encoder: str | Path) -> None:
    """Raises: UserError if the encoder is of another run than it should be."""
    if (found := card.provenance.get("run")) != str(maker):
        raise UserError(
            f"{encoder}: encoder of {found}, expected {maker}; pass the encoder that 'python -m pstl pretrain' wrote for it"
        )


def _with_source(result: Result, run: Run, maker: Run) -> Result:
    """The setting names the data set and split the encoder comes from, where they are others."""
    if (maker.dataset, maker.split) == (run.dataset, run.split):
        return result

    def named(setting: str) -> str:
        return ";".join(filter(None, [f"source={maker.dataset}/{maker.split}", setting]))

    return replace(
        result,
        setting=named(result.setting),
        others={named(s): metrics for s, metrics in result.others.items()},
    )


def _run_id(run: Run, maker: Run, run_id: str) -> dict[str, str]:
    """Rows of a transfer, or of another suite's encoder, stand in another run than the encoder's, and are told apart from it."""
    return {} if maker == run else {"run_id": digest([str(run), run_id])}


def fuse(
    run: Run,
    task: str,
    batch_norm: str,
    files: dict[str, str],
    weights: dict[str, float],
    out: str | Path,
    scores: str | Path | None,
) -> None:
    """Sum the streams' raw test scores with their weights; top1_equal is the accuracy of their plain sum.

    The setting of the rows is the streams' own, which says what was asked of them, and the weights.
    files: stream -> scores file; the stream's rows stand beside it.   weights: stream -> weight.
    Raises: UserError if a stream is missing or the files are not scores of the same test clips.
    """
    began = time.monotonic()
    if files.keys() != weights.keys():
        raise UserError(
            f"{run}: scores of {', '.join(sorted(files))}, expected {', '.join(sorted(weights))}"
        )
    whole = {
        stream: result_file.read(path.replace(".scores.npz", ".json"))
        for stream, path in files.items()
    }
    if reason := next(
        (content["not_applicable"] for content in whole.values() if content.get("not_applicable")),
        "",
    ):
        empty = Scores(np.zeros((0, 0), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))
        return result_file.write(
            out, scores, [], Result(ClipMetrics(), not_applicable=reason), empty
        )
    loaded = {
        stream: _stream(run, task, batch_norm, stream, path) for stream, path in files.items()
    }
    first = next(iter(loaded.values()))
    for stream, found in loaded.items():
        other = difference(found, first, DATA)
        if not other and found.points.shape != first.points.shape:
            other = f"{found.points.shape[1]} classes, not {first.points.shape[1]}"
        if other:
            raise UserError(
                f"{files[stream]}: not scores of the {len(first.y)} test clips the other streams have ({other}); evaluate this stream again"
            )
    parts = [content["rows"][0] for content in whole.values()]
    facts = {
        "run_id": digest([str(run), sorted(part["run_id"] for part in parts)]), "device": "cpu", "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(torch.device("cpu")), "git": git_hash(), "data_checksum": parts[0]["data_checksum"],
        "settings_digest": digest([weights, sorted(part["settings_digest"] for part in parts)]),
    }  # fmt: skip
    points = {stream: found.points for stream, found in loaded.items()}
    result = _fused(points, weights, first, _common_setting(run, task, parts))
    if labelled := next(iter(whole.values())).get("labelled"):  # of the same draw in all, see above
        result = replace(result, labelled=labelled)
    about = {**first.about, **_cell(run, task, batch_norm), "run_id": facts["run_id"]}
    result_file.write(
        out,
        scores,
        result_file.rows(run, task, batch_norm, result, facts),
        result,
        replace(first, about=about),
    )


def _common_setting(run: Run, task: str, parts: list[dict[str, Any]]) -> str:
    """The setting that the rows of all streams have. Raises: UserError if they differ."""
    settings = sorted({part.get("setting", "") for part in parts})
    if len(settings) > 1:
        raise UserError(
            f"{run}, {task}: streams of different settings ({', '.join(settings)}); evaluate them again"
        )
    return settings[0]


def _fused(
    points: dict[str, np.ndarray], weights: dict[str, float], tested: Scores, asked: str
) -> Result:  # fmt: skip
    """Metrics of the weighted sum of the streams' scores (N, classes), and top1_equal of their plain sum.

    asked: the setting of the streams.
    """
    total = np.sum([weights[stream] * own for stream, own in points.items()], axis=0)
    fused, equal = torch.from_numpy(total), torch.from_numpy(np.sum(list(points.values()), axis=0))
    y = torch.from_numpy(tested.y)

    def measure(kept: torch.Tensor) -> dict[str, float]:
        return accuracies(fused[kept], y[kept]) | {
            "top1_equal": float(top_k(equal[kept], y[kept], 1))
        }

    summed = (f"{stream}={weight:g}" for stream, weight in weights.items())
    setting = ";".join(filter(None, [asked, *summed]))
    return Result(on_clips(measure, tested.unseen), setting, total)


def _stream(run: Run, task: str, batch_norm: str, stream: str, path: str) -> Scores:
    """One stream's scores. Raises: UserError if there are none in it, or they are of another cell."""
    found = read_scores(path)
    if not found.points.size:
        raise UserError(
            f"{path}: holds no class scores, so there is nothing to fuse; evaluate this stream again"
        )
    wanted = {**_cell(run, task, batch_norm), "stream": stream}
    wrong = [
        f"{key} {found.about[key]}, not {value}"
        for key, value in wanted.items()
        if found.about.get(key, value) != value
    ]
    if wrong:
        raise UserError(
            f"{path}: scores of another cell ({', '.join(wrong)}); pass the file of stream {stream} of {run}"
        )
    return found
