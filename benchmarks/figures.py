"""How the code reads, in numbers, each beside its goal: python -m benchmarks.figures [FOLDER ...]

Of the folders, by default pstl/, or of the whole checkout where a figure says so. Below the table
stand the worst places of what misses its goal.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import counts
from benchmarks.counts import Count
from benchmarks.source import modules

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 12


@dataclass(frozen=True)
class Figure:
    """One number.   goal: at most this, or at least, where `more_is_better`.   how: its count.

    counter: of modules, or of the path of a checkout where `of_checkout`.
    """

    name: str
    goal: float
    how: str
    counter: Callable[[Any], Count]
    of_checkout: bool = False  # counted in the checkout and not in the package
    more_is_better: bool = False

    def reached(self, value: float) -> bool:
        """Whether a value is as good as the goal; one that is not known is."""
        if math.isnan(value):
            return True
        return value >= self.goal if self.more_is_better else value <= self.goal


FIGURES = (
    Figure("longest file", 300, "lines of a file, all of them", counts.longest_file),
    Figure("longest function", 60, "lines from def to its end", counts.longest_function),
    Figure("lines over 100 columns", 0, "physical lines, comments too", counts.long_lines),
    Figure("lines of pstl/", 15_000, "physical lines of all files", counts.package_lines),
    Figure(
        "functions with many parameters",
        0,
        "over 6 without self and cls; public functions of pstl/commands/ are exempt",
        counts.many_parameters,
    ),
    Figure(
        "hooks",
        0,
        "calls of hasattr, and of getattr with a default, on anything but Python's own modules",
        counts.hooks,
    ),
    Figure(
        "foreign private modules",
        0,
        "a file and a module _name that it imports from a folder that is not above it",
        counts.foreign_privates,
    ),
    Figure(
        "comprehensions",
        30,
        "of all four kinds, per 1,000 lines that are not blank",
        counts.comprehensions,
    ),
    Figure(
        "nested comprehensions",
        1,
        "one in another, or with two `for`, per 1,000 lines that are not blank",
        counts.nested_comprehensions,
    ),
    Figure(
        "conditional expressions",
        20,
        "a if b else c, per 1,000 lines that are not blank; other projects: 2 to 20",
        counts.conditional_expressions,
    ),
    Figure(
        "nodes per statement",
        12,
        "nodes of the syntax tree by statements, all files together; other projects: 10 to 12",
        counts.nodes_per_statement,
    ),
    Figure(
        "documented functions, %",
        95,
        "with a docstring, of functions and methods without a leading underscore, nested too",
        counts.documented,
        more_is_better=True,
    ),
    Figure(
        "shapes stated, %",
        95,
        "docstring with a tuple, 'scalar' or 'same shape', of those whose types name "
        "Tensor or ndarray",
        counts.with_shapes,
        more_is_better=True,
    ),
    Figure("lines of common.smk", 80, "physical lines", counts.common_rules, of_checkout=True),
    Figure(
        "lambdas in rules",
        0,
        "the word in workflow/**/*.smk",
        counts.lambdas_in_rules,
        of_checkout=True,
    ),
    Figure(
        "citations astray",
        0,
        "sections cited in code and settings that docs/specs lacks",
        counts.astray_citations,
        of_checkout=True,
    ),
    Figure(
        "used by tests alone",
        0,
        "functions, methods and classes that pstl/, workflow/ and benchmarks/ do not name",
        counts.unused_definitions,
        of_checkout=True,
    ),
)


def measured(root: Path, folders: list[str]) -> dict[Figure, Count]:
    """Every figure of some folders of a checkout."""
    code = modules(root, *folders)
    values = {}
    for figure in FIGURES:
        subject = root if figure.of_checkout else code
        values[figure] = figure.counter(subject)
    return values


def table(values: dict[Figure, Count]) -> str:
    """One line a figure: name, value, goal, whether it is reached, how it is counted."""
    lines = []
    for figure, count in values.items():
        sign = ">=" if figure.more_is_better else "<="
        mark = " " if figure.reached(count.value) else "!"
        value = f"{count.value:,.0f}" if count.value >= 100 else f"{count.value:.3g}"
        goal = f"{sign} {figure.goal:,g}"
        lines.append(f"{mark} {figure.name:<31}{value:>8}  {goal:<10}{figure.how}")
    return "\n".join(lines)


def worst(figure: Figure, count: Count, shown: int) -> str:
    """The places that matter most for a figure."""
    ordered = sorted(count.offenders, key=lambda each: (-each.size, each.where))
    lines = [f"{each.size:>8g}  {each.where}" for each in ordered[:shown]]
    if len(ordered) > shown:
        lines.append(f"{'':>8}  and {len(ordered) - shown} more")
    return "\n".join([figure.name, *lines])


def main() -> None:
    """Print the table and the worst places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", default=["pstl"], metavar="FOLDER")
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--shown", type=int, default=SHOWN, help="places of each figure")
    options = parser.parse_args()
    values = measured(options.checkout.resolve(), options.folders)
    parts = [table(values)]
    for figure, count in values.items():
        if not figure.reached(count.value):
            parts.append(worst(figure, count, options.shown))
    print("\n\n".join(parts))  # noqa: T201


if __name__ == "__main__":
    main()
