"""What fine-tuning and its semi-supervised form share: encoder and one linear layer trained with
labels.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pstl.config import BodyViews, Frozen, Share, TrainSettings, validated
from pstl.data.loader import Clips, in_order
from pstl.encoding.features import BATCH, encode_view, recalibrate
from pstl.encoding.pretrained import Pretrained
from pstl.errors import UserError
from pstl.metrics.classification import classified_clips
from pstl.modules import BaseEncoder, BaseTrainable
from pstl.ops.body_views import random_view
from pstl.ops.collective import gather
from pstl.records import Batch, Losses, NotApplicable, Result
from pstl.registry import load as load_plugin
from pstl.rng import derive
from pstl.tasks import _looks as looks
from pstl.tasks._head import Initial, linear
from pstl.train import checkpoint, encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.loop import Session, epochs_of, train


class Training(TrainSettings):
    """Defaults are the released PSTL code's values (PSTL spec 9): Adam, 0.005, no decay, cosine,
    150 epochs of 128 clips.
    """

    epochs: int = Field(150, ge=1)
    lr: float = Field(5e-3, gt=0)


class Config(Frozen):
    """Each paper's protocol is an entry of `tasks:`; defaults are PSTL's (PSTL spec 9): every
    weight, dropout on, no augmentation.
    """

    train: Training = Training.model_validate({})
    # Train on random views instead of the clean one: true: those the method's paper fine-tunes on;
    # amounts: those of pstl/ops/body_views.py, of which the method then takes its clean view.
    augment: bool | BodyViews = False
    encoder_rate: Share = 1.0  # share of train.lr that the encoder gets; the linear layer has all
    initial: Initial = "xavier"  # of the linear layer
    # Parts of the encoder that stay as they are, statistics included, e.g. [input_norm, blocks.0].
    frozen: tuple[str, ...] = ()
    # Batch norms work with the statistics they came with (recalibrated ones: of the clips trained
    # on, taken once, before) in training and at the test; their weights move.
    keep_statistics: bool = False
    test_every: int = Field(5, ge=0)  # epochs between looks at the test clips; 0: none
    epochs_shown: tuple[int, ...] = ()  # epochs, from 1, whose top1 is a row of its own

    @model_validator(mode="after")
    def _epochs_that_are_reached(self) -> "Config":
        last = self.train.epochs
        if beyond := [epoch for epoch in self.epochs_shown if not 1 <= epoch <= last]:
            raise ValueError(f"epochs_shown holds {beyond[0]}, but epochs are 1 to {last}")
        return self


def run(inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
    """top1, top5 and macro_f1 of the LAST epoch; beside them top1_best and best_epoch of all looks.

    A look tests the clean test clips and changes nothing; only those two are chosen by it. With
    batch norm "recalibrated" statistics are renewed on the clips trained on before every look; the
    same weights with the statistics that training left, in which papers test, are rows of their
    own. Where statistics are kept, there is one state.
    Raises: NotApplicable for an encoder without weights.
    """
    if not any(p.requires_grad for p in inputs.encoder.parameters()):
        raise NotApplicable("this encoder has no weights to fine-tune")
    if not len(inputs.train) or not len(inputs.test):
        raise UserError(
            f"finetune: {len(inputs.train)} labelled and {len(inputs.test)} test clips; "
            "both sides need clips"
        )
    if cfg.frozen or cfg.keep_statistics:
        inputs.renew()  # what is frozen works with its statistics in training, too
    labelled, test = (
        inputs.clips(inputs.train, labelled=True),
        inputs.clips(inputs.test, labelled=True),
    )
    head_seed = derive(seed, "finetune")
    classifier = Classifier(cfg, inputs.encoder, inputs.card, inputs.classes, head_seed).to(device)
    y, states = classes_of(test), looks.states(inputs.batch_norm, cfg.keep_statistics)
    last = epochs_of(cfg.train, len(labelled))  # looked at at the end, also after an interruption
    if max(cfg.epochs_shown, default=1) > last:
        raise UserError(
            f"{inputs.run}: epochs_shown {list(cfg.epochs_shown)}, "
            f"but train.max_steps ends it after {last}"
        )

    def watch(epochs: int) -> dict[str, float]:
        """Accuracies after so many epochs, where the settings ask for them."""
        due = epochs in cfg.epochs_shown or (cfg.test_every and epochs % cfg.test_every == 0)
        if not due or epochs == last:
            return {}
        return looks.record(
            test_scores(classifier, labelled, test, states), y, inputs.unseen, states
        )

    session = Session(f"{inputs.run}: fine-tune", seed, inputs.progress, inputs.digest)
    curve = train(classifier, labelled, cfg.train, session, watch=watch)
    scores = test_scores(classifier, labelled, test, states)
    curve[-1] |= looks.record(scores, y, inputs.unseen, states)
    metrics = {}
    for norm, accuracy in states.items():
        metrics[norm] = classified_clips(scores[norm], y, inputs.unseen)
        metrics[norm] |= looks.at(curve, cfg.epochs_shown, accuracy)
        if cfg.test_every:
            metrics[norm] |= looks.best(curve, accuracy)
    checkpoint.discard(inputs.progress)
    own = metrics.pop(inputs.batch_norm)
    return Result(own, scores=scores[inputs.batch_norm].cpu().numpy(), curve=curve, norms=metrics)


class Classifier(BaseTrainable):
    """A pre-trained encoder and a linear layer on its clip features, cross-entropy.

    Trained by the loop that trains every method.
    """

    def __init__(
        self, cfg: Config, encoder: BaseEncoder, card: EncoderCard, classes: int, seed: int
    ) -> None:
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        rng = torch.Generator().manual_seed(seed)
        self.classifier = linear(encoder.width, classes, cfg.initial, rng)
        module = load_plugin("methods", card.method)
        self.card, self.views, self.view_cfg = (
            card,
            module.Method,
            validated(module.Config, card.settings, card.method),
        )
        self.still = [_part(encoder, name) for name in cfg.frozen]
        for part in self.still:
            for parameter in part.parameters() if isinstance(part, nn.Module) else [part]:
                parameter.requires_grad_(False)

    def sharded(self) -> list[nn.Module]:
        """The encoder: the classifier sees the whole batch."""
        return [self.encoder]

    def slower(self) -> dict[str, float]:
        """The encoder, where it is to move less than the new layer."""
        return {"encoder": self.cfg.encoder_rate} if self.cfg.encoder_rate < 1 else {}

    def train(self, mode: bool = True) -> "Classifier":
        """Frozen parts stay in evaluation mode: neither their statistics nor their dropout move."""
        super().train(mode)
        if self.cfg.keep_statistics:
            for norm in norms_of(self.encoder):
                norm.eval()
        for part in self.still:
            if isinstance(part, nn.Module):
                part.eval()
        return self

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """Clips with y = -1 are ignored."""
        assert batch.y is not None  # the clips carry them
        view, length = self.view(batch, rng)
        scores = gather(self.scores(view, length))
        return {"loss": F.cross_entropy(scores, gather(batch.y), ignore_index=-1)}

    def view(self, batch: Batch, rng: Generator) -> tuple[Tensor, Tensor]:
        """What is trained on, and its length: (N, 3, frames, V, M), (N,)."""
        x, length, augment = batch.x, batch.length, self.cfg.augment
        if augment is True:
            return self.views.augmented(self.view_cfg, x, length, rng)
        if isinstance(augment, BodyViews):
            x = random_view(x, encoder_file.skeleton_of(self.card), augment, rng)
            if augment.shortest < 1:  # a part of a clip is stretched over all frames
                length = torch.full_like(length, x.shape[2])
        return self.views.clean(self.view_cfg, x, length), length

    def scores(self, view: Tensor, length: Tensor) -> Tensor:
        """(N, 3, frames, V, M), (N,) -> (N, classes)."""
        return self.classifier(encode_view(self.card, self.encoder, view, length=length))


def norms_of(encoder: nn.Module) -> list[nn.Module]:
    """The batch norms of an encoder."""
    return [module for module in encoder.modules() if isinstance(module, _BatchNorm)]


States = dict[str, Tensor]  # state of the batch norms -> (N_test, classes) scores, on the device


def test_scores(
    classifier: Classifier, labelled: Clips, test: Clips, states: Iterable[str]
) -> States:  # fmt: skip
    """Scores of the clean test clips in file order, in evaluation mode.

    Training goes on as if nobody had looked. Without batch norm all states are one, and so they are
    where statistics are kept.
    """
    if not norms_of(classifier.encoder) or classifier.cfg.keep_statistics:
        return dict.fromkeys(states, _scores(classifier, test))
    scores = {}
    for norm in states:
        if norm == "recalibrated":
            scores[norm] = _renewed_scores(classifier, labelled, test)
        else:
            scores[norm] = _scores(classifier, test)
    return scores


def _renewed_scores(classifier: Classifier, labelled: Clips, test: Clips) -> Tensor:
    """Scores with statistics of the labelled clips, which are forgotten again."""
    kept = {name: value.clone() for name, value in classifier.encoder.named_buffers()}
    recalibrate(classifier.card, classifier.encoder, labelled, (classifier.card.stream,))
    scores = _scores(classifier, test)
    for name, value in classifier.encoder.named_buffers():
        value.copy_(kept[name])
    return scores


@torch.no_grad()
def _scores(classifier: Classifier, test: Clips) -> Tensor:
    classifier.eval()
    rows = []
    for part in in_order(len(test), BATCH):
        x, length, _ = test.take(torch.arange(part.start, part.stop))
        view = classifier.views.clean(classifier.view_cfg, x, length)
        rows.append(classifier.scores(view, length).float())
    return torch.cat(rows)


def classes_of(clips: Clips) -> Tensor:
    """(N,) classes of clips that carry them."""
    assert clips.y is not None
    return clips.y


def _part(encoder: nn.Module, name: str) -> nn.Module | nn.Parameter:
    """A module or parameter of the encoder by its dotted name.

    Raises: UserError with the names there are.
    """
    known = dict(encoder.named_modules()) | dict(encoder.named_parameters())
    if name not in known or not name:
        first = sorted({key.split(".")[0] for key in known} - {""})
        raise UserError(
            f"frozen: the encoder has no part {name!r}; known: {', '.join(first)}, "
            "and what is below them, e.g. blocks.0"
        )
    found: nn.Module | nn.Parameter = known[name]
    return found
