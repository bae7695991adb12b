"""One array in, features out: encoders of this project and of released code on anybody's clips."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pstl.backbones._base import BaseEncoder
from pstl.data import clip_files
from pstl.data.numpy_file import save_npy, save_npz
from pstl.errors import UserError
from pstl.files import by_ending
from pstl.ops.streams import STREAMS
from pstl.registry import load as load_plugin
from pstl.registry import names
from pstl.tasks._array import is_array, open_clips
from pstl.tasks._features import encode_array, say_more_people
from pstl.tasks._own import Embedder, find
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
Writer = Callable[[str | Path, np.ndarray, list[str]], None]
WRITERS: dict[str, Writer] = {
    ".npy": lambda out, features, clips: save_npy(out, features),
    ".npz": lambda out, features, clips: save_npz(out, {"features": features, "names": np.array(clips)}),
}


def embed(
    weights: str | Path,
    source: str | Path,
    out: str | Path,
    stream: str | None,
    dropped: list[int],
    device: torch.device,
    skeleton: str = "",
    units: str = "m",
) -> tuple[int, ...]:
    """Write the features (N, D) that 'python -m pstl features' computes of the same clips, and the tables are made from.

    source: an array (N, 3, T, V, M) of joint positions as the encoder's recipe makes them (a .npy file, or
    the folder that `prepare` made), one raw clip, a folder of raw clips, or one that `parse` made.
    out: .npy for the features alone, .npz for `features` and `names`.
    stream: None takes the one the encoder was trained on.   dropped: 0-based joints of the encoder to lose;
    they are deleted where it can, else set to zero.   skeleton: whose joints these are, if the source does
    not say and they are not the encoder's.   units: of raw clips.
    Returns: the shape written.   Raises: UserError, ShapeError for an input that does not fit.
    """
    written = by_ending(out, WRITERS)
    card, encoder = _encoder(weights)
    if stream is not None and stream not in STREAMS:
        raise UserError(f"unknown stream {stream!r}; known: {', '.join(STREAMS)}")
    card = replace(card, stream=stream or card.stream)
    _check_dropped(dropped, encoder_file.skeleton_of(card).joints)
    if is_array(Path(source)):
        if units != "m":
            raise UserError(f"--units {units}: an array is in its recipe's units; convert the raw clips instead")
        data = open_clips(source, card, skeleton)
        say_more_people(card, data, str(source))
        features, clips = encode_array(card, encoder.to(device), data, device, str(source), dropped), data.names
    else:
        features, clips = _of_raw(Embedder(card, encoder, str(device)), Path(source), skeleton, units, dropped)
    written(out, features, clips)
    norm = card.provenance.get("batch_norm", "released")
    log.info("method %s, stream %s, body %s, batch norm %s", card.method, card.stream, card.skeleton, norm)
    return features.shape


def _of_raw(embedder: Embedder, source: Path, skeleton: str, units: str, dropped: list[int]) -> tuple[np.ndarray, list[str]]:
    """Features and names of raw clips: of a file, a folder of files, or a folder that `parse` made."""
    if (source / "values.bin").exists():
        store, spec = clip_files.stored(source)
        return embedder.embed_clips(clip_files.of_store(store, spec), dropped), store.names
    files = clip_files.in_folder(source) if source.is_dir() else [source]
    clips = (embedder.of_file(path, skeleton, units) for path in files)
    return embedder.embed_clips(clips, dropped), [path.stem for path in files]


def _encoder(weights: str | Path) -> tuple[EncoderCard, BaseEncoder]:
    """An encoder as `pstl.load` finds it; what is called like a file is one."""
    return encoder_file.load(weights) if Path(weights).suffix == ".pt" else find(weights)


def _check_dropped(dropped: list[int], joints: int) -> None:
    if any(not 0 <= j < joints for j in dropped) or len(set(dropped)) >= joints:
        raise UserError(
            f"--drop-joints {','.join(map(str, dropped))}: expected distinct joints from 0 to {joints - 1}, and at least one left"
        )


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
