"""Hi-TRS's fine-tuning against its released loop as its spec tells it (section 5), written out in
float64.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from backbones.test_hitrs import slow_body, small_encoder

from pstl import config
from pstl.backbones.hitrs import Config, Encoder
from pstl.data.loader import Clips, shuffled
from pstl.data.store import ArraySet
from pstl.methods import hitrs
from pstl.records import Problem, Wants
from pstl.registry import load as load_plugin
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.tasks import detection, finetune
from pstl.tasks import linear as linear_probe
from pstl.tasks._finetune import Classifier
from pstl.tasks._head import linear
from pstl.train import loop, optimiser
from pstl.train.encoder_file import EncoderCard
from pstl.train.schedule import learning_rate

CPU = torch.device("cpu")
CLASSES, PEOPLE, FRAMES, SEED = 3, 2, 9, 5


@pytest.fixture(scope="module")
def params(root):
    return config.load(root / "params.yaml")


def protocol(params, method="hitrs"):
    return finetune.Config(**params.task("ntu60", "finetune", method).settings)


def classifier(cfg, encoder):
    skeleton = load("kinect_v1")
    card = EncoderCard("hitrs", {}, {}, {}, "kinect_v1", PEOPLE, FRAMES, "joint")
    problem = Problem(skeleton, PEOPLE, FRAMES, CLASSES, "joint")
    return Classifier(cfg, encoder, card, problem.classes, seed=0)


def steep(model):
    """In float64, and so sure of itself that gradients are longer than 1, where they are
    clipped.
    """
    with torch.no_grad():
        model.classifier.weight.mul_(30)
    return model.double()


def labelled_clips(count):
    """Recordings of 5 to 9 frames in float64; every third has one person."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 3, FRAMES, load("kinect_v1").joints, PEOPLE))
    length = rng.integers(5, FRAMES + 1, count)
    x[::3, ..., 1] = 0
    for clip, frames in zip(x, length, strict=True):
        clip[:, frames:] = 0
    ids = np.arange(count, dtype=np.uint64)
    return ArraySet(x, np.arange(count) % CLASSES, length, ids, [], {}, {})


# --- the released loop ---------------------------------------------------------------------------


def slow_scores(model, x, length):
    """Every body alone, absent ones too, their video tokens averaged, one linear layer."""
    rows = []
    for clip, frames in zip(x, length.tolist(), strict=True):
        bodies = [clip[:, :frames, :, person].permute(1, 2, 0) for person in range(PEOPLE)]
        video = sum(slow_body(body, model.encoder)[1] for body in bodies) / PEOPLE
        rows.append(model.classifier.weight @ video + model.classifier.bias)
    return torch.stack(rows)


def spared(name):
    """Biases, layer norms, learnt positions and fusion tokens are not decayed."""
    owner, _, kind = name.rpartition(".")
    return kind in ("bias", "positions", "token") or owner.endswith("norm")


def factor(epoch, scratch):
    """Of the rate in an epoch, from 1."""
    if scratch:
        steps = [(30, 1.0), (40, 0.5), (50, 0.25), (55, 0.125)]
        return next((share for last, share in steps if epoch <= last), 0.0125)
    return 1.0 if epoch <= 20 else max(0.5 ** math.ceil((epoch - 20) / 10), 0.0025)


def released_loop(model, data, batches, scratch):
    """AdamW (0.9, 0.999, 1e-8) at 4e-4 with decay 0.01; gradients of 4 micro-batches, clipped to 1.

    batches: by epoch, from 1, its micro-batches in their order.   Trains `model` in place.
    """
    weights = dict(model.named_parameters())
    first, second = ([torch.zeros_like(p) for p in weights.values()] for _ in range(2))
    x, y, length = (torch.from_numpy(part) for part in (data.x, data.y, data.length))
    updates = 0
    for epoch, parts in batches.items():
        rate, loss = 4e-4 * factor(epoch, scratch), 0.0
        for number, part in enumerate(parts):
            rng = torch_generator(SEED, "views", epoch - 1, number)
            views = hitrs.Method.augmented(hitrs.Config(), x[part], length[part], rng)
            loss = loss + F.cross_entropy(slow_scores(model, *views), y[part]) / 4
            if number % 4 < 3:
                continue
            updates += 1
            gradients = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
            norm, loss = torch.cat([g.flatten() for g in gradients]).norm(), 0.0
            with torch.no_grad():
                for (name, p), g, m, v in zip(
                    weights.items(), gradients, first, second, strict=True
                ):
                    g = g * min(1.0, 1 / (norm + 1e-6))
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.999).add_(0.001 * g * g)
                    p.mul_(1 - rate * (0.0 if spared(name) else 0.01))
                    root = (v / (1 - 0.999**updates)).sqrt()
                    p.sub_(rate * m / (1 - 0.9**updates) / (root + 1e-8))
    return updates


