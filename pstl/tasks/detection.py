"""Temporal action detection: scores of sliding windows, averaged where they overlap, become
intervals with a label and a confidence.
"""

from collections.abc import Callable
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.config import Count, Frozen, TrainSettings
from pstl.contracts import Batch, Losses, NotApplicable, Recording, Result, Task
from pstl.encoding import windows
from pstl.encoding.heads import (
    FeatureRows,
    Head,
    TunedEncoder,
    cached,
    outputs_of,
)
from pstl.encoding.recorded import Recorded
from pstl.metrics.detection import Interval, greedy, pkummd
from pstl.metrics.metric import Metric
from pstl.ops.finite import check_rows
from pstl.ops.timeline import overlap_mean, runs, smooth, spread
from pstl.rng import numpy_generator, torch_generator

METRICS = (
    Metric("f1"),
    Metric("ap"),
    Metric(
        "map_action",
        title="Detection: mean average precision over actions by PKU-MMD's protocol at overlap 0.5, "
        "in percent",
    ),
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
    Metric("proposals"),
    Metric("smoothing"),
    Metric("least"),
)
DRAWN = 2  # test recordings kept for the report

Scores = list[Tensor]  # of each recording: (frames, 1 + classes) probabilities, 0 is background


class Training(TrainSettings):
    """Adam and cosine, as in PSTL's linear probe (PSTL spec 8); the batch is smaller, because a
    window has many rows.
    """

    epochs: int = Field(60, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(0.01, gt=0)


class Config(Frozen):
    """Nobody's protocol: Hi-TRS's own was not published (Hi-TRS spec 8).

    What is tuned is chosen on training recordings only.
    """

    # a linear layer on frozen, standardised feature rows, or the encoder with it

    tune: Literal["head", "all"] = "head"
    window: int = Field(64, ge=2)  # frames
    stride: int = Field(16, ge=1)  # frames between windows, in training and in test
    background: float = Field(
        1.0, gt=0
    )  # weight of background frames in the loss: most frames are background
    train: Training = Training.model_validate({})
    thetas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.1, 0.3, 0.5, 0.7)
    theta: float = Field(
        0.5, gt=0, le=1
    )  # of the metrics without a threshold in their name, and of what is chosen
    held_out: float = Field(
        0.3, gt=0, lt=1
    )  # share of the training performers on whom smoothing and least length are chosen
    smoothing: tuple[Count, ...] = Field((1, 5, 9, 15), min_length=1)  # frames, odd
    least: tuple[Count, ...] = Field(
        (1, 4, 8, 12), min_length=1
    )  # frames of the shortest interval kept


class Post(NamedTuple):
    """From scores to intervals: frames of the moving average, frames of the shortest interval."""

    smoothing: int
    least: int


Scorer = Callable[
    [np.ndarray, np.ndarray, str], Scores
]  # training and test recordings, name of the training -> scores of the latter


