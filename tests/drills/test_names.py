"""Hostile names in every place of the settings: refused in one line, or harmless there."""

from collections import Counter
from pathlib import Path
from typing import Any

import drilling
import pytest
import yaml
from test_hostile_names import OTHERS, WORDS, answer, files, is_formula, project, write

from pstl.config import NAME

pytestmark = pytest.mark.drills
__all__ = ["project"]  # a fixture, in which every test of this file is
NAMED = ("method", "task", "data set", "split", "class")
# Other places: file, and the way to a value there.
PLACES = {
    "suite": ("params", ["suite"]),
    "archives": ("params", ["archives"]),
    "recipe": ("params", ["methods", "pstl", "recipe"]),
    "encoder": ("params", ["methods", "pstl", "encoder", "name"]),
    "plug-in of a method": ("params", ["methods", "pstl", "method"]),
    "weights": ("params", ["methods", "pstl", "weights"]),
    "kind of task": ("params", ["tasks", "knn", "kind"]),
    "pooling": ("params", ["tasks", "knn", "pooling"]),
    "kind of data": ("params", ["datasets", "mine", "kind"]),
    "folder": ("params", ["datasets", "mine", "path"]),
    "body": ("params", ["datasets", "mine", "body"]),
    "labels": ("params", ["datasets", "mine", "labels"]),
    "column": ("params", ["datasets", "mine", "splits", "x", "by"]),
    "list of names": ("params", ["datasets", "mine", "splits", "x", "train"]),
    "performer": ("params", ["datasets", "mine", "splits", "x", "train"]),
    "data of a suite": ("suite", ["dataset"]),
    "stream": ("suite", ["experiments", 0, "streams"]),
    "source": ("suite", ["experiments", 0, "sources"]),
    "reuse": ("suite", ["reuse_encoders_from"]),
    "summary": ("suite", ["summary"]),
}
LISTED = ("archives", "stream", "source", "performer")  # names are items of a list there
FILES = {"params": Path("params.yaml"), "suite": Path("suites/s.yaml")}


def put(place: str, name: Any) -> None:
    """Settings with this name in this place."""
    if place in NAMED:
        write(place, name)
        return
    write("", "")
    file, way = PLACES[place]
    content = yaml.safe_load(FILES[file].read_text())
    inner = content
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = [name] if place in LISTED else name
    FILES[file].write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.parametrize("place", [*NAMED, *PLACES])
def test_a_hostile_name_is_refused_or_harmless(
    place: str, capsys: pytest.CaptureFixture[str], record_property
) -> None:
    """A settings file from a stranger may cost time, and run nothing and leave nothing outside."""
    ends: Counter[str] = Counter()
    put(place, "fine")
    before = files()
    tried = [*WORDS, *OTHERS]
    for name in tried[:: max(1, round(1 / drilling.SHARE))]:
        put(place, name)
        refused = answer(capsys)
        harmless = not refused and (place not in NAMED[:4] or is_harmless(name))
        ends["refused" if refused else "harmless" if harmless else "taken"] += 1
    total = sum(ends.values())
    how = f"{ends['refused']} refused, {ends['harmless']} harmless, {ends['taken']} taken"
    drilling.tell(record_property, f"names: {place}", total, total - ends["taken"], how)
    assert not ends["taken"]
    assert files() == before


def is_harmless(name: Any) -> bool:
    """Whether a name can stand in a shell line, a path and a csv file as it is."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None and not is_formula(name)