@pytest.mark.parametrize("method", ["hitrs", "random_hitrs"])
def test_fine_tuning_is_the_released_loop(params, method):
    """Weights after updates at several rates, with left-overs dropped, to the last digits."""
    cfg = protocol(params, method)
    train = cfg.train.model_copy(update={"batch_size": 2})
    data = labelled_clips(11)  # 6 micro-batches: one update an epoch, 2 left over
    ours, theirs = (
        steep(classifier(cfg, small_encoder("kinect_v1", layers=1, width=4))) for _ in "12"
    )
    clips, optim = Clips(data, np.arange(11), CPU, Wants(labels=True)), optimiser.build(ours, train)
    batches, steps = {}, 0
    for epoch in (1, 20, 31, 56):
        batches[epoch] = shuffled(11, 2, False, SEED, epoch - 1)
        running = loop.Loop(ours, clips, train, SEED, optim, loop.Progress("", 0, 1, 11))
        done = loop.train_epoch(running, epoch - 1, steps)
        steps += done["steps"]
    assert released_loop(theirs, data, batches, method == "random_hitrs") == steps == 4
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[name], atol=1e-13, rtol=0, msg=name)


@pytest.mark.parametrize("scratch", [False, True])
def test_rates_of_all_seventy_epochs(params, scratch):
    """Both schedules of the released code, in every protocol that is to have them."""
    method = "random_hitrs" if scratch else "hitrs"
    suites = ("ntu60", "pkummd2")
    cells = [cell for s in suites for cell in params.cells(s) if cell.run.method == method]
    tuned = [cell for cell in cells if cell.task in ("finetune", "semi")]
    assert {cell.labels for cell in tuned} == {None, 0.01, 0.05, 0.1}
    moved = {"", "ntu60/xsub", "ntu120/xsub", "pkummd1/xsub"}
    assert {cell.source for cell in tuned} == ({""} if scratch else moved)
    for cell in tuned:
        section = params.task_of(cell)
        cfg = load_plugin("tasks", section.kind).Config(**section.settings)
        rates = [learning_rate(cfg.train, epoch) for epoch in range(cfg.train.epochs)]
        assert rates == pytest.approx([4e-4 * factor(e, scratch) for e in range(1, 71)])
        assert cfg.epochs_shown == (50,)
        assert (cfg.augment, cfg.initial, cfg.test_every) == (True, "uniform", 5)
        assert cfg.train == protocol(params).train.model_copy(
            update={"milestones": cfg.train.milestones, "gamma": cfg.train.gamma}
        )


def test_weight_decay_spares_what_the_released_code_spares(params):
    """65 tensors of the whole network, the head's bias among them; one more or less is another
    training.
    """
    cfg = protocol(params)
    model = classifier(cfg, Encoder(Config(), load("kinect_v1"), PEOPLE, FRAMES))
    decayed, left_alone = optimiser.groups(model, cfg.train.no_decay)
    names = {id(p): name for name, p in model.named_parameters()}
    assert len(left_alone["params"]) == 65
    assert all(spared(names[id(p)]) for p in left_alone["params"])
    assert not any(spared(names[id(p)]) for p in decayed["params"])


def test_the_head_starts_as_the_frameworks_own_layer_does():
    """Weights and biases within 1 / sqrt(512), as released; Xavier's weights are 2.3 times
    wider.
    """
    layer = linear(512, 60, "uniform", torch.Generator().manual_seed(0))
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max() <= 512**-0.5
        assert parameter.abs().max() > 0.9 * 512**-0.5
    wide = linear(512, 60, "xavier", torch.Generator().manual_seed(0))
    narrow, wider = float(layer.weight.detach().std()), float(wide.weight.detach().std())
    assert narrow == pytest.approx((3 * 512) ** -0.5, rel=0.02)
    assert wider / narrow == pytest.approx(2.3, rel=0.02)


def test_the_linear_probe_is_the_released_one_on_clean_clips(params):
    """AdamW without decay is Adam; 128 clips a step, left-overs dropped, gradients clipped to 1."""
    cfg = linear_probe.Config(**params.task("ntu60", "linear", "hitrs").settings)
    found = (cfg.optimiser, cfg.lr, cfg.batch_size, cfg.drop_last, cfg.clip_norm, cfg.initial)
    assert found == ("adam", 0.01, 128, True, 1.0, "uniform")
    layer = torch.nn.Linear(2, 2)
    optim, schedule = linear_probe._optimiser(layer, cfg)
    rates = []
    for _ in range(cfg.epochs):
        rates.append(optim.param_groups[0]["lr"])
        optim.step()
        schedule.step()

    def wanted(epoch):
        return 1 if epoch <= 100 else max(0.5 ** math.ceil((epoch - 100) / 10), 0.01)

    assert rates == pytest.approx([0.01 * wanted(e) for e in range(1, 151)])


def test_detection_shows_hitrs_the_clips_it_knows(params):
    """42 clips are what pre-training on 300 frames reaches; windows of 64 frames have 10."""
    for task in ("detection_long", "detection_long_tuned"):
        cfg = detection.Config(**params.task("pkummd1", task).settings)
        assert (cfg.window, cfg.stride) == (42 * Config().stride, 42 * Config().stride // 2)
    assert cfg.train.no_decay == protocol(params).train.no_decay
