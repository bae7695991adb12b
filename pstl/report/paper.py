"""Published numbers that are kept here: each with its source, its kind, and what is assumed."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pstl.config import DEFAULT_RULE, FUSED
from pstl.errors import UserError
from pstl.files import Kind, read_text
from pstl.report import declared

FOLDER = Path(__file__).parent / "published"
COPY = Kind("table of published numbers", "take it from git again")
UNVERIFIED = "unverified"  # as a source: remembered, never seen; such rows reach no table

WHO = (
    "authors", "later comparison", "third-party run", "user's run", "summary page", "notebook",
    "quoted in an issue", "not seen",
)  # fmt: skip
TASKS = ("linear", "knn", "retrieval", "finetune", "semi", "transfer", "detection", "motion")
STREAMS = (
    "joint",
    "bone",
    "motion",
    FUSED,
    "other",
)  # other: any other input, the setting says which
FOLDS = "folds"  # the mean over those that a data set's authors give
SPLITS = ("xsub", "xview", "xset", "standard", FOLDS)

# Which of its looks at the test clips a number is: the best of several epochs, the last, one
# settled beforehand; unknown where neither the source nor the released code says.
BEST, LAST, FIXED, UNKNOWN = "best", "last", "fixed", "unknown"
KINDS = (BEST, LAST, FIXED, UNKNOWN)

# What must agree before two numbers of one task may be compared, and what a setting that does not
# mention it means.
DECISIVE = {
    "labels": "1",
    "k": "1",
    "source": "",
    "input": "",
    "subset": "",
    "theta": "0.5",
    "whitened": "",
}
# The same for what no default can be given to: if one side alone says it, nothing is subtracted.
SAID = ("rule", "weights", "source_split")
# What a row of a task has to say, or to name among what it assumes.
NEEDED = {"knn": ("k", "distance"), "semi": ("labels",), "transfer": ("source", "source_split")}
ASSUMABLE = ("task", "dataset", "split", "stream", "distance", *DECISIVE, *SAID)

CELL = ("dataset", "split", "stream", "task", "metric")

DATASET = re.compile(r"[a-z][a-z0-9]*")
WORK = re.compile(r"https://[\w.-]+\.\w+(/\S+)?|\barXiv \d{4}\.\d{4,5}\b|\bdoi:10\.\d{4,}/\S+")
PLACE = re.compile(
    r"\b(tables?|figures?|sections?|pages?|card|files?|issues/\d+|pull/\d+)\b", re.IGNORECASE
)


class Published(NamedTuple):
    """One number as somebody printed it.

    setting: a list like "k=1;cosine".   kind: one of KINDS.
    assumed: names of columns and parts of the setting that the source does not state, with blanks
    between them. Such a row is shown with a mark and nothing is subtracted from it.
    """

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
    kind: str
    assumed: str
    source: str


def load(folder: Path = FOLDER) -> list[Published]:
    """Every published number with a source, in the order of the files.

    Raises: UserError naming file, line and column.
    """
    table = []
    for path in sorted(folder.glob("*.csv")):
        table += [row for row in read(path) if row.source != UNVERIFIED]
    return table


def read(path: Path) -> list[Published]:
    """All rows of one file, those that nobody has seen, too.

    Raises: UserError naming file, line and column.
    """
    reader = csv.DictReader(read_text(path, COPY).splitlines())
    columns = tuple(reader.fieldnames or ())
    if columns != Published._fields:
        raise UserError(
            f"{path}: columns {', '.join(columns)}; expected {', '.join(Published._fields)}"
        )
    return [_row(cells, f"{path}, line {reader.line_num}") for cells in reader]


def same_method(name: str) -> str:
    """A method's name without case, blanks and punctuation, so that SCD-Net and scdnet are one.

    >>> same_method("SCD-Net") == same_method("scdnet")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find(table: list[Published], ours: Mapping[str, str]) -> list[Published]:
    """The numbers that may stand beside ours.

    Same cell, same method, nothing decisive in the setting differs. Those of which nothing is
    assumed come first.

    ours: what our number is of: CELL, method and setting by name; other names are not looked at.
    """
    method, setting = same_method(ours["method"]), ours["setting"]
    decided = decisive(setting)
    rows = table
    for name in CELL:
        rows = [p for p in rows if getattr(p, name) == ours[name]]
    rows = [p for p in rows if same_method(p.method) == method and decisive(p.setting) == decided]
    rows = [p for p in rows if not _contradicts(p.setting, setting)]
    return sorted(rows, key=lambda p: bool(p.assumed))


def decisive(setting: str) -> tuple[str, ...]:
    """The part of a setting that decides what may be compared, in one spelling.

    >>> decisive("labels=0.10") == decisive("frozen;labels=0.1") != decisive("labels=0.01")
    True
    """
    parts = setting.split(";")
    stated = _stated(setting)
    shifted = _first_of(("centred", "standardised"), parts)
    settled = [_number(stated.get(key, default)) for key, default in DECISIVE.items()]
    return (_distance(parts) or "cosine", shifted, *settled)


