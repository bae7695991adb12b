"""One array in, features out: encoders of this project and of released code on anybody's clips."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pstl.data.loader import in_order
from pstl.errors import UserError
from pstl.files import atomic
from pstl.ops.streams import STREAMS
from pstl.registry import load as load_plugin
from pstl.registry import names
from pstl.tasks._features import BATCH, check_fit, encode, encode_view
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from pstl.train.encoder_file import EncoderCard


def embed(
    weights: str | Path, source: str | Path, out: str | Path, stream: str | None, dropped: list[int], device: torch.device
) -> tuple[int, ...]:
    """Features (N, D) of an array (N, 3, T, V, M) of joint positions, in evaluation mode; the stream is derived here.

    Clips of just the frames that the encoder takes are encoded as they are; any others count as recordings of T frames, of which
    the method's clean view (its crop, its resampling) is encoded.

    stream: None takes the one the encoder was trained on.   dropped: 0-based joints to lose; they are deleted where the
    encoder can, else set to zero.   Returns: the shape written.   Raises: UserError, ShapeError for an input that does not fit.
    """
    card, encoder = encoder_file.load(weights)
    if stream is not None and stream not in STREAMS:
        raise UserError(f"unknown stream {stream!r}; known: {', '.join(STREAMS)}")
    card = EncoderCard(**{**vars(card), "stream": stream or card.stream})
    x = _read_clips(source)
    check_fit(card, x.shape, str(source))
    joints = x.shape[3]
    if any(not 0 <= j < joints for j in dropped) or len(set(dropped)) >= joints:
        raise UserError(
            f"--drop-joints {','.join(map(str, dropped))}: expected distinct joints from 0 to {joints - 1}, and at least one left"
        )
    encoder.to(device)
    drop = torch.tensor(sorted(set(dropped)), device=device) if dropped else None
    rows = []
    with torch.inference_mode():
        for part in in_order(len(x), BATCH):
            rows.append(_encode_part(card, encoder, torch.from_numpy(np.array(x[part])).to(device), drop))
    features = torch.cat(rows).numpy()
    with atomic(out) as new, open(new, "wb") as stream_out:
        np.save(stream_out, features)
    return features.shape


def _encode_part(card: EncoderCard, encoder: Any, x: Tensor, drop: Tensor | None) -> Tensor:
    if drop is not None and not encoder.can_drop:
        x, drop = x.index_fill(3, drop, 0), None
    if x.shape[2] == card.frames:
        return encode_view(card, encoder, x, drop).float().cpu()
    length = torch.full((len(x),), x.shape[2], device=x.device)
    return encode(card, encoder, x, length, drop).float().cpu()


def _read_clips(path: str | Path) -> np.ndarray:
    try:
        x = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a .npy array ({error})") from None
    if x.dtype.kind not in "fiu" or not len(x):
        raise UserError(f"{path}: found {len(x)} items of type {x.dtype}, expected at least one clip of real numbers")
    finite = np.isfinite(x).reshape(len(x), -1).all(1)
    if not finite.all():
        raise UserError(f"{path}: clip {int(np.argmin(finite))} holds NaN or infinite coordinates; repair or remove it")
    return x.astype(np.float32)


def import_weights(source: str, official: str | Path, out: str | Path) -> EncoderCard:
    """Turn a checkpoint of released code into encoder.pt. Only tensors are read, never pickled code.

    source: a method whose module offers from_official(content) -> (card fields, state).
    Raises: UserError if the source has no such code, or the file is not its checkpoint.
    """
    module = load_plugin("methods", source)
    if not hasattr(module, "from_official"):
        able = [n for n in names("methods") if hasattr(load_plugin("methods", n), "from_official")]
        raise UserError(f"no released code to import from for {source!r}; known: {', '.join(able)}")
    try:
        content = read(official)
        fields, state = module.from_official(content)
        classifier = encoder_file.linear(module.classifier_from_official(content)) if hasattr(module, "classifier_from_official") else None
    except (KeyError, AttributeError, TypeError, IndexError, ValueError) as error:
        raise UserError(f"{official}: not a checkpoint of the released {source} code (no {error} in it)") from None
    card = EncoderCard(**fields, provenance={"imported_from": Path(official).name})
    encoder = encoder_file.build(card)
    encoder_file.load_state(encoder, state, str(official))
    encoder_file.save(out, card, encoder, classifier)
    return card
