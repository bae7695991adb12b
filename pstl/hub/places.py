"""Trained encoders by name: hub/DATASET/METHOD/, in a checkout and in what is installed of one."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pstl.checkout import is_installed, project
from pstl.errors import UserError
from pstl.files import Kind, reading
from pstl.hub.model_card import read_front_matter
from pstl.hub.weights import CARD, WEIGHTS

HUB = project() / "hub"
NAME = re.compile(r"[a-z0-9_]+/[A-Za-z0-9][A-Za-z0-9_.+-]*")
FLOORS = {"raw": "coordinates", "untrained": "untrained"}
MODEL_CARD = Kind("model card", "get another copy of its folder")


class Entry(NamedTuple):
    """Weights of the hub, and what their card says of them under `pstl`."""

    name: str
    folder: Path
    facts: dict[str, Any]


def in_hub(name: str) -> Path | None:
    """The folder of this name in the hub; None if it has none."""
    folder = HUB / name
    return folder if NAME.fullmatch(name) and (folder / WEIGHTS).is_file() else None


def place_in_hub(name: str) -> Path:
    """Where weights of a name are in the hub, or would be.

    Raises: UserError for no such name, and for an installed package, whose files go with it.
    """
    if is_installed():
        raise UserError("hub: an installed package has no hub/ to write to; name --out FOLDER")
    if not NAME.fullmatch(name):
        raise UserError(f"hub: found {name!r}, expected DATASET/METHOD, e.g. nwucla/simclr")
    return HUB / name


def list_weights() -> list[str]:
    """The names of everything in the hub, sorted."""
    return sorted(path.parent.relative_to(HUB).as_posix() for path in HUB.glob(f"*/*/{WEIGHTS}"))


def entries() -> list[Entry]:
    """Everything in the hub with its facts. Raises: UserError for a card that cannot be read."""
    listed = []
    for name in list_weights():
        card = HUB / name / CARD
        with reading(card, MODEL_CARD):
            listed.append(Entry(name, HUB / name, read_front_matter(card.read_text("utf-8"))))
    return listed


def suggestions(name: str) -> str:
    """What somebody may have meant who asked for a name that is not there."""
    names = list_weights()
    if not names:
        return "by name there are none here: hub/ of this installation is empty"
    close = get_close_matches(name, names, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"by name there are {', '.join(names)}"


def listing() -> str:
    """Every name of the hub, what it is and what it reaches, a line each, for people."""
    rows = entries()
    if not rows:
        return suggestions("") + "\n"
    width = max(len(entry.name) for entry in rows)
    return "".join(f"{entry.name:<{width}}  {_summary(entry)}\n" for entry in rows)


def _summary(entry: Entry) -> str:
    facts, size = entry.facts, (entry.folder / WEIGHTS).stat().st_size / 2**20
    kind = f"{facts['method']}, {facts['stream']}, {facts['skeleton']}"
    top1 = {who: f"{value:.1f}" for who, value in facts["top1"].items()}
    reached = f"top-1 {top1.pop('this file', 'not measured')}"
    for floor, words in FLOORS.items():
        reached += f", {words} {top1[floor]}" if floor in top1 else ""
    return f"{kind}, {facts['feature_width']} features, {size:.2f} MiB: {reached}"
