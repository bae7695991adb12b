"""snapshots.zip: encoders of a training on its way, classifiers included, for figures over epochs.

While a run trains they lie in the folder `snapshots` beside its encoder, which an interruption
leaves alone; at the end they become one file. Training itself tests nothing.
"""

import logging
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pstl import seals
from pstl.errors import UserError
from pstl.files import Kind, atomic, reading
from pstl.modules import BaseMethod
from pstl.train import checkpoint, encoder_file
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
SNAPSHOTS = Kind("readable file of snapshots", "train the run again")
NAME = re.compile(r"epoch-(\d+)\.pt")


def folder_of(out: Path) -> Path:
    """Where the snapshots of the training that will write the encoder `out` lie until then."""
    return out.with_name("snapshots")


def at_epoch(card: EncoderCard, epochs: int) -> EncoderCard:
    """The card of an encoder after so many epochs."""
    return replace(card, provenance={**card.provenance, "epochs": epochs})


def keep(out: Path, card: EncoderCard, method: BaseMethod, epochs: int) -> None:
    """Write the snapshot after so many epochs."""
    file = folder_of(out) / f"epoch-{epochs:04d}.pt"
    encoder_file.save(file, at_epoch(card, epochs), method.encoder, method.classifier)


def pack(out: Path, card: EncoderCard, due: Sequence[int]) -> None:
    """Write snapshots.zip beside `out`, empty if none is due; the folder stays.

    due: after which epochs. Says which are not there: somebody removed them while the run trained.
    """
    files = {epochs: folder_of(out) / f"epoch-{epochs:04d}.pt" for epochs in due}
    lost = [epochs for epochs, file in files.items() if not _belongs(file, card)]
    if lost:
        log.warning("%s: no snapshot after epochs %s", out.parent, ", ".join(map(str, lost)))
    with atomic(out.with_name("snapshots.zip")) as new:
        with zipfile.ZipFile(new, "w") as archive:
            for epochs in sorted(set(due) - set(lost)):
                # The same bytes on any day.
                entry = zipfile.ZipInfo(files[epochs].name, (1980, 1, 1, 0, 0, 0))
                with archive.open(entry, "w") as target, open(files[epochs], "rb") as source:
                    shutil.copyfileobj(source, target)
        seals.seal_zip(new)


def clear(out: Path) -> None:
    """Remove the folder, once the file is there."""
    shutil.rmtree(folder_of(out), ignore_errors=True)


def unpacked(path: str | Path) -> Iterator[tuple[int, Path]]:
    """Epochs and encoder file of every snapshot, in order; a file is there until the next one is.

    Raises: UserError if `path` is missing, damaged, or no file of snapshots.
    """
    with tempfile.TemporaryDirectory(prefix="pstl-") as folder:
        for name in _names(path):
            with reading(path, SNAPSHOTS), zipfile.ZipFile(path) as archive:
                content = archive.read(name)
            file = Path(folder, name)
            with atomic(file) as new:
                new.write_bytes(content)
            yield int(NAME.fullmatch(name)[1]), file  # type: ignore[index]
            file.unlink()


def _names(path: str | Path) -> list[str]:
    """Names of the snapshots, once all bytes of the file were compared with its seal."""
    with reading(path, SNAPSHOTS):
        if digest := seals.zip_digest(path):
            seals.check_zip(path, digest)
    with reading(path, SNAPSHOTS), zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        if strange := [name for name in names if not NAME.fullmatch(name)]:
            raise ValueError(f"{strange[0]} in it, expected epoch-0005.pt and the like")
        return names


def _belongs(file: Path, card: EncoderCard) -> bool:
    """Whether a snapshot is there, whole, and of this training."""
    try:
        content: dict[str, Any] = checkpoint.read(file)
    except UserError:
        return False
    made = content.get("card", {}).get("provenance", {}).get("settings_digest")
    return bool(made == card.provenance["settings_digest"])
