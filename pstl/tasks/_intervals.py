"""From scores of frames to labelled intervals in time, and how these are measured."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pstl.metrics.detection import ActionInterval, greedy, overlap, pkummd
from pstl.metrics.metric import Metric
from pstl.ops.timeline import runs, smooth
from pstl.records import Recording

METRICS = (
    Metric("f1"),
    Metric("ap"),
    Metric(
        "map_action",
        title="Detection: mean average precision over actions by PKU-MMD's protocol at overlap "
        "0.5, in percent",
    ),
    # What is gained by pre-training, run by run: its interval over seeds is a paired test.
    Metric("above_scratch", label="map_action, this − from scratch", unit="points"),
    Metric("map_video"),
    Metric("ap_2d"),
    Metric("greedy_ap"),
    Metric("greedy_map_action"),
    Metric("greedy_map_video"),
    Metric("map_action_{}", over="overlap"),
    Metric("map_video_{}", over="overlap"),
    Metric("greedy_map_action_{}", over="overlap"),
    Metric("greedy_map_video_{}", over="overlap"),
    Metric("frame_accuracy"),
    Metric("proposals", unit="intervals"),
    Metric("smoothing", unit="frames"),
    Metric("least", unit="frames"),
)

SAME = 0.5  # overlap above which two cuts are of one action, as results are judged by default

Scores = list[Tensor]  # of each recording: (frames, 1 + classes) probabilities, 0 is background


class PostProcessing(NamedTuple):
    """From scores to intervals.

    smoothing: frames of the moving average.   least: frames of the shortest interval.
    levels: probabilities at which an action's intervals are cut; (): where it is the most probable.
    """

    smoothing: int
    least: int
    levels: tuple[float, ...] = ()


def intervals(scores: Tensor, recording: Recording, post: PostProcessing) -> list[ActionInterval]:
    """Intervals of one recording and how sure they are.

    scores: (T, 1 + classes).   Ends are times of frames, labels from 1.
    """
    smoothed = smooth(scores, post.smoothing).cpu()
    if post.levels:
        return above_levels(smoothed, recording, post)
    total = torch.cat([smoothed.new_zeros(1, smoothed.shape[1]), smoothed.cumsum(0)])
    proposals = []
    for label, first, last in runs(smoothed.argmax(1)).tolist():
        frames = last - first + 1
        if label and frames >= post.least:
            confidence = float(total[last + 1, label] - total[first, label]) / frames
            proposals.append(_interval(recording, label, first, last, confidence))
    return proposals


def above_levels(
    smoothed: Tensor, recording: Recording, post: PostProcessing
) -> list[ActionInterval]:
    """Of every action the runs of frames in which it is more probable than each of the levels.

    So an action that is sure in its middle alone is cut wide and narrow. The confidence is the mean
    probability inside less that around it (the outer-inner contrast of AutoLoc, Shou et al., ECCV
    2018), which chooses between cuts: of those that overlap by more than SAME the best stays.
    smoothed: (T, 1 + classes).
    """
    proposals = []
    for label in range(1, smoothed.shape[1]):
        of_label = smoothed[:, label]
        cuts = []
        for level in post.levels:
            for above, first, last in runs((of_label > level).long()).tolist():
                if above and last - first + 1 >= post.least:
                    confidence = contrast(of_label, first, last)
                    cuts.append(_interval(recording, label, first, last, confidence))
        proposals += without_repeats(cuts)
    return proposals


def contrast(probability: Tensor, first: int, last: int) -> float:
    """Mean probability of frames first to last less that of the frames around them, a third as many
    on either side and at least two.

    probability: (T,).
    >>> round(contrast(torch.tensor([0.2, 0.2, 0.8, 0.8, 0.8, 0.0, 0.0, 0.9]), 2, 4), 4)
    0.7
    """
    # Other margins lay within 3 points of mAP on UTKinect's training performers.
    margin = max(2, round((last - first + 1) / 3))
    around = [probability[max(0, first - margin) : first], probability[last + 1 :][:margin]]
    inside, outside = probability[first : last + 1].mean(), torch.cat(around)
    return float(inside - outside.mean()) if len(outside) else float(inside)


def without_repeats(cuts: Sequence[ActionInterval]) -> list[ActionInterval]:
    """Of intervals of one label in one recording the most confident, then those that overlap none
    that stays by more than SAME.
    """
    kept: list[ActionInterval] = []
    for cut in sorted(cuts, key=lambda cut: -cut.confidence):
        if all(overlap(cut, other) <= SAME for other in kept):
            kept.append(cut)
    return kept


def _interval(
    recording: Recording, label: int, first: int, last: int, confidence: float
) -> ActionInterval:
    """An interval between two frames, in times."""
    times = recording.times
    return ActionInterval(
        recording.clip.name, label, float(times[first]), float(times[last]), confidence
    )


def all_intervals(
    scores: Scores, recordings: Sequence[Recording], post: PostProcessing
) -> list[ActionInterval]:
    """intervals() of several recordings, one after the other."""
    proposals = []
    for of_frames, recording in zip(scores, recordings, strict=True):
        proposals += intervals(of_frames, recording, post)
    return proposals


def ground_truth(recordings: Sequence[Recording]) -> list[ActionInterval]:
    """Labelled intervals as they stand in the data set, labels from 1."""
    truth = []
    for recording in recordings:
        for label, start, end in recording.actions:
            truth.append(ActionInterval(recording.clip.name, label + 1, start, end))
    return truth


def frame_accuracy(scores: Scores, recordings: Sequence[Recording], post: PostProcessing) -> float:
    """Percent of all frames whose most probable action, or none, is the true one."""
    right = []
    for of_frames, recording in zip(scores, recordings, strict=True):
        predicted = smooth(of_frames, post.smoothing).argmax(1).cpu().numpy()
        right.append(predicted == recording.labels() + 1)
    return 100 * float(np.concatenate(right).mean())


def interval_metrics(
    recordings: Sequence[Recording],
    proposals: list[ActionInterval],
    classes: int,
    theta: float,
    thetas: Sequence[float],
) -> dict[str, float]:
    """Both protocols, in percent.

    Everything at the overlap `theta`, without it in the name; at the other `thetas` the means over
    actions and videos.
    """
    truth, videos = ground_truth(recordings), [recording.clip.name for recording in recordings]
    metrics: dict[str, float] = {}
    for threshold in dict.fromkeys((theta, *thetas)):
        end = "" if threshold == theta else f"_{threshold:g}"
        shares = pkummd(truth, proposals, threshold, videos, classes)
        one_to_one = greedy(truth, proposals, threshold, videos)
        shares |= {f"greedy_{name}": value for name, value in one_to_one.items()}
        for name, value in shares.items():
            if not end or "map" in name:
                metrics[f"{name}{end}"] = 100 * value
    return metrics


def schedule_scores(train: Sequence[Recording], test: Sequence[Recording], classes: int) -> Scores:
    """What the training recordings showed at the same share of their time.

    A baseline for data whose actions come in one order.
    """
    one_hot = np.eye(classes + 1)
    scores = []
    for recording in test:
        shown = []
        for other in train:
            apart = np.abs(share_of_time(other)[None] - share_of_time(recording)[:, None])
            shown.append(one_hot[other.labels()[apart.argmin(1)] + 1])
        scores.append(torch.from_numpy(np.mean(shown, axis=0)))
    return scores


def background_scores(test: Sequence[Recording], classes: int) -> Scores:
    """No action anywhere: what a frame accuracy has to be compared with."""
    scores = []
    for recording in test:
        of_frames = torch.zeros(len(recording.times), 1 + classes)
        of_frames[:, 0] = 1
        scores.append(of_frames)
    return scores


def share_of_time(recording: Recording) -> np.ndarray:
    """When each frame was recorded, from 0, the first, to 1, the last: (T,)."""
    times = recording.times
    share: np.ndarray = (times - times[0]) / max(times[-1] - times[0], 1e-9)
    return share


def timeline(
    recording: Recording, proposals: list[ActionInterval], classes: tuple[str, ...]
) -> dict[str, Any]:
    """What was proposed for one recording beside the truth, for the report.

    In frames from its start, classes from 0.
    """
    times = recording.times
    own = [proposal for proposal in proposals if proposal.video == recording.clip.name]
    first = np.searchsorted(times, [proposal.start for proposal in own]).tolist()
    last = np.searchsorted(times, [proposal.end for proposal in own]).tolist()
    shown = [
        [start, end, proposal.label - 1, proposal.confidence]
        for start, end, proposal in zip(first, last, own, strict=True)
    ]
    truth = []
    for label, start, end in recording.actions:
        truth.append([*np.searchsorted(times, [start, end]).tolist(), label])
    return {
        "name": recording.clip.name,
        "frames": len(times),
        "classes": list(classes),
        "truth": truth,
        "found": shown,
    }
