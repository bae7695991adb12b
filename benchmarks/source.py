"""The project's own source as text and as syntax trees."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of Python.   path: from the root of the checkout."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, without their ends."""
        return self.text.splitlines()

    @property
    def package(self) -> tuple[str, ...]:
        """The folders it is in, as in an import: ("pstl", "data")."""
        return self.path.parts[:-1]

    def at(self, node: ast.stmt | ast.expr) -> str:
        """Where something stands, as editors open it."""
        return f"{self.path}:{node.lineno}"


def modules(root: Path, *folders: str) -> list[Module]:
    """Every Python file below some folders of a checkout, in the order of their names."""
    paths: list[Path] = []
    for folder in folders:
        paths += sorted((root / folder).rglob("*.py"))
    return [Module(path.relative_to(root), path.read_text()) for path in paths]
