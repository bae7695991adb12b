"""Splits of a folder of clips, and what is odd about them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from pstl.config import Frozen
from pstl.data.kinds import _label_table
from pstl.data.kinds._label_table import Row
from pstl.errors import UserError

TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "validation")
Names = tuple[str | int, ...]
Sides = dict[str, str]  # clip -> "train", "test" or ""


class Split(Frozen):
    """How clips are split.

    by: whose names `train` and `test` hold.
    train, test: names, or a text file with one a line; without `test` all others are tested.
    column: of the table of labels, which says train or test, instead of all these.
    """

    by: Literal["performer", "camera", "clip"] = "performer"
    train: Names | str = ()
    test: Names | str = ()
    column: str = ""

    @field_validator("train", "test", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def sides(split: Split, rows: Mapping[str, Row], folder: Path, where: str) -> Sides:
    """The side of every clip.   rows: clip -> its row.   folder: of files with names.

    Raises: UserError for a name that no clip has, one on both sides, or a side without clips.
    """
    if split.column:
        found = {clip: _said(row, split.column, where) for clip, row in rows.items()}
    else:
        found = _by_names(split, rows, folder, where)
    counts = Counter(found.values())
    if not counts["train"] or not counts["test"]:
        sizes = f"{counts['train']} training and {counts['test']} test clips"
        raise UserError(f"{where}: {sizes}; both sides need some")
    return found


def _said(row: Row, column: str, where: str) -> str:
    """The side that a column of the table gives a clip."""
    if column.lower() not in row.columns:
        titles = ", ".join(row.columns)
        raise UserError(f"{where}.column: no column {column!r} in the table of labels: {titles}")
    word = row.columns[column.lower()].lower()
    if word and word not in (*TRAIN, *TEST):
        expected = "expected train, test, or nothing"
        raise UserError(f"{where}.column: {row.clip} is {word!r} there, {expected}")
    return "train" if word in TRAIN else "test" if word in TEST else ""


def _by_names(split: Split, rows: Mapping[str, Row], folder: Path, where: str) -> Sides:
    value = {clip: clip if split.by == "clip" else getattr(row, split.by)
             for clip, row in rows.items()}  # fmt: skip
    present = set(value.values()) - {""}
    if not present:
        raise UserError(f"{where}: by {split.by}, but the table of labels has no such column")
    train = _names(split.train, rows, split.by, folder)
    test = _names(split.test, rows, split.by, folder)
    if not train:
        raise UserError(f"{where}.train: nobody named; name each {split.by} to train on")
    for side, chosen in (("train", train), ("test", test)):
        if strangers := sorted(chosen - present):
            known = ", ".join(sorted(present)[:10])
            lack = f"no {split.by} {strangers[0]!r} in the table of labels"
            raise UserError(f"{where}.{side}: {lack}; known: {known}")
    if both := sorted(train & test):
        raise UserError(f"{where}: {split.by} {both[0]} is in train and in test; choose one")
    test = test or present - train
    return {
        clip: "train" if name in train else "test" if name in test else ""
        for clip, name in value.items()
    }


def _names(given: Names | str, rows: Mapping[str, Row], by: str, folder: Path) -> set[str]:
    """The names of one side. Clips may be named as the table does, or without their endings."""
    listed = _label_table.names(folder / given) if isinstance(given, str) else map(str, given)
    if by != "clip":
        return set(listed)
    called = {row.clip: clip for clip, row in rows.items()}
    return {called.get(name, name) for name in listed}


def remarks(name: str, found: Sides, rows: Mapping[str, Row], by: str) -> list[str]:
    """What is odd about a split, a line each."""
    lines = []
    of_class: dict[str, set[str]] = defaultdict(set)
    of_performer: dict[str, set[str]] = defaultdict(set)
    for clip, side in found.items():
        of_class[rows[clip].label].add(side)
        of_performer[rows[clip].performer].add(side)
    untaught = [label for label, on in of_class.items() if "test" in on and "train" not in on]
    if untaught:
        lines.append(f"split {name}: tested and never trained on: {_some(untaught)}")
    untested = [label for label, on in of_class.items() if "train" in on and "test" not in on]
    if untested:
        lines.append(f"split {name}: trained on and never tested: {_some(untested)}")
    both = [who for who, on in of_performer.items() if who and {"train", "test"} <= on]
    if both and by != "camera":
        lines.append(f"split {name}: performers on both sides: {_some(both)}")
    return lines


def _some(names: Sequence[str]) -> str:
    """The first few of many."""
    shown = ", ".join(sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
