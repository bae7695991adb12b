"""The folder that `fetch` makes. It is replaced as a whole: it must hold nothing the user still
needs."""

import os
from collections.abc import Sequence
from pathlib import Path

from pstl.contracts import Dataset
from pstl.errors import UserError

MANIFEST = "manifest.json"
KEPT = "archives"  # folder beside the output: downloads stay there, archives put there are found


def check(dataset: Dataset, out: Path, archives: Sequence[Path]) -> None:
    """Raises: UserError if `out` holds what is needed, or a folder of archives is not there."""
    name = dataset.spec.name
    for folder in archives:
        if not folder.exists():
            raise UserError(
                f"{name}: no such folder of archives: {folder}; correct --archives (or archives: "
                "in params.yaml)"
            )
    if out.exists() and not out.is_dir():
        raise UserError(f"{name}: {out} is a file, expected a folder; choose another --out")
    for kept in (Path.cwd(), Path.home(), out.parent / KEPT, *archives, *_source(dataset, out)):
        if Path(os.path.realpath(kept)).is_relative_to(os.path.realpath(out)):
            raise UserError(
                f"{name}: --out {out} would be replaced, and it holds {kept}; choose another "
                f"folder, e.g. data/raw/{name}"
            )


def _source(dataset: Dataset, out: Path) -> list[Path]:
    """The folder that a data set is copied from, if it has one; not what was copied of it to `out`,
    which takes its place where it is not on this machine."""
    place = dataset.place()
    copied = place == out and os.path.lexists(out / MANIFEST)
    return [] if place is None or copied else [place]
