"""Temporal action detection.

Scores of sliding windows, averaged where they overlap, become intervals with a label and a
confidence.
"""

from collections.abc import Callable
from itertools import product
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.config import Count, Frozen, TrainSettings
from pstl.contracts import Task
from pstl.encoding import windows
from pstl.encoding.heads import FeatureRows, Head, TunedEncoder, cached, outputs_of
from pstl.encoding.recorded import Recorded
from pstl.metrics.detection import ActionInterval, greedy
from pstl.ops.finite import check_rows
from pstl.ops.timeline import overlap_mean, rows_to_frames
from pstl.records import Batch, Losses, NotApplicable, Recording, Result
from pstl.rng import numpy_generator, torch_generator
from pstl.tasks._intervals import (
    METRICS,
    PostProcessing,
    Scores,
    all_intervals,
    frame_accuracy,
    ground_truth,
    interval_metrics,
    schedule_scores,
    timeline,
)

DRAWN = 2  # test recordings kept for the report

# Training and test recordings, name of the training -> scores of the latter.
Scorer = Callable[[np.ndarray, np.ndarray, str], Scores]


class Training(TrainSettings):
    """Adam and cosine, as in PSTL's linear probe (PSTL spec 8).

    The batch is smaller, because a window has many rows.
    """

    epochs: int = Field(60, ge=1)
    batch_size: int = Field(32, ge=1)
    lr: float = Field(0.01, gt=0)


class Config(Frozen):
    """Our own protocol: Hi-TRS's was not published (Hi-TRS spec 8).

    What is tuned is chosen on training recordings only.
    """

    # A linear layer on frozen, standardised feature rows, or the encoder with it.
    tune: Literal["head", "all"] = "head"
    window: int = Field(64, ge=2)  # frames
    stride: int = Field(16, ge=1)  # frames between windows, in training and in test
    # Weight of background frames in the loss: most frames are background.
    background: float = Field(1.0, gt=0)
    train: Training = Training.model_validate({})
    thetas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.1, 0.3, 0.5, 0.7)
    # Overlap of the metrics without one in their name, and of what is chosen.
    theta: float = Field(0.5, gt=0, le=1)
    # Share of the training performers on whom smoothing and least length are chosen.
    held_out: float = Field(0.3, gt=0, lt=1)
    smoothing: tuple[Count, ...] = Field((1, 5, 9, 15), min_length=1)  # frames, odd
    # Frames of the shortest interval kept.
    least: tuple[Count, ...] = Field((1, 4, 8, 12), min_length=1)


