"""The door for people with clips of their own: a trained encoder by path or name, raw sequences in, features out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from pstl import paths
from pstl.backbones._base import BaseEncoder
from pstl.config import Plugin, Run, validated
from pstl.data.formats import skeleton_txt
from pstl.data.spec import RawSequence
from pstl.errors import UserError
from pstl.files import atomic
from pstl.registry import load as load_plugin
from pstl.tasks import _release
from pstl.tasks._features import encode
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

BATCH = 256  # clips encoded at once: bounds memory
ENDINGS = (".npy", ".skeleton")


def load(path_or_name: str | Path, device: str = "cpu") -> "Embedder":
    """A trained encoder, ready for raw sequences.

    path_or_name: encoder.pt, a folder made by 'python -m pstl export', or a run such as nwucla/nwucla/xview/pstl/joint/s0, whose
    encoder lies under results/.   device: as torch names it.
    Raises: UserError if there is none, or it is damaged.
    """
    path = Path(path_or_name)
    if path.is_dir() and (path / _release.WEIGHTS).is_file():
        return Embedder(*_release.read(path), device)
    if path.is_file():
        return Embedder(*encoder_file.load(path), device)
    if len(path.parts) == 6 and not path.is_absolute():
        place = Path(paths.encoder(Run.parse(str(path_or_name))))
        if place.is_file():
            return Embedder(*encoder_file.load(place), device)
        raise UserError(f"{path_or_name}: no {place} here; make it with 'snakemake --cores all {place}', or fetch it with 'dvc pull'")
    raise UserError(
        f"{path_or_name}: no encoder here; expected encoder.pt, an exported folder, or suite/dataset/split/method/stream/s<seed>"
    )


class Embedder:
    """An encoder with the recipe it was trained with. `card` says what it is; `skeleton` names the joints it expects, in order."""

    def __init__(self, card: EncoderCard, encoder: BaseEncoder, device: str = "cpu") -> None:
        self.card, self.encoder, self.device = card, encoder.to(device).eval(), device
        self.skeleton = encoder_file.skeleton_of(card)
        recipe = Plugin.model_validate(card.recipe)
        self._recipe = load_plugin("data.recipes", recipe.name)
        self._recipe_settings = validated(self._recipe.Config, recipe.settings, f"recipe {recipe.name}")

    def embed(self, xyz: np.ndarray) -> np.ndarray:
        """Features (D,) float32 of one raw sequence: recipe, the method's clean view, stream and encoder, as for the tables.

        xyz: (T, V, 3), or (T, M, V, 3) with several bodies; metres, joints as in `self.skeleton.names`; an absent body is all zero.
        Raises: UserError if shape, joints or numbers do not fit.
        """
        features: np.ndarray = self.embed_all([xyz])[0]
        return features

    @torch.inference_mode()
    def embed_all(self, clips: Iterable[np.ndarray]) -> np.ndarray:
        """Features (N, D) float32 of many raw sequences, which may differ in length; the same as one by one."""
        rows, waiting = [], list[RawSequence]()
        for number, xyz in enumerate(clips):
            waiting.append(RawSequence(f"clip {number}", -1, self._checked(np.asarray(xyz), f"clip {number}")))
            if len(waiting) == BATCH:
                rows.append(self._encode(waiting))
                waiting = []
        if waiting:
            rows.append(self._encode(waiting))
        if not rows:
            raise UserError("no clip to embed; expected at least one")
        return np.concatenate(rows)

    def _encode(self, clips: list[RawSequence]) -> np.ndarray:
        x, length = self._recipe.apply(clips, self.skeleton, self.card.people, self._recipe_settings)
        there, frames = torch.from_numpy(x).to(self.device), torch.from_numpy(length).to(self.device)
        return encode(self.card, self.encoder, there, frames).float().cpu().numpy()

    def _checked(self, xyz: np.ndarray, name: str) -> np.ndarray:
        """(T, V, 3) or (T, M, V, 3) -> (T, V, M, 3) float32."""
        joints = self.skeleton.joints
        if xyz.ndim not in (3, 4) or xyz.shape[-1] != 3 or xyz.shape[-2] != joints or not len(xyz) or xyz.dtype.kind not in "fiu":
            raise UserError(
                f"{name}: found shape {xyz.shape} of {xyz.dtype}, expected (T, {joints}, 3) or (T, M, {joints}, 3) numbers: "
                f"this encoder takes the {joints} joints of {self.skeleton.name}"
            )
        if not np.isfinite(xyz).all():
            frame = int(np.argwhere(~np.isfinite(xyz))[0, 0])
            raise UserError(f"{name}: frame {frame} holds NaN or infinite coordinates; repair or remove the clip")
        bodies = xyz[:, None] if xyz.ndim == 3 else xyz
        return np.ascontiguousarray(bodies.transpose(0, 2, 1, 3), dtype=np.float32)


def embed_folder(weights: str, folder: str | Path, out: str | Path, device: str = "cpu") -> tuple[int, ...]:
    """Features of every clip file of a folder, sorted by name: .npy arrays as Embedder.embed takes them, or NTU's .skeleton text.

    Writes an .npz with `features` (N, D) and `names` (N,).   Returns: the shape of the features.   Raises: UserError naming the file.
    """
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in ENDINGS)
    if not files:
        raise UserError(f"{folder}: no clips here; expected files that end in {' or '.join(ENDINGS)}")
    embedder = load(weights, device)
    features = embedder.embed_all(_clips(files, embedder))
    with atomic(out) as new, open(new, "wb") as stream:
        np.savez(stream, features=features, names=np.array([path.stem for path in files]))
    return features.shape


def read_clip(path: Path) -> np.ndarray:
    """One clip file as (T, V, 3) or (T, M, V, 3)."""
    if path.suffix == ".skeleton":
        return skeleton_txt.read(path).xyz.transpose(0, 2, 1, 3)
    try:
        clip: np.ndarray = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a .npy array ({error})") from None
    return clip


def _clips(files: list[Path], embedder: Embedder) -> Iterator[np.ndarray]:
    for path in files:
        clip = read_clip(path)
        embedder._checked(clip, str(path))  # so that an error names the file
        yield clip
