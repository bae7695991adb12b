"""Temporal action detection: scores of sliding windows, averaged where they overlap, become
intervals with a label and a confidence.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from pstl.config import BodyViews, Count, Frozen, Share, TrainSettings
from pstl.contracts import Task
from pstl.encoding import windows
from pstl.encoding.heads import FeatureRows, cached, outputs_of
from pstl.encoding.recorded import Recorded
from pstl.metrics.detection import ActionInterval, greedy
from pstl.ops.finite import check_rows
from pstl.ops.timeline import overlap_mean, rows_to_frames
from pstl.records import NotApplicable, Recording, Result
from pstl.rng import derive, numpy_generator
from pstl.tasks._detector import Detector, FrameClassifier
from pstl.tasks._intervals import (
    METRICS,
    PostProcessing,
    Scores,
    all_intervals,
    background_scores,
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
    """Adam and cosine, as in PSTL's linear probe (PSTL spec 8); a smaller batch, because a window
    has many rows.
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
    dropout: Share = 0.0  # of what the linear layer reads
    # Networks whose probabilities of a frame are averaged; they differ in what a seed decides.
    members: Count = 1
    # With tune all: random views of the windows trained on, whose labels go along.
    augment: BodyViews = BodyViews()
    # With tune all, a row of the same network from random weights, trained alike, and by how much
    # map_action is above it.
    from_scratch: bool = False
    train: Training = Training.model_validate({})
    thetas: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.1, 0.3, 0.5, 0.7)
    # Overlap of the metrics without one in their name, and of what is chosen.
    theta: float = Field(0.5, gt=0, le=1)
    # Share of the training performers on whom smoothing and least length are chosen; with one value
    # of each nobody is held out, and the detector is trained once instead of twice.
    held_out: float = Field(0.3, gt=0, lt=1)
    smoothing: tuple[Count, ...] = Field((1, 5, 9, 15), min_length=1)  # frames, odd
    least: tuple[Count, ...] = Field((1, 4, 8, 12), min_length=1)  # frames of the shortest kept
    # Probabilities at which the intervals of an action are cut; (): where it is the most probable.
    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()

    @model_validator(mode="after")
    def _a_head_alone_sees_no_clips(self) -> "Config":
        if self.tune == "head" and self.augment != BodyViews():
            raise ValueError("augment needs tune: all; the head alone sees features made once")
        if self.tune == "head" and self.from_scratch:
            raise ValueError("from_scratch needs tune: all; untrained features are no network")
        return self


class Detection(Task[Recorded, Config]):
    """Actions found in untrimmed recordings."""

    needs = "recordings"
    settings = Config
    metrics = METRICS

    def run(self, inputs: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """PKU-MMD's metrics, the same with one-to-one matching as greedy_*, and frame_accuracy.

        In percent. Metrics of other overlaps than cfg.theta end in it. The settings `training
        schedule` and `all background` are baselines that see no joint.
        Raises: NotApplicable for an encoder without weights, if it is to be tuned.
        """
        if cfg.tune == "all" and not any(p.requires_grad for p in inputs.encoder.parameters()):
            raise NotApplicable("this encoder has no weights to tune")
        classes = inputs.store.spec.classes

        def by_encoder(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """Scores of the encoder under test.   train, test: (n,), numbers of recordings."""
            return window_scores(inputs, cfg, train, test, what)

        def by_fresh(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """The same of its network from random weights.   train, test: (n,)."""
            return window_scores(inputs, cfg, train, test, f"from scratch, {what}", fresh=True)

        def by_schedule(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """The same of what knows the time of an action alone.   train, test: (n,)."""
            return schedule_scores(
                _recordings(inputs, train), _recordings(inputs, test), len(classes)
            )

        def by_nothing(train: np.ndarray, test: np.ndarray, what: str) -> Scores:
            """The same of what finds no action anywhere.   train, test: (n,)."""
            return background_scores(_recordings(inputs, test), len(classes))

        metrics, proposals = detect(inputs, cfg, by_encoder)
        baselines: dict[str, Scorer] = {}
        if cfg.from_scratch:
            baselines["from scratch"] = by_fresh
        baselines |= {"training schedule": by_schedule, "all background": by_nothing}
        others = {}
        for name, score in baselines.items():
            others[f"baseline={name}"], _ = detect(inputs, cfg, score)
        if cfg.from_scratch:
            scratch = others["baseline=from scratch"]
            metrics["above_scratch"] = metrics["map_action"] - scratch["map_action"]
        inputs.done()
        shown = _recordings(inputs, inputs.test[:DRAWN])
        return Result(
            metrics,
            f"tune={cfg.tune}",
            others=others,
            timelines=[timeline(recording, proposals, classes) for recording in shown],
        )


def detect(
    inputs: Recorded, cfg: Config, score: Scorer
) -> tuple[dict[str, float], list[ActionInterval]]:
    """Metrics and intervals of the test recordings.

    The post-processing is chosen on held-out training recordings, if there is a choice; then all of
    training is used.
    """
    post = PostProcessing(cfg.smoothing[0], cfg.least[0], cfg.levels)
    if len(cfg.smoothing) * len(cfg.least) > 1:
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

    candidates = [PostProcessing(*pair, cfg.levels) for pair in product(cfg.smoothing, cfg.least)]
    return max(candidates, key=precision)


def _recordings(inputs: Recorded, numbers: np.ndarray) -> list[Recording]:
    return [inputs.store[number] for number in numbers]


def window_scores(
    inputs: Recorded,
    cfg: Config,
    train: np.ndarray,
    test: np.ndarray,
    what: str,
    fresh: bool = False,
) -> Scores:
    """Train on the windows of some recordings, score the frames of others: the mean over members.

    train, test: (n,), their numbers.   fresh: from random weights.
    """
    of_members = [member_scores(inputs, cfg, (train, test), what, fresh)]
    for number in range(1, cfg.members):
        seed = derive(inputs.run.seed, "member", number)
        other = replace(inputs, run=inputs.run.model_copy(update={"seed": seed}))
        name = f"{what}, member {number}"
        of_members.append(member_scores(other, cfg, (train, test), name, fresh))
    return [torch.stack(parts).mean(0) for parts in zip(*of_members, strict=True)]


def member_scores(
    inputs: Recorded, cfg: Config, sides: tuple[np.ndarray, np.ndarray], what: str, fresh: bool
) -> Scores:
    """What one network says of the second side's frames, trained on the first side's windows."""
    spec = inputs.store.spec
    train_windows, test_windows = (_windows_of(inputs, cfg, side) for side in sides)
    clips, shown = inputs.clips(train_windows.data, labelled=True), inputs.clips(test_windows.data)
    encoder = inputs.copy(fresh)
    inputs.renew(encoder, clips)
    with torch.inference_mode():
        x, length, _ = clips.take(torch.arange(1))
        rows, width = windows.encode(inputs.card, encoder, x, length).frames.shape[1:]
    at = windows.row_times(inputs.card, encoder, cfg.window, clips.x.shape[2], rows)
    weights = [cfg.background] + [1.0] * len(spec.classes)
    head = FrameClassifier(width, at, weights, cfg.dropout, inputs.run.seed)
    detector = Detector(encoder, inputs.card, head, cfg.augment).to(inputs.device)
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
