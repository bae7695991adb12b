"""Anybody's detections against anybody's ground truth, both as folders with one text per video."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pstl.data.formats import interval_txt
from pstl.errors import UserError
from pstl.metrics.detection import ActionInterval, greedy, pkummd, tied
from pstl.registry import load_dataset, names


def classes_of(dataset: str | None, classes: int | None) -> int:
    """How many classes there are, a mean over which counts those that nobody labelled.

    Raises: UserError if neither the data set nor the number says so, or one contradicts the other.
    """
    if dataset is None and classes is None:
        counts = {name: len(load_dataset(name).spec.classes) for name in names("data.datasets")}
        listed = ", ".join(f"{name} ({count})" for name, count in counts.items())
        asked = "of how many classes are these? name the data set with --dataset"
        raise UserError(f"{asked}, known: {listed}; or pass --classes N")
    if classes is not None and classes < 1:
        raise UserError(f"--classes {classes}: expected 1 or more")
    if dataset is None:
        return int(classes or 0)
    count = len(load_dataset(dataset).spec.classes)
    if classes not in (None, count):
        raise UserError(f"--classes {classes}: {dataset} has {count}; leave one of the two out")
    return count


def score_detections(
    truth: str | Path, proposals: str | Path, theta: float, classes: int
) -> dict[str, Any]:
    """Every video of `truth` counts; one without a proposal file has no proposals and is named in
    `videos_without_proposals`.

    theta: overlap from which a proposal matches, above 0 and at most 1.
    classes: labels are 1..classes.
    Returns: PKU-MMD's f1, ap, map_action, map_video, ap_2d, the same without the quirks under
    `greedy`, and counts.
    Raises: UserError for a file that cannot be read, a label above `classes`, or proposals for a
    video without ground truth.
    """
    if not 0 < theta <= 1:
        raise UserError(f"--theta {theta:g}: expected an overlap above 0 and at most 1, e.g. 0.5")
    true = interval_txt.read_folder(truth, confidences=False)
    proposed = interval_txt.read_folder(proposals)
    if stray := sorted(proposed.keys() - true.keys()):
        raise UserError(
            f"{proposals}: {len(stray)} videos have no ground truth in {truth}, e.g. {stray[0]}; "
            "names must be the same"
        )
    sides = {"truth": _joined(true), "proposals": _joined(proposed)}
    _check_labels(truth, sides["truth"], 1, classes)
    _check_labels(proposals, sides["proposals"], 0, classes)
    videos = sorted(true)
    return {
        "protocol": "PKU-MMD evaluate.py; "
        "under 'greedy': one-to-one matching, precision at the rank",
        "theta": theta,
        **pkummd(**sides, theta=theta, videos=videos, classes=classes),
        "greedy": greedy(**sides, theta=theta, videos=videos),
        "classes": classes,
        "videos": len(true),
        "ground_truths": len(sides["truth"]),
        "proposals": len(sides["proposals"]),
        "proposals_of_equal_confidence": tied(sides["proposals"]),
        "videos_without_proposals": sorted(true.keys() - proposed.keys()),
    }


def _joined(by_video: Mapping[str, Sequence[ActionInterval]]) -> list[ActionInterval]:
    return list(chain.from_iterable(by_video.values()))


def _check_labels(
    folder: str | Path, intervals: list[ActionInterval], least: int, classes: int
) -> None:
    """Raises: UserError for a label below `least` or above `classes`."""
    for interval in intervals:
        if not least <= interval.label <= classes:
            where = f"{Path(folder) / interval.video}, video {interval.video}"
            raise UserError(
                f"{where}: label {interval.label}, expected 1 to {classes}; "
                "pass --classes N for another data set"
            )


def remarks(scores: dict[str, Any]) -> list[str]:
    """What one should know of these scores before one believes them, one line each."""
    lines = []
    if missing := scores["videos_without_proposals"]:
        count = f"{len(missing)} of {scores['videos']} videos"
        names_of_videos = ", ".join(missing)
        lines.append(f"{count} have no proposal file and count as empty: {names_of_videos}")
    if ties := scores["proposals_of_equal_confidence"]:
        count = f"{ties} of {scores['proposals']} proposals"
        lines.append(
            f"{count} share their confidence with another: PKU-MMD's numbers then depend on "
            "the order of files (here by name) and of their lines, greedy ones on neither"
        )
    return lines


def text(scores: dict[str, Any]) -> str:
    """Scores as lines to read: protocol, metric, value."""
    metrics = ("f1", "ap", "map_action", "map_video", "ap_2d")
    lines = [("PKU-MMD", metric, scores[metric]) for metric in metrics]
    lines += [("greedy", metric, value) for metric, value in scores["greedy"].items()]
    return "".join(f"{protocol:<8} {metric:<11}{value:.4f}\n" for protocol, metric, value in lines)
