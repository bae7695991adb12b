"""Clips in, features out: the tables' features of anybody's clips, written to a file."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pstl.data import clip_files
from pstl.data.clip_files import SourcedClip
from pstl.data.numpy_file import save_npy, save_npz
from pstl.encoding.features import encode_array, say_odd
from pstl.errors import UserError
from pstl.files import by_ending
from pstl.hub.addresses import is_address
from pstl.hub.clip_arrays import is_array, open_clips
from pstl.hub.embedder import Embedder
from pstl.hub.export import opened
from pstl.hub.finding import find
from pstl.hub.import_weights import import_weights as import_weights
from pstl.hub.weights import Weights
from pstl.modules import BaseEncoder
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)


def _features_alone(out: str | Path, features: np.ndarray, clips: list[str]) -> None:
    save_npy(out, features)


def _features_and_names(out: str | Path, features: np.ndarray, clips: list[str]) -> None:
    save_npz(out, {"features": features, "names": np.array(clips)})


WRITERS = {".npy": _features_alone, ".npz": _features_and_names}


class Source(NamedTuple):
    """Where clips are, and what nothing there says.

    skeleton: whose joints they are, if not the encoder's.   units: of raw clips.
    """

    path: str | Path
    skeleton: str = ""
    units: str = "m"


def embed(
    weights: str | Path,
    source: str | Path | Source,
    out: str | Path,
    stream: str | None,
    dropped: list[int],
    device: torch.device,
) -> tuple[int, ...]:
    """Write the features (N, D) that 'python -m pstl features' computes of the same clips.

    source: an array (N, 3, T, V, M) of joint positions as the encoder's recipe makes them (a .npy
    file, or a folder that `prepare` made), a raw clip, a folder of them, or one that `parse` made.
    out: .npy for the features alone, .npz for `features` and `names`.
    stream: None takes the one the encoder was trained on.
    dropped: 0-based joints of the encoder to lose: deleted where it can, else set to zero.
    Returns: the shape written.   Raises: UserError, ShapeError for an input that does not fit.
    """
    write = by_ending(out, WRITERS)
    named = source if isinstance(source, Source) else Source(source)
    card, encoder, _ = encoder_of(weights)
    streams = encoder_file.streams_of(card.method)
    if stream is not None and stream not in streams:
        raise UserError(f"unknown stream {stream!r}; {card.method} has {', '.join(streams)}")
    card = replace(card, stream=stream or card.stream)
    _check_dropped(dropped, encoder_file.skeleton_of(card).joints)
    encoder.to(device)
    if is_array(Path(named.path)):
        features, clips = _of_array(card, encoder, named, dropped, device)
    else:
        features, clips = _of_raw(Embedder(card, encoder, str(device)), named, dropped)
    write(out, features, clips)
    norm = card.provenance.get("batch_norm", "released")
    facts = (card.method, card.stream, card.skeleton, norm)
    log.info("method %s, stream %s, body %s, batch norm %s", *facts)
    return features.shape


def joint_numbers(text: str) -> list[int]:
    """Joints as they are typed, "0,4,5". Raises: UserError if one is no number."""
    try:
        return [int(joint) for joint in text.split(",") if joint.strip()]
    except ValueError:
        expected = "joint numbers separated by commas, e.g. 0,4,5"
        raise UserError(f"--drop-joints {text!r}: expected {expected}") from None


def _of_array(
    card: EncoderCard,
    encoder: BaseEncoder,
    source: Source,
    dropped: list[int],
    device: torch.device,
) -> tuple[np.ndarray, list[str]]:
    """Features and names of the clips of an array."""
    where = str(source.path)
    if source.units != "m":
        remedy = "an array is in its recipe's units; convert raw clips instead"
        raise UserError(f"--units {source.units}: {remedy}")
    data = open_clips(where, card, source.skeleton)
    say_odd(card, data, where)
    return encode_array(card, encoder, data, device, where, dropped), data.names


def _of_raw(embedder: Embedder, source: Source, dropped: list[int]) -> tuple[np.ndarray, list[str]]:
    """Features and names of raw clips: a file, a folder of files, or one that `parse` made."""
    clips, names = raw_clips_of(embedder, source)
    return embedder.embed_clips(clips, dropped), names


def raw_clips_of(embedder: Embedder, source: Source) -> tuple[Iterator[SourcedClip], list[str]]:
    """Raw clips that name their bodies, read as they are asked for, and the names of all."""
    path, skeleton, units = Path(source.path), source.skeleton, source.units
    if (path / "values.bin").exists():
        store, spec = clip_files.stored(path)
        if units != "m" or skeleton not in ("", spec.skeleton):
            own = f"metres and {spec.skeleton}, as `parse` read it"
            raise UserError(f"{path}: {own}; leave out --units and --skeleton")
        return clip_files.of_store(store, spec), store.names
    files = clip_files.clips_at(path)
    clips = (embedder.of_file(file, skeleton, units) for file in files)
    return clips, [file.stem for file in files]


def encoder_of(weights: str | Path) -> Weights:
    """An encoder as `pstl.load` finds it; what is called like a file is one."""
    is_file = Path(weights).suffix == ".pt" and not is_address(str(weights))
    return opened(weights) if is_file else find(weights)


def _check_dropped(dropped: list[int], joints: int) -> None:
    if any(not 0 <= j < joints for j in dropped) or len(set(dropped)) >= joints:
        asked = f"--drop-joints {','.join(map(str, dropped))}"
        expected = f"distinct joints from 0 to {joints - 1}, and at least one left"
        raise UserError(f"{asked}: expected {expected}")
