"""The method's own classifier, as training left it: PSP's protocol, and supervised training's."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pstl.config import Frozen
from pstl.contracts import Task
from pstl.data.loader import Clips, in_order
from pstl.encoding.features import BATCH, encode, recalibrate
from pstl.encoding.pretrained import Pretrained
from pstl.errors import UserError
from pstl.metrics.classification import LOOKS, classified_clips
from pstl.modules import BaseEncoder
from pstl.ops.finite import check_rows
from pstl.records import NotApplicable, Result
from pstl.registry import load as load_plugin
from pstl.tasks import _looks as looks
from pstl.train import encoder_file, snapshots
from pstl.train.encoder_file import EncoderCard


class Config(Frozen):
    """Nothing to set: what there is to look at says the method's `train.snapshot_every`."""


class Classify(Task[Pretrained, Config]):
    """The classifier that training left."""

    needs = "snapshots"
    classifies = True
    floors = ()  # nothing untrained has a classifier
    settings = Config
    metrics = LOOKS

    def run(self, inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """top1, top5 and macro_f1 of the LAST epoch's classifier; beside them top1_best and
        best_epoch.

        Those two are of the last epoch and all snapshots, if there are any, and chosen on the test
        clips:
        training saw none of them. With batch norm "recalibrated" every look has statistics of its
        own; the same weights with those that training left, in which papers test, are rows of their
        own.
        Raises: NotApplicable if the encoder came without a classifier, or with one of other
        classes.
        """
        if inputs.classifier is None:
            raise NotApplicable("this encoder has no classifier of its own: it learnt no classes")
        learnt = inputs.card.provenance["dataset"]
        if learnt != inputs.run.dataset:
            raise NotApplicable(f"this classifier knows the classes of {learnt}")
        sides = Sides(inputs)
        y, states = (
            torch.from_numpy(inputs.data.y[inputs.test]).to(device),
            looks.states(inputs.batch_norm),
        )

        curve = []
        for epochs, file in snapshots.unpacked(inputs.snapshots):
            scores = sides.scores(*_opened(file, inputs), states)
            curve.append({"epoch": epochs - 1, **looks.record(scores, y, inputs.unseen, states)})
        last = inputs.card.provenance.get("epochs")
        if last is None:
            raise UserError(
                f"{inputs.run}: the encoder does not say after how many epochs it is; "
                "train it again"
            )
        scores = sides.scores(inputs.card, inputs.encoder, inputs.classifier.to(device), states)
        looked = {"epoch": last - 1, **looks.record(scores, y, inputs.unseen, states)}
        curve = [*(each for each in curve if each["epoch"] < looked["epoch"]), looked]

        metrics = {}
        for norm, accuracy in states.items():
            metrics[norm] = classified_clips(scores[norm], y, inputs.unseen)
            if len(curve) > 1:
                metrics[norm] |= looks.best(curve, accuracy)
        own = metrics.pop(inputs.batch_norm)
        return Result(
            own, scores=scores[inputs.batch_norm].cpu().numpy(), curve=curve, norms=metrics
        )


class Sides:
    """Both sides of a split, on the device."""

    def __init__(self, inputs: Pretrained) -> None:
        self.train, self.test = inputs.clips(inputs.train), inputs.clips(inputs.test)

    def scores(
        self, card: EncoderCard, encoder: BaseEncoder, classifier: nn.Linear, states: Iterable[str]
    ) -> dict[str, Tensor]:  # fmt: skip
        """Scores (N_test, classes) by state of the batch norms, whose last one the encoder
        keeps.
        """
        found = {}
        for norm in sorted(states, key=lambda each: each == "recalibrated"):  # which ends the other
            if norm == "recalibrated":
                recalibrate(card, encoder, self.train)
            found[norm] = classify_all(card, encoder, classifier, self.test)
        return found


@torch.inference_mode()
def classify_all(
    card: EncoderCard, encoder: BaseEncoder, classifier: nn.Linear, clips: Clips
) -> Tensor:
    """Scores (N, classes) of all clips in file order, in evaluation mode, on the device."""
    encoder.eval()
    rows = []
    for part in in_order(len(clips), BATCH):
        x, length, _ = clips.take(torch.arange(part.start, part.stop))

        def encoded(stream: str, x: Tensor = x, length: Tensor = length) -> Tensor:
            """Clip features (N, D) in one stream."""
            return encode(replace(card, stream=stream or card.stream), encoder, x, length)

        rows.append(
            load_plugin("methods", card.method).Method.classify(encoded, classifier).float()
        )
    scores = torch.cat(rows)
    check_rows(scores.cpu().numpy(), f"scores by {card.provenance['run']}", clips.name)
    return scores


def _opened(file: Path, inputs: Pretrained) -> tuple[EncoderCard, BaseEncoder, nn.Linear]:
    """One snapshot, on the device. Raises: UserError if it is of another training."""
    card, encoder = encoder_file.load(file)
    classifier = encoder_file.load_classifier(file)
    found, wanted = card.provenance.get("run_id"), inputs.card.provenance["run_id"]
    if found != wanted or classifier is None:
        raise UserError(
            f"{inputs.snapshots}: {file.name} is of run {found}, expected {wanted}; "
            "pass the run's own file"
        )
    return card, encoder.to(inputs.device), classifier.to(inputs.device)


TASK = Classify()