class Detection(Task[Recorded, Config]):
    """Actions found in untrimmed recordings."""

    needs = "recordings"
    settings = Config
    metrics = METRICS

    def run(self, inputs: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """PKU-MMD's metrics, the same with one-to-one matching as greedy_*, and frame_accuracy.

        In percent. Metrics of other overlaps than cfg.theta end in it. The setting `training
        schedule` is a baseline that sees no joint.
        Raises: NotApplicable for an encoder without weights, if it is to be tuned.
        """
        if cfg.tune == "all" and not any(p.requires_grad for p in inputs.encoder.parameters()):
            raise NotApplicable("this encoder has no weights to tune")
        classes = inputs.store.spec.classes

        def by_encoder(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """Scores of the encoder under test.   train, test: (n,), numbers of recordings."""
            return window_scores(inputs, cfg, train, test, what)

        def by_schedule(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """The same of what knows the time of an action alone.   train, test: (n,)."""
            return schedule_scores(
                _recordings(inputs, train), _recordings(inputs, test), len(classes)
            )

        metrics, proposals = detect(inputs, cfg, by_encoder)
        baseline, _ = detect(inputs, cfg, by_schedule)
        inputs.done()
        shown = _recordings(inputs, inputs.test[:DRAWN])
        return Result(
            metrics,
            f"tune={cfg.tune}",
            others={"baseline=training schedule": baseline},
            timelines=[timeline(recording, proposals, classes) for recording in shown],
        )


def detect(
    inputs: Recorded, cfg: Config, score: Scorer
) -> tuple[dict[str, float], list[ActionInterval]]:
    """Metrics and intervals of the test recordings.

    The post-processing is chosen on held-out training recordings; then all of training is used.
    """
    fit, held = hold_out(inputs, cfg)
    post = choose(cfg, score(fit, held, "held out"), _recordings(inputs, held))
    tests = _recordings(inputs, inputs.test)
    scores = score(inputs.train, inputs.test, "all of training")
    proposals = all_intervals(scores, tests, post)
    classes = len(inputs.store.spec.classes)
    metrics = {
        **interval_metrics(tests, proposals, classes, cfg.theta, cfg.thetas),
        "frame_accuracy": frame_accuracy(scores, tests, post),
        "proposals": len(proposals),
        "smoothing": post.smoothing,
        "least": post.least,
    }
    return metrics, proposals


def hold_out(inputs: Recorded, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n,) of training recordings in two parts, by performer if there are several.

    Of a single recording both parts are it.
    """
    subjects = np.array([recording.clip.subject for recording in _recordings(inputs, inputs.train)])
    group = subjects if len(np.unique(subjects)) > 1 else np.arange(len(subjects))
    names = np.unique(group)
    if len(names) == 1:
        return inputs.train, inputs.train
    count = min(len(names) - 1, max(1, round(cfg.held_out * len(names))))
    # Of all seeds the same: seeds differ in training only.
    chosen = numpy_generator(0, "held out").permutation(names)[:count]
    held = np.isin(group, chosen)
    return inputs.train[~held], inputs.train[held]


def choose(cfg: Config, scores: Scores, recordings: list[Recording]) -> PostProcessing:
    """The candidate with the best mean of greedy average precision over classes.

    Of equals the first.
    """
    truth, videos = ground_truth(recordings), [recording.clip.name for recording in recordings]

    def precision(post: PostProcessing) -> float:
        """Mean average precision on the recordings held out."""
        proposals = all_intervals(scores, recordings, post)
        return greedy(truth, proposals, cfg.theta, videos)["map_action"]

    candidates = [PostProcessing(*pair) for pair in product(cfg.smoothing, cfg.least)]
    return max(candidates, key=precision)


def _recordings(inputs: Recorded, numbers: np.ndarray) -> list[Recording]:
    return [inputs.store[number] for number in numbers]


def window_scores(
    inputs: Recorded, cfg: Config, train: np.ndarray, test: np.ndarray, what: str
) -> Scores:
    """Train on the windows of some recordings, score the frames of others.

    train, test: (n,), their numbers.
    """
    spec = inputs.store.spec
    train_windows, test_windows = (_windows_of(inputs, cfg, side) for side in (train, test))
    clips, shown = inputs.clips(train_windows.data, labelled=True), inputs.clips(test_windows.data)
    encoder = inputs.copy()
    inputs.renew(encoder, clips)
    with torch.inference_mode():
        x, length, _ = clips.take(torch.arange(1))
        rows, width = windows.encode(inputs.card, encoder, x, length).frames.shape[1:]
    at = windows.row_times(inputs.card, encoder, cfg.window, clips.x.shape[2], rows)
    head = FrameClassifier(width, at, len(spec.classes), cfg.background, inputs.run.seed)
    detector = TunedEncoder(encoder, inputs.card, head, width, "frames").to(inputs.device)
    if cfg.tune == "all":
        inputs.fit(detector, clips, cfg.train, what)
        inputs.renew(encoder, clips)
        detector.renew(clips)
        scores = outputs_of(detector, shown)
    else:
        sides = cached(detector.rows, clips), cached(detector.rows, shown)
        features = detector.standard.standardised(*sides)
        train_rows = FeatureRows(features[0], train_windows.data.y, inputs.device)
        test_rows = FeatureRows(features[1], test_windows.data.y, inputs.device)
        inputs.fit(head, train_rows, cfg.train, what)
        scores = outputs_of(head, test_rows)
    probabilities = scores.softmax(2)
    check_rows(probabilities.cpu().numpy(), "scores of the test windows", shown.name)
    return _frames(probabilities, head.at, test_windows)


def _windows_of(inputs: Recorded, cfg: Config, recordings: np.ndarray) -> windows.Windows:
    """Windows of some recordings, by their numbers."""
    spec = inputs.store.spec
    chosen = _recordings(inputs, recordings)
    return windows.cut(chosen, cfg.window, cfg.stride, inputs.card, spec.skeleton, spec.people)


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
        """Cross-entropy of the rows of windows."""
        assert batch.y is not None  # the windows carry them
        scores, y = self.outputs(batch), batch.y[:, self.at.round().long()]
        return {"loss": F.cross_entropy(scores.flatten(0, 1), y.flatten(), weight=self.weight)}


def _frames(rows: Tensor, at: Tensor, cuts: windows.Windows) -> Scores:
    """Probabilities of every frame of every recording.

    Rows (n, R, 1 + classes) become frames, then the mean is taken over windows that overlap.
    """
    frames, start = rows_to_frames(rows, at, cuts.frames), torch.from_numpy(cuts.start)
    recording = torch.from_numpy(cuts.recording)
    scores = []
    for number, total in enumerate(cuts.total):
        chosen = recording == number
        scores.append(overlap_mean(frames[chosen.to(frames.device)], start[chosen], total))
    return scores


TASK = Detection()