class Detection(Task[Recorded, Config]):
    """Actions found in untrimmed recordings."""

    needs = "recordings"
    settings = Config
    metrics = METRICS

    def run(self, world: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """PKU-MMD's f1, ap, map_action, map_video and ap_2d, the same with one-to-one matching as
        greedy_*, in percent, and frame_accuracy.

        Metrics of other overlaps than cfg.theta end in it. The setting `training schedule` is a
        baseline that sees no joint.
        Raises: NotApplicable for an encoder without weights, if it is to be tuned.
        """
        if cfg.tune == "all" and not any(p.requires_grad for p in world.encoder.parameters()):
            raise NotApplicable("this encoder has no weights to tune")

        def score(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            return window_scores(world, cfg, train, test, what)

        def schedule(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            return schedule_scores(
                [world.store[i] for i in train],
                [world.store[i] for i in test],
                len(world.store.spec.classes),
            )

        (metrics, found), (baseline, _) = detect(world, cfg, score), detect(world, cfg, schedule)
        world.done()
        shown = [
            timeline(world.store[i], found, world.store.spec.classes) for i in world.test[:DRAWN]
        ]
        return Result(
            metrics,
            f"tune={cfg.tune}",
            others={"baseline=training schedule": baseline},
            timelines=shown,
        )


def timeline(
    recording: Recording, found: list[Interval], classes: tuple[str, ...]
) -> dict[str, Any]:
    """What was found in one recording beside what is there, in frames from its start, classes from
    0: for the report.
    """
    at = recording.times
    own = [p for p in found if p.video == recording.clip.name]
    spans = np.searchsorted(at, [[p.start, p.end] for p in own] or np.zeros((0, 2))).tolist()
    truth = np.searchsorted(
        at, [[start, end] for _, start, end in recording.actions] or np.zeros((0, 2))
    ).tolist()
    return {
        "name": recording.clip.name, "frames": len(at), "classes": list(classes),
        "truth": [[*span, label] for span, (label, _, _) in zip(truth, recording.actions, strict=True)],
        "found": [[*span, p.label - 1, p.confidence] for span, p in zip(spans, own, strict=True)],
    }  # fmt: skip


def detect(world: Recorded, cfg: Config, score: Scorer) -> tuple[dict[str, float], list[Interval]]:
    """Choose the post-processing on held-out training recordings, then score the test recordings
    with all of training.
    """
    fit, held = hold_out(world, cfg)
    post = choose(cfg, score(fit, held, "held out"), [world.store[i] for i in held])
    tests = [world.store[i] for i in world.test]
    scores = score(world.train, world.test, "all of training")
    found = [p for s, r in zip(scores, tests, strict=True) for p in intervals(s, r, post)]
    right = [
        (smooth(s, post.smoothing).argmax(1).cpu().numpy() == r.labels() + 1)
        for s, r in zip(scores, tests, strict=True)
    ]
    metrics = {
        **measures(cfg, tests, found, len(world.store.spec.classes)),
        "frame_accuracy": 100 * float(np.concatenate(right).mean()),
        "proposals": len(found),
        "smoothing": post.smoothing,
        "least": post.least,
    }
    return metrics, found


def hold_out(world: Recorded, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Training recordings in two parts, by performer if there are several; of a single recording
    both parts are it.
    """
    subjects = np.array([world.store[i].clip.subject for i in world.train])
    group = subjects if len(set(subjects.tolist())) > 1 else np.arange(len(subjects))
    names = np.unique(group)
    if len(names) == 1:
        return world.train, world.train
    count = min(len(names) - 1, max(1, round(cfg.held_out * len(names))))
    chosen = numpy_generator(0, "held out").permutation(names)[
        :count
    ]  # of all seeds the same: seeds differ in training only
    held = np.isin(group, chosen)
    return world.train[~held], world.train[held]


def choose(cfg: Config, scores: Scores, recordings: list[Recording]) -> Post:
    """The candidate with the best mean of greedy average precision over classes; of equals the
    first.
    """
    truth, videos = ground_truth(recordings), [r.clip.name for r in recordings]

    def worth(post: Post) -> float:
        found = [p for s, r in zip(scores, recordings, strict=True) for p in intervals(s, r, post)]
        return greedy(truth, found, cfg.theta, videos)["map_action"]

    return max((Post(*pair) for pair in product(cfg.smoothing, cfg.least)), key=worth)


def intervals(scores: Tensor, recording: Recording, post: Post) -> list[Interval]:
    """Runs of frames with one most probable action; confidence is its mean probability over the
    run.

    scores: (T, 1 + classes).   Ends are times of frames, labels from 1.
    """
    smoothed = smooth(scores, post.smoothing).cpu()
    total = torch.cat([smoothed.new_zeros(1, smoothed.shape[1]), smoothed.cumsum(0)])
    found = []
    for label, first, last in runs(smoothed.argmax(1)).tolist():
        if label and last - first + 1 >= post.least:
            confidence = float(total[last + 1, label] - total[first, label]) / (last - first + 1)
            found.append(
                Interval(
                    recording.clip.name,
                    label,
                    float(recording.times[first]),
                    float(recording.times[last]),
                    confidence,
                )
            )
    return found


def ground_truth(recordings: list[Recording]) -> list[Interval]:
    """Labelled intervals as they stand in the data set, labels from 1."""
    return [
        Interval(r.clip.name, label + 1, start, end)
        for r in recordings
        for label, start, end in r.actions
    ]


def measures(
    cfg: Config, recordings: list[Recording], found: list[Interval], classes: int
) -> dict[str, float]:
    """Both protocols, in percent: everything at cfg.theta, without it in the name, and the means
    over actions and videos at the others.
    """
    truth, videos = ground_truth(recordings), [r.clip.name for r in recordings]
    metrics: dict[str, float] = {}
    for theta in dict.fromkeys((cfg.theta, *cfg.thetas)):
        end = "" if theta == cfg.theta else f"_{theta:g}"
        both = pkummd(truth, found, theta, videos, classes) | {
            f"greedy_{k}": v for k, v in greedy(truth, found, theta, videos).items()
        }
        metrics |= {
            f"{name}{end}": 100 * value for name, value in both.items() if not end or "map" in name
        }
    return metrics


def schedule_scores(train: list[Recording], test: list[Recording], classes: int) -> Scores:
    """What the training recordings were doing at the same share of their time: a baseline for data
    whose actions come in one order.
    """
    share = [(r.times - r.times[0]) / max(r.times[-1] - r.times[0], 1e-9) for r in train]
    scores = []
    for recording in test:
        at = (recording.times - recording.times[0]) / max(
            recording.times[-1] - recording.times[0], 1e-9
        )
        nearest = [np.abs(s[None] - at[:, None]).argmin(1) for s in share]
        shown = [
            np.eye(classes + 1)[r.labels()[i] + 1] for r, i in zip(train, nearest, strict=True)
        ]
        scores.append(torch.from_numpy(np.mean(shown, axis=0)))
    return scores


def window_scores(
    world: Recorded, cfg: Config, train: np.ndarray, test: np.ndarray, what: str
) -> Scores:
    """Train on the windows of some recordings, score the frames of others."""
    spec = world.store.spec
    train_windows, test_windows = (_windows_of(world, cfg, side) for side in (train, test))
    clips, shown = world.clips(train_windows.data, labelled=True), world.clips(test_windows.data)
    encoder = world.copy()
    world.renew(encoder, clips)
    with torch.inference_mode():
        x, length, _ = clips.take(torch.arange(1))
        rows, width = windows.encode(world.card, encoder, x, length).frames.shape[1:]
    at = windows.row_times(world.card, encoder, cfg.window, clips.x.shape[2], rows)
    head = FrameClassifier(width, at, len(spec.classes), cfg.background, world.run.seed)
    detector = TunedEncoder(encoder, world.card, head, width, "frames").to(world.device)
    if cfg.tune == "all":
        world.fit(detector, clips, cfg.train, what)
        world.renew(encoder, clips)
        detector.renew(clips)
        scores = outputs_of(detector, shown)
    else:
        sides = cached(detector.rows, clips), cached(detector.rows, shown)
        features = detector.standard.standardised(*sides)
        train_rows = FeatureRows(features[0], train_windows.data.y, world.device)
        test_rows = FeatureRows(features[1], test_windows.data.y, world.device)
        world.fit(head, train_rows, cfg.train, what)
        scores = outputs_of(head, test_rows)
    probabilities = scores.softmax(2)
    check_rows(probabilities.cpu().numpy(), "scores of the test windows", shown.name)
    return _frames(probabilities, head.at, test_windows)


def _windows_of(world: Recorded, cfg: Config, recordings: np.ndarray) -> windows.Windows:
    """Windows of some recordings, by their numbers."""
    spec = world.store.spec
    chosen = [world.store[i] for i in recordings]
    return windows.cut(chosen, cfg.window, cfg.stride, world.card, spec.skeleton, spec.people)


class FrameClassifier(Head):
    """A linear layer on feature rows: cross-entropy with the label of the frame each is about.

    width: D.   at: (R,) the frame of a window that each row is about.
    background: its weight in the loss; actions have 1.
    """

    def __init__(self, width: int, at: Tensor, classes: int, background: float, seed: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes + 1)
        nn.init.xavier_normal_(self.linear.weight, generator=torch_generator(seed, "detection"))
        nn.init.zeros_(self.linear.bias)
        weight = torch.tensor([background] + [1.0] * classes)
        self.register_buffer("at", at, persistent=False)
        self.register_buffer("weight", weight, persistent=False)
        self.at: Tensor
        self.weight: Tensor

    def outputs(self, batch: Batch) -> Tensor:
        """Scores (N, R, 1 + classes) of feature rows, background first."""
        scores: Tensor = self.linear(batch.x)
        return scores

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        assert batch.y is not None  # the windows carry them
        scores, y = self.outputs(batch), batch.y[:, self.at.round().long()]
        return {"loss": F.cross_entropy(scores.flatten(0, 1), y.flatten(), weight=self.weight)}


def _frames(rows: Tensor, at: Tensor, cuts: windows.Windows) -> Scores:
    """Probabilities of every frame of every recording.

    Rows (n, R, 1 + classes) become frames, then the mean is taken over windows that overlap.
    """
    frames, start = spread(rows, at, cuts.frames), torch.from_numpy(cuts.start)
    recording = torch.from_numpy(cuts.recording)
    scores = []
    for number, total in enumerate(cuts.total):
        chosen = recording == number
        scores.append(overlap_mean(frames[chosen.to(frames.device)], start[chosen], total))
    return scores


TASK = Detection()
