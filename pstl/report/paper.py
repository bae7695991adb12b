"""The published numbers this project keeps a copy of, each with its source."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

from pstl.errors import UserError

FOLDER = Path(__file__).parent / "published"
UNVERIFIED = "unverified"  # as a source: remembered, never seen; such rows reach no table

TASKS = ("linear", "knn", "retrieval", "finetune", "semi", "transfer", "detection", "motion")
STREAMS = ("joint", "bone", "motion", "3s", "other")  # other: any other input, the setting says which
SPLITS = ("xsub", "xview", "xset")
METRICS = ("top1", "top5", "map", "r1", "r5", "r10", "map_action", "map_video", "mpjpe")

# What must agree before two numbers of one task may be compared, and what a setting that does not mention it means.
DECISIVE = {"labels": "1", "k": "1", "source": "", "input": ""}


class Published(NamedTuple):
    """One number as somebody printed it. `setting` is a list like "k=1;cosine"."""

    paper: str
    table: str
    task: str
    dataset: str
    split: str
    stream: str
    setting: str
    method: str
    metric: str
    value: float
    source: str


def load(folder: Path = FOLDER) -> list[Published]:
    """Every published number with a source, in the order of the files. Raises: UserError naming file, line and column."""
    table = []
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != Published._fields:
                raise UserError(f"{path}: columns {reader.fieldnames}, expected {list(Published._fields)}")
            table += [_row(cells, f"{path}, line {reader.line_num}") for cells in reader]
    return [row for row in table if row.source != UNVERIFIED]


def same_method(name: str) -> str:
    """A method's name without case, blanks and punctuation, so that SCD-Net and scdnet are one.

    >>> same_method("SCD-Net") == same_method("scdnet")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find(
    table: list[Published], *, dataset: str, split: str, stream: str, task: str, metric: str, method: str, setting: str
) -> list[Published]:
    """The numbers that may stand beside ours: same cell, same method, nothing decisive in the setting differs."""
    key = (dataset, split, stream, task, metric, same_method(method), decisive(setting))
    return [p for p in table if (p.dataset, p.split, p.stream, p.task, p.metric, same_method(p.method), decisive(p.setting)) == key]


def decisive(setting: str) -> tuple[str, ...]:
    """The part of a setting that decides what may be compared, in one spelling.

    >>> decisive("labels=0.10") == decisive("frozen;labels=0.1") != decisive("labels=0.01")
    True
    """
    parts = setting.split(";")
    given = dict(part.split("=", 1) for part in parts if "=" in part)
    distance = "euclidean" if "euclidean" in parts else "cosine"
    shifted = next((word for word in ("centred", "standardised") if word in parts), "")
    return (distance, shifted, *(_number(given.get(key, default)) for key, default in DECISIVE.items()))


def _number(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _row(cells: dict[str, str], where: str) -> Published:
    for column, known in (("task", TASKS), ("stream", STREAMS), ("split", SPLITS), ("metric", METRICS)):
        if cells[column] not in known:
            raise UserError(f"{where}: {column} {cells[column]!r}; known: {', '.join(known)}")
    if not cells["source"]:
        raise UserError(f"{where}: no source; name where the number was printed, or write {UNVERIFIED!r}")
    try:
        value = float(cells["value"])
    except ValueError:
        raise UserError(f"{where}: value {cells['value']!r}, expected a number") from None
    return Published(**{**cells, "value": value})  # type: ignore[arg-type]
