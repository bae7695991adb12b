"""A trained encoder by whatever names it: a file, a folder, a run, the hub, an address."""

import os
from pathlib import Path

from pstl import paths
from pstl.config import Run
from pstl.errors import UserError
from pstl.hub import places, weights
from pstl.hub.addresses import fetched, is_address
from pstl.hub.export import opened
from pstl.hub.weights import Weights


def find(path_or_name: str | Path) -> Weights:
    """A trained encoder with its card and what names classes, on the CPU.

    path_or_name: encoder.pt; what 'python -m pstl export' made, the folder or its file; a name of
    'python -m pstl list --weights', such as nwucla/simclr; URL#sha256=HEX; hf://OWNER/NAME; or a
    run such as nwucla/nwucla/xview/pstl/joint/s0, whose encoder lies under results/.
    Raises: UserError if there is none, or it is damaged.
    """
    if not isinstance(path_or_name, str | os.PathLike):
        kind = type(path_or_name).__name__
        raise UserError(f"load: found {kind}, expected the path or name of an encoder as text")
    name = str(path_or_name)
    path = fetched(name) if is_address(name) else Path(path_or_name)
    if path.is_dir() and os.path.lexists(path / weights.WEIGHTS):
        return weights.read(path)
    if path.is_file():
        return weights.read(path) if path.suffix == ".safetensors" else opened(path)
    if (folder := places.in_hub(name)) is not None:
        return weights.read(folder)
    if len(path.parts) == 6 and not path.is_absolute():
        place = Path(paths.encoder(Run.parse(name)))
        if place.is_file():
            return opened(place)
        made_by = f"make it with 'snakemake --cores all {place}', or fetch it with 'dvc pull'"
        raise UserError(f"{name}: no {place} here; {made_by}")
    expected = "encoder.pt, an exported folder, or suite/dataset/split/method/stream/s<seed>"
    raise UserError(f"{name}: no encoder here; expected {expected}; {places.suggestions(name)}")
