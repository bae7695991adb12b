"""Frozen features: every clip is encoded once, every probe reads the file."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from pstl.config import CLIP, validated
from pstl.data.loader import Clips, in_order, shuffled
from pstl.data.store import ArraySet, open_array
from pstl.encoding import feature_file
from pstl.encoding.feature_file import clip_digest
from pstl.encoding.pooling import check_pooling, pooled
from pstl.errors import ShapeError
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops.finite import DIVERGED, check_rows
from pstl.registry import load as load_plugin
from pstl.skeletons.mapping import joints_of
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import computed_by, device_name, peak_memory
from pstl.train.weights import check_weights

log = logging.getLogger(__name__)
BATCH = 256  # clips encoded at once


class Encoding(NamedTuple):
    """How a trained encoder is used: all that is chosen after training.

    batch_norm: "released" keeps the running statistics of training, "recalibrated" renews them on
    the clean training clips.   pooling: see config.Pooling.
    """

    batch_norm: str
    pooling: str = CLIP


def encode(
    card: EncoderCard,
    encoder: BaseEncoder,
    x: Tensor,
    length: Tensor,
    drop: Tensor | None = None,
    pooling: str = CLIP,
) -> Tensor:
    """Clips as the recipe made them -> clip features.   x: (N, 3, T, V, M), length: (N,).

    Returns: (N, D).

    The method's clean view comes first, then the stream. The encoder's mode is left alone.
    """
    return pooled(encoder, clean_stream(card, x, length, card.stream), length, drop, pooling)


def clean_stream(card: EncoderCard, x: Tensor, length: Tensor, stream: str) -> Tensor:
    """The clean view of clips as the recipe made them, as one stream.

    Returns: (N, 3, card.frames, V, M).
    """
    module = load_plugin("methods", card.method)
    cfg = validated(module.Config, card.settings, card.method)
    view: Tensor = module.Method.clean_stream(
        cfg, x, length, encoder_file.skeleton_of(card), stream
    )
    return view


def encode_view(
    card: EncoderCard,
    encoder: BaseEncoder,
    x: Tensor,
    drop: Tensor | None = None,
    length: Tensor | None = None,
) -> Tensor:
    """Clips that are clean views already -> clip features.   x: (N, 3, card.frames, V, M).

    Returns: (N, D).

    length: (N,) frames that count, for encoders that take clips of any length; None: all.
    """
    x = load_plugin("methods", card.method).Method.as_stream(
        x, encoder_file.skeleton_of(card), card.stream
    )
    return pooled(encoder, x, length, drop, CLIP)


@torch.inference_mode()
def encode_all(
    card: EncoderCard,
    encoder: BaseEncoder,
    clips: Clips,
    drop: Tensor | None = None,
    pooling: str = CLIP,
) -> np.ndarray:
    """Features of all clips in file order, in evaluation mode.   Returns: (N, D) float32."""
    encoder.eval()
    rows = []
    for part in in_order(len(clips), BATCH):
        x, length, _ = clips.take(torch.arange(part.start, part.stop))
        rows.append(encode(card, encoder, x, length, drop, pooling).float().cpu())
    features = torch.cat(rows).numpy()
    check_rows(features, f"features by {card.provenance.get('run', card.method)}", clips.name)
    return features


def encode_array(
    card: EncoderCard,
    encoder: BaseEncoder,
    data: ArraySet,
    device: torch.device,
    where: str,
    dropped: Sequence[int] = (),
) -> np.ndarray:
    """What encode_all gives of all clips of an array, BATCH of them in memory at once.   -> (N, D)
    float32.

    dropped: joints of the encoder's skeleton to lose, by deletion where it can, else they become
    zero.
    """
    joints = sorted(set(dropped))
    drop = torch.tensor(joints, device=device) if joints and encoder.can_drop else None
    rows = []
    for part in in_order(len(data.x), BATCH):
        piece = fitted(card, encoder, piece_of(data, part), where)
        if joints and drop is None:
            x = np.array(piece.x)
            x[:, :, :, joints] = 0
            piece = replace(piece, x=x)
        rows.append(encode_all(card, encoder, Clips(piece, np.arange(len(piece.x)), device), drop))
    return np.concatenate(rows)


def piece_of(data: ArraySet, part: slice) -> ArraySet:
    """Some clips of an array, without its splits."""
    names = ("x", "y", "length", "content", "names")
    return replace(data, **{name: getattr(data, name)[part] for name in names}, splits={})


@torch.inference_mode()
def recalibrate(
    card: EncoderCard, encoder: BaseEncoder, clips: Clips, streams: tuple[str, ...] = ()
) -> None:
    """Replace batch-norm running statistics by averages over the clean training clips, dropout off.

    streams: that the encoder was trained on in one batch; (): all that the method feeds it in one
    batch, which is the run's stream for most.

    The released code's statistics mix augmented and masked views and weigh the last few batches
    most; single epochs then swing by tens of points. The clips are taken in a fixed shuffled order,
    because files are often sorted by class; a last
    short batch is left out, so that all batches count alike.
    """
    together = (
        streams
        or load_plugin("methods", card.method).Method.wants.streams_together
        or (card.stream,)
    )
    norms = [m for m in encoder.modules() if isinstance(m, _BatchNorm)]
    encoder.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    for index in shuffled(len(clips), BATCH, drop_last=True, seed=0, epoch=0):
        x, length, _ = clips.take(index)
        views = [clean_stream(card, x, length, stream) for stream in together]
        pooled(encoder, torch.cat(views), length.repeat(len(views)), None, CLIP)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    encoder.eval()
    statistics = {f"statistics {name!r}": buffer for name, buffer in encoder.named_buffers()}
    check_weights(statistics, f"recalibrated {card.provenance.get('run', card.method)}", DIVERGED)


def extract(
    encoder_path: str | Path,
    array: str | Path,
    split: str,
    encoding: Encoding,
    out: str | Path,
    device: torch.device,
) -> None:
    """Encode both sides of a split and write features.npz.

    Raises: UserError if the array or the pooling does not fit the encoder.
    """
    began = time.monotonic()
    check_pooling(encoding.pooling)
    card, encoder = encoder_file.load(encoder_path)
    data = fitted(card, encoder, open_array(array, encodable=True), str(array))
    say_odd(card, data, str(array))
    sides = dict(zip(("train", "test"), data.sides(split), strict=True))
    encoder.to(device)
    train = Clips(data, sides["train"], device)
    if encoding.batch_norm == "recalibrated":
        recalibrate(card, encoder, train)
    test, pooling = Clips(data, sides["test"], device), encoding.pooling
    arrays = {
        "train": encode_all(card, encoder, train, pooling=pooling),
        "test": encode_all(card, encoder, test, pooling=pooling),
    }
    labels = {f"y_{side}": data.y[index] for side, index in sides.items()} | {
        "unseen": data.unseen(split)
    }
    meta = {
        **card.provenance,
        **encoding._asdict(),
        "classes": data.meta["classes"],
        "data_checksum": data.meta["checksum"],
        "encoded_dataset": data.meta["dataset"],
        "split": split,
        "clips": clip_digest(data.names[i] for i in sides["test"]),
        "stream": card.stream,
        "device": device_name(device),
        "encoded_by": computed_by(device),
        "seconds": time.monotonic() - began,
        "peak_mb": peak_memory(device),
    }
    feature_file.write(out, {**arrays, **labels}, meta)


def fitted(card: EncoderCard, encoder: BaseEncoder, data: ArraySet, where: str) -> ArraySet:
    """The array as the encoder was given its own: its body, no fewer slots of it, no fewer frames.

    All doors to features go through here. Frames are added where the encoder reads all that there
    are; where the view or the encoder follows the clips' lengths, none are missed.
    Raises: ShapeError if its clips still do not fit.
    """
    data = adapted(card, data, where)
    frames = data.x.shape[2]
    short = card.frames - frames
    if not reads_every_frame(card, encoder):
        if len(data.length) and data.length.max() > frames:
            message = f"{where}: lengths up to {data.length.max()} in clips of {frames} frames"
            remedy = "give lengths within them, or a recipe that keeps the recording's frames"
            raise ShapeError(f"{message}, which {card.method} follows; {remedy}")
    elif short > 0:
        data = replace(data, x=np.pad(data.x, ((0, 0), (0, 0), (0, short), (0, 0), (0, 0))))
    return data


def reads_every_frame(card: EncoderCard, encoder: BaseEncoder) -> bool:
    """Whether clips reach the encoder with all frames of the array, however long they were."""
    method: type[BaseMethod] = load_plugin("methods", card.method).Method
    return encoder.stride is None and method.frames is BaseMethod.frames


def adapted(card: EncoderCard, data: ArraySet, where: str) -> ArraySet:
    """The array in the joints of the encoder's skeleton, with absent bodies where slots are
    missing.

    Raises: ShapeError if its clips still do not fit.
    """
    if data.meta["skeleton"] != card.skeleton:
        data = replace(
            data,
            x=np.ascontiguousarray(
                data.x[:, :, :, list(joints_of(card.skeleton, data.meta["skeleton"]))]
            ),
        )
    check_fit(card, data.x.shape, where)
    absent = card.people - data.x.shape[4]
    if absent > 0:
        data = replace(data, x=np.pad(data.x, ((0, 0),) * 4 + ((0, absent),)))
    return data


def say_odd(card: EncoderCard, data: ArraySet, where: str) -> None:
    """Warn of clips that can be encoded but are not like those that the encoder was trained on."""
    slots = data.x.shape[-1]
    if slots > card.people:
        trained = f"the encoder was trained on {card.people}"
        log.warning("%s: %d body slots, %s: all are encoded", where, slots, trained)
    made = data.meta.get("recipe", card.recipe)
    if made != card.recipe:
        log.warning(
            "%s: made by the recipe %s, the encoder was trained on %s", where, made, card.recipe
        )


def check_fit(card: EncoderCard, shape: tuple[int, ...], where: str) -> None:
    """Raises: ShapeError if clips of this shape are not what the encoder takes.

    The number of persons may differ.
    """
    skeleton = encoder_file.skeleton_of(card)
    if len(shape) != 5 or shape[1] != 3 or shape[3] != skeleton.joints:
        raise ShapeError(
            f"{where}: clips of shape {shape}, expected (N, 3, {card.frames}, "
            f"{skeleton.joints}, M) for this encoder ({card.skeleton})"
        )
