"""YAML files read with the line of every key, so that an error can say where it stands."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pstl.errors import UserError
from pstl.files import Kind, reading

SETTINGS = Kind(
    "readable settings file",
    "correct it, or get it again",
    "run from the project's root or pass --params FILE",
)
Keys = tuple[str | int, ...]  # the way to a value: ("methods", "pstl", "train", "lr")
MOST = 100_000  # entries of a file; ours have some hundreds
MERGE = "<<"  # YAML's own key for laying one mapping over another


@dataclass(frozen=True)
class Document:
    """One YAML file. lines: keys of each value -> the line its key stands in, counted from 1."""

    path: str
    content: Any
    lines: Mapping[Keys, int] = field(default_factory=dict)


def read(path: str | Path) -> Document:
    """Read a YAML file. Raises: UserError for a missing or broken file, or a key given twice."""
    with reading(Path(path), SETTINGS):
        text = Path(path).read_text("utf-8")
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root:
                _check_size(root)
            lines = _lines(root, str(path)) if root else {}
            content = loader.construct_document(root) if root else None
        except yaml.MarkedYAMLError as error:
            raise _not_yaml(error, str(path)) from None
        except yaml.YAMLError as error:
            raise ValueError(f"not valid YAML: {error}") from None
        finally:
            loader.dispose()
    return Document(str(path), content, lines)


def _not_yaml(error: yaml.MarkedYAMLError, path: str) -> UserError:
    """The line where a file stops being YAML, and why."""
    mark = error.problem_mark or error.context_mark
    place = f"{path}, line {mark.line + 1}" if mark else path
    reason = "; ".join(part for part in (error.context, error.problem) if part)
    if "'\\t'" in reason:
        reason += "; YAML is indented by spaces"
    return UserError(f"{place}: not valid YAML: {reason}")


def _check_size(root: yaml.Node) -> None:
    """Raises: ValueError for a file that aliases make too large, or that holds itself."""
    sizes: dict[int, int] = {}  # entries of a node, each alias counted as what it stands for
    inside: set[int] = set()  # nodes that are being counted

    def size(node: yaml.Node) -> int:
        """Entries of a node and of all below it."""
        if id(node) in inside:
            raise ValueError("an alias stands for a value that it is part of")
        if id(node) not in sizes:
            inside.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _values(node)))
            inside.remove(id(node))
        return sizes[id(node)]

    if (entries := size(root)) > MOST:
        raise ValueError(
            f"{entries} entries once its aliases are filled in, expected at most {MOST}"
        )


def _values(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return list(itertools.chain.from_iterable(node.value))
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _lines(root: yaml.Node, path: str) -> dict[Keys, int]:
    lines: dict[Keys, int] = {}
    for keys, key, _ in _entries(root, ()):
        line = key.start_mark.line + 1
        if keys in lines:
            name = ".".join(str(part) for part in keys)
            raise UserError(
                f"{path}, line {line}: {name} stands in line {lines[keys]} already; "
                "remove one of the two"
            )
        lines[keys] = line
    return lines


def _entries(node: yaml.Node, keys: Keys) -> Iterator[tuple[Keys, yaml.Node, yaml.Node]]:
    """Every entry below a node, outermost first: its keys, the node of its key, its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value != MERGE:
                here = (*keys, key.value if isinstance(key, yaml.ScalarNode) else str(key.value))
                yield here, key, value
                yield from _entries(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            here = (*keys, number)
            yield here, item, item
            yield from _entries(item, here)