def not_stated(published: Published, setting: str) -> list[str]:
    """What would have to be known before `published` is subtracted from ours with this setting.

    What the row assumes, and what only one of the two says about labels drawn, streams fused or the
    split of a source.
    """
    theirs, ours = _stated(published.setting), _ours(setting)
    names = published.assumed.split()
    for name in SAID:
        one_sided = (name in theirs) != (name in ours)
        if one_sided and name not in names:
            names.append(name)
    return names


def fixed_epoch(published: Published) -> str:
    """Which epoch a number of kind `fixed` is of, from 1; "" where that is not said."""
    return _stated(published.setting).get("epoch", "")


def _contradicts(theirs: str, ours: str) -> bool:
    one, other = _stated(theirs), _ours(ours)
    both = one.keys() & other.keys() & set(SAID)
    return any(one[name] != other[name] for name in both)


def _ours(setting: str) -> dict[str, str]:
    """As _stated(); a row of ours that names no rule of drawing labels is of the usual one."""
    stated = _stated(setting)
    few = _number(stated.get("labels", "1")) != "1"
    return {"rule": DEFAULT_RULE, **stated} if few else stated


def _stated(setting: str) -> dict[str, str]:
    """Parts like k=1 by their names.

    The weights of fused streams are one part, the source of a transfer is two.
    """
    parts = dict(part.split("=", 1) for part in setting.split(";") if "=" in part)
    weights = []
    for stream in ("joint", "bone", "motion"):
        if stream in parts:
            weights.append(f"{stream}:{_number(parts.pop(stream))}")
    if weights:
        parts["weights"] = " ".join(weights)
    dataset, slash, split = parts.get("source", "").partition("/")
    if slash:
        parts |= {"source": dataset, "source_split": split}
    return parts


def _distance(parts: list[str]) -> str:
    return _first_of(("euclidean", "cosine"), parts)


def _first_of(words: Sequence[str], parts: list[str]) -> str:
    """The first of these words that is among the parts of a setting; empty if none is."""
    for word in words:
        if word in parts:
            return word
    return ""


def _number(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _row(cells: dict[str, str], where: str) -> Published:
    if None in cells or None in cells.values():
        raise UserError(
            f"{where}: expected {len(Published._fields)} cells; put text with commas into quotes"
        )
    _check_words(cells, where)
    _check_said(cells, where)
    _check_source(cells["source"], where)
    try:
        value = float(cells["value"])
    except ValueError:
        raise UserError(f"{where}: value {cells['value']!r}, expected a number") from None
    if not 0 <= value < float("inf"):
        raise UserError(f"{where}: value {cells['value']!r}, expected a finite number, not below 0")
    return Published(**{**cells, "value": value})  # type: ignore[arg-type]


def _check_words(cells: dict[str, str], where: str) -> None:
    columns = {
        "table": WHO,
        "task": TASKS,
        "stream": STREAMS,
        "split": SPLITS,
        "kind": KINDS,
    }
    for column, words in columns.items():
        if cells[column] not in words:
            raise UserError(
                f"{where}: {column} {cells[column]!r}; expected one of {', '.join(words)}"
            )
    if declared.metrics().find(cells["metric"]) is None:
        names = ", ".join(metric.name for metric in declared.metrics())
        raise UserError(f"{where}: metric {cells['metric']!r}; expected one of {names}")
    for word in cells["assumed"].split():
        if word not in ASSUMABLE:
            raise UserError(f"{where}: assumed {word!r}; expected some of {', '.join(ASSUMABLE)}")
    if not DATASET.fullmatch(cells["dataset"]):
        raise UserError(
            f"{where}: dataset {cells['dataset']!r}; "
            "expected a name like ntu60, small letters and digits"
        )


def _check_said(cells: dict[str, str], where: str) -> None:
    """What decides a comparison is stated or named as assumed, never left to a default."""
    said = set(_stated(cells["setting"])) | set(cells["assumed"].split())
    if _distance(cells["setting"].split(";")):
        said.add("distance")
    needed = NEEDED.get(cells["task"], ())
    if cells["stream"] == FUSED:
        needed += ("weights",)
    for name in needed:
        if name not in said:
            raise UserError(
                f"{where}: nothing about {name}; write it into setting, or its name into assumed"
            )


def _check_source(source: str, where: str) -> None:
    if not source:
        raise UserError(
            f"{where}: no source; name where the number was printed, or write {UNVERIFIED!r}"
        )
    if source == UNVERIFIED:
        return
    for part in source.split(" ; "):
        if not WORK.search(part) or not PLACE.search(part):
            raise UserError(
                f"{where}: source {part!r} is not precise; expected an arXiv number, doi or https "
                "address, and the table, figure, section, page or file there"
            )
