"""Temporal action detection: scores of sliding windows, averaged where they overlap, become intervals with a label and a confidence."""

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
from pstl.data.loader import Clips, in_order
from pstl.encoding import windows
from pstl.encoding.recorded import BATCH, Recorded, as_clips, cached
from pstl.encoding.standardise import FeatureStandardiser
from pstl.metrics.detection import Interval, greedy, pkummd
from pstl.metrics.metric import Metric
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops.finite import check_rows
from pstl.ops.timeline import overlap_mean, runs, smooth, spread
from pstl.rng import numpy_generator, torch_generator
from pstl.train.encoder_file import EncoderCard

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
    """Adam and cosine, as in PSTL's linear probe (PSTL spec 8); the batch is smaller, because a window has many rows."""

    epochs: int = Field(60, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(0.01, gt=0)


class Config(Frozen):
    """Nobody's protocol: Hi-TRS's own was not published (Hi-TRS spec 8). What is tuned is chosen on training recordings only."""

    tune: Literal["head", "all"] = (
        "head"  # a linear layer on frozen, standardised feature rows, or the encoder with it
    )
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
        """PKU-MMD's f1, ap, map_action, map_video and ap_2d, the same with one-to-one matching as greedy_*, in percent, and frame_accuracy.

        Metrics of other overlaps than cfg.theta end in it. The setting `training schedule` is a baseline that sees no joint.
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
    """What was found in one recording beside what is there, in frames from its start, classes from 0: for the report."""
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
    """Choose the post-processing on held-out training recordings, then score the test recordings with all of training."""
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
    """Training recordings in two parts, by performer if there are several; of a single recording both parts are it."""
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
    """The candidate with the best mean of greedy average precision over classes; of equals the first."""
    truth, videos = ground_truth(recordings), [r.clip.name for r in recordings]

    def worth(post: Post) -> float:
        found = [p for s, r in zip(scores, recordings, strict=True) for p in intervals(s, r, post)]
        return greedy(truth, found, cfg.theta, videos)["map_action"]

    return max((Post(*pair) for pair in product(cfg.smoothing, cfg.least)), key=worth)


def intervals(scores: Tensor, recording: Recording, post: Post) -> list[Interval]:
    """Runs of frames with one most probable action; confidence is its mean probability over the run.

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
    """Both protocols, in percent: everything at cfg.theta, without it in the name, and the means over actions and videos at the others."""
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
    """What the training recordings were doing at the same share of their time: a baseline for data whose actions come in one order."""
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
    cut = [
        windows.cut(
            [world.store[i] for i in side],
            cfg.window,
            cfg.stride,
            world.card,
            spec.skeleton,
            spec.people,
        )
        for side in (train, test)
    ]
    clips, shown = world.clips(cut[0].data, labelled=True), world.clips(cut[1].data)
    encoder = world.copy()
    world.renew(encoder, clips)
    with torch.inference_mode():
        rows = windows.encode(world.card, encoder, *clips.take(torch.arange(1))[:2]).frames.shape
    at = windows.row_times(world.card, encoder, cfg.window, clips.x.shape[2], rows[1])
    detector = Detector(
        encoder, world.card, rows[2], at, len(spec.classes), cfg.background, world.run.seed
    ).to(world.device)
    if cfg.tune == "head":
        features = detector.standard.standardised(
            cached(detector.rows, clips), cached(detector.rows, shown)
        )
        detector.frozen = True
        detector.encoder.requires_grad_(False)
        clips, shown = (
            as_clips(f, w.data.y, world.device) for f, w in zip(features, cut, strict=True)
        )
    world.fit(detector, clips, cfg.train, what)
    if cfg.tune == "all":
        world.renew(detector.encoder, clips)
        detector.renew(clips)
    return _frames(detector, shown, cut[1])


class Detector(BaseMethod):
    """A linear layer on standardised feature rows: cross-entropy with the label of the frame each row is about.

    frozen: clips are cached, standardised rows (N, D, R, 1, 1), and the encoder is neither run nor trained.
    """

    def __init__(
        self,
        encoder: BaseEncoder,
        card: EncoderCard,
        width: int,
        at: Tensor,
        classes: int,
        background: float,
        seed: int,
    ) -> None:
        nn.Module.__init__(self)
        self.encoder, self.card, self.frozen = encoder, card, False
        self.standard = FeatureStandardiser(width)
        self.head = nn.Linear(width, classes + 1)
        nn.init.xavier_normal_(self.head.weight, generator=torch_generator(seed, "detection"))
        nn.init.zeros_(self.head.bias)
        self.register_buffer("at", at, persistent=False)
        self.register_buffer(
            "weight", torch.tensor([background] + [1.0] * classes), persistent=False
        )
        self.at: Tensor
        self.weight: Tensor

    def sharded(self) -> list[nn.Module]:
        return [] if self.frozen else [self.encoder]

    def rows(self, x: Tensor, length: Tensor) -> Tensor:
        """Feature rows (N, R, D) of clips as the recipe made them, or of cached ones."""
        return (
            x[..., 0, 0].transpose(1, 2)
            if self.frozen
            else windows.encode(self.card, self.encoder, x, length).frames
        )

    def renew(self, clips: Clips) -> None:
        """Standardise by all these clips: the encoder has changed with every batch."""
        self.eval()
        self.standard.fit(cached(self.rows, clips))

    def scores(self, x: Tensor, length: Tensor) -> Tensor:
        """(N, R, 1 + classes)."""
        rows = self.rows(x, length)
        return self.head(rows if self.frozen else self.standard(rows))

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        assert batch.y is not None  # the clips carry them
        scores = self.scores(batch.x, batch.length)
        wanted = batch.y[:, self.at.round().long()]
        return {"loss": F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), weight=self.weight)}


@torch.inference_mode()
def _frames(detector: Detector, clips: Clips, cuts: windows.Windows) -> Scores:
    """Probabilities of every frame of every recording: rows to frames, then the mean over windows that overlap."""
    detector.eval()
    parts = (
        clips.take(torch.arange(part.start, part.stop)) for part in in_order(len(clips), BATCH)
    )
    rows = torch.cat([detector.scores(x, length).float().softmax(2) for x, length, _ in parts])
    check_rows(rows.cpu().numpy(), "scores of the test windows", clips.name)
    frames, start = spread(rows, detector.at, cuts.frames), torch.from_numpy(cuts.start)
    mine = (torch.from_numpy(cuts.recording == number) for number in range(len(cuts.total)))
    return [
        overlap_mean(frames[m.to(frames.device)], start[m], total)
        for m, total in zip(mine, cuts.total, strict=True)
    ]


TASK = Detection()
