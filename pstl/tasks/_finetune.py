"""What fine-tuning and its semi-supervised form share: encoder and one linear layer trained with labels."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones._base import BaseEncoder
from pstl.config import Frozen, TrainSettings, validated
from pstl.data.loader import Clips, in_order
from pstl.errors import UserError
from pstl.methods._base import BaseMethod, Batch, Losses, Problem
from pstl.metrics import top_k
from pstl.ops.collective import gather
from pstl.registry import load as load_plugin
from pstl.rng import derive
from pstl.tasks._features import BATCH, encode_view, recalibrate
from pstl.tasks._measures import measures, on_clips
from pstl.tasks._pretrained import Pretrained
from pstl.tasks._result import NotApplicable, Result
from pstl.tasks._scores import UNSEEN
from pstl.train import checkpoint, encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.pretrain import train


class Training(TrainSettings):
    """Defaults are the released PSTL code's values (spec 9): Adam, 0.005, no decay, cosine, 150 epochs of 128 clips."""

    epochs: int = Field(150, ge=1)
    lr: float = Field(5e-3, gt=0)


class Config(Frozen):
    """Each paper's protocol is an entry of `tasks:`; defaults are PSTL's (spec 9): every weight, dropout on, no augmentation."""

    train: Training = Training.model_validate({})
    augment: bool = False  # train on the random view the method's paper fine-tunes on, instead of the clean one
    initial: Literal["xavier", "normal"] = "xavier"  # of the linear layer: Xavier-normal, or N(0, 0.01); biases are 0
    frozen: tuple[str, ...] = ()  # parts of the encoder that stay as they are, statistics included, e.g. [input_norm, blocks.0]
    test_every: int = Field(0, ge=0)  # epochs between tests on the test clips, for top1_best as papers print it; 0: the last only


def run(world: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
    """top1, top5 and macro_f1 of the LAST epoch; with `test_every`, top1_best beside them, which is chosen on the test clips.

    With batch norm "recalibrated" the statistics are renewed on the clips trained on before every test.
    Raises: NotApplicable for an encoder without weights.
    """
    if not any(p.requires_grad for p in world.encoder.parameters()):
        raise NotApplicable("this encoder has no weights to fine-tune")
    if not len(world.train) or not len(world.test):
        raise UserError(f"finetune: {len(world.train)} labelled and {len(world.test)} test clips; both sides need clips")
    labelled, test = world.clips(world.train, labelled=True), world.clips(world.test, labelled=True)
    problem = Problem(encoder_file.skeleton_of(world.card), world.card.people, world.card.frames, world.classes, world.card.stream)
    classifier = Classifier(cfg, world.encoder, problem, world.card, derive(seed, "finetune")).to(device)

    def watch(epochs: int) -> dict[str, float]:
        if not cfg.test_every or epochs % cfg.test_every:
            return {}
        scores, y = test_scores(classifier, world, labelled, test), classes_of(test)
        return on_clips(lambda kept: {"top1": float(top_k(scores[kept], y[kept], 1))}, world.unseen)

    name = f"{world.run}: fine-tune"
    curve = train(classifier, labelled, cfg.train, name, seed, world.progress, world.digest, watch=watch)
    scores, y = test_scores(classifier, world, labelled, test), classes_of(test)
    metrics = measures(scores, y, world.unseen)
    if cfg.test_every:
        metrics |= best_tested([*curve, metrics])
    checkpoint.discard(world.progress)
    return Result(metrics, scores=scores.cpu().numpy(), curve=curve)


def best_tested(records: list[dict[str, float]]) -> dict[str, float]:
    """top1_best, the highest top1 of any test, as papers print it; the same of clips that repeat no training clip, where it is tested."""
    names = [name for name in ("top1", f"top1{UNSEEN}") if name in records[-1]]
    return {name.replace("top1", "top1_best"): max(record[name] for record in records if name in record) for name in names}


class Classifier(BaseMethod):
    """A pre-trained encoder and a linear layer on its clip features, cross-entropy. Trained by the loop that trains every method."""

    needs_labels = True
    cfg: Config

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem, card: EncoderCard, seed: int) -> None:
        super().__init__(cfg, encoder, problem)
        rng = torch.Generator().manual_seed(seed)
        self.classifier = nn.Linear(encoder.width, problem.classes)
        initial = nn.init.xavier_normal_ if cfg.initial == "xavier" else _normal
        initial(self.classifier.weight, generator=rng)
        nn.init.zeros_(self.classifier.bias)
        module = load_plugin("methods", card.method)
        self.card, self.views, self.view_cfg = card, module.Method, validated(module.Config, card.settings, card.method)
        self.still = [_part(encoder, name) for name in cfg.frozen]
        for part in self.still:
            for parameter in part.parameters() if isinstance(part, nn.Module) else [part]:
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> "Classifier":
        """Frozen parts stay in evaluation mode: neither their statistics nor their dropout move."""
        super().train(mode)
        for part in self.still:
            if isinstance(part, nn.Module):
                part.eval()
        return self

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """Clips with y = -1 are ignored."""
        assert batch.y is not None  # promised by needs_labels
        x, length = batch.x, batch.length
        if self.cfg.augment:
            x, length = self.views.augmented(self.view_cfg, x, length, rng)
        else:
            x = self.views.clean(self.view_cfg, x, length)
        return {"loss": F.cross_entropy(gather(self.scores(x, length)), gather(batch.y), ignore_index=-1)}

    def scores(self, view: Tensor, length: Tensor) -> Tensor:
        """(N, 3, frames, V, M), (N,) -> (N, classes)."""
        return self.classifier(encode_view(self.card, self.encoder, view, length=length))


@torch.no_grad()
def test_scores(classifier: Classifier, world: Pretrained, labelled: Clips, test: Clips) -> Tensor:
    """Class scores of the clean test clips in file order, in evaluation mode; training goes on as if nobody had looked.

    Returns: (N_test, classes) on the device.
    """
    kept = {name: value.clone() for name, value in classifier.encoder.named_buffers()}
    if world.batch_norm == "recalibrated":
        recalibrate(world.card, classifier.encoder, labelled)
    classifier.eval()
    rows = []
    for part in in_order(len(test), BATCH):
        x, length, _ = test.take(torch.arange(part.start, part.stop))
        rows.append(classifier.scores(classifier.views.clean(classifier.view_cfg, x, length), length).float())
    for name, value in classifier.encoder.named_buffers():
        value.copy_(kept[name])
    return torch.cat(rows)


def classes_of(clips: Clips) -> Tensor:
    """(N,) classes of clips that carry them."""
    assert clips.y is not None
    return clips.y


def _part(encoder: nn.Module, name: str) -> nn.Module | nn.Parameter:
    """A module or parameter of the encoder by its dotted name. Raises: UserError with the names there are."""
    known = dict(encoder.named_modules()) | dict(encoder.named_parameters())
    if name not in known or not name:
        first = sorted({key.split(".")[0] for key in known} - {""})
        raise UserError(f"frozen: the encoder has no part {name!r}; known: {', '.join(first)}, and what is below them, e.g. blocks.0")
    found: nn.Module | nn.Parameter = known[name]
    return found


def _normal(weight: Tensor, generator: Generator) -> Tensor:
    return nn.init.normal_(weight, 0.0, 0.01, generator=generator)
