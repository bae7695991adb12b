"""Reference pages made of the code as it is: Python's door, the command line, the contracts."""

import html
import inspect
import re
from importlib import import_module
from typing import Any

DOOR = "pstl"
WIDTH = 88  # of a line in a block
COLUMNS = 76  # of the help of a verb, which the column of a page holds without scrolling
# Where a docstring begins to explain an argument, or what comes back.
POINT = re.compile(r"(?:^|(?<=\n)|(?<=   ))(?=(?:[a-z_0-9]+(?:, [a-z_0-9]+)*|Returns|Raises): )")
CONTRACTS = ("pstl.contracts", "pstl.modules", "pstl.records")
PYTHON = """# Python

What `import pstl` opens, which is all that is promised to stay: `dir(pstl)` lists it.
[own-data.md](../own-data.md) and [use-weights.md](../use-weights.md) show it at work.
"""
COMMANDS = """# Command line

Every verb of `python -m pstl`, which is `pstl` once the package is installed, as `--help` says it.
"""
PARTS = """# Contracts

What plug-ins are made of and what passes between them; the pages about adding a
[method](../add-a-method.md), [data set](../add-a-data-set.md), [recipe](../add-a-recipe.md) or
[task](../add-a-task.md) use them. `python -m pstl check` holds every plug-in to its contract.
"""


def pages() -> dict[str, str]:
    """Place in the site -> markdown."""
    return {
        "reference/python.md": python(),
        "reference/command-line.md": command_line(),
        "reference/contracts.md": contracts(),
    }


def python() -> str:
    """The names of the package's door, with the classes' public methods."""
    package = import_module(DOOR)
    parts = [PYTHON]
    for name in dir(package):
        if not name.startswith("__"):
            parts += described(name, vars_of(package, name), level=2)
    return "\n\n".join(parts) + "\n"


def contracts() -> str:
    """The classes of the modules that hold what the parts promise one another."""
    parts = [PARTS]
    for name in CONTRACTS:
        module = import_module(name)
        parts += [f"## {name}", prose(inspect.getdoc(module) or "")]
        for member, what in vars(module).items():
            if inspect.isclass(what) and what.__module__ == name and not member.startswith("_"):
                parts += described(member, what, level=3)
    return "\n\n".join(parts) + "\n"


def command_line() -> str:
    """The help of every verb, by group."""
    from pstl.cli import VERBS, program

    group = program()
    parts = [COMMANDS]
    for title, verbs in VERBS.items():
        parts.append(f"## {title}")
        for name in verbs:
            with group.make_context("pstl", [], resilient_parsing=True) as above:
                verb = group.get_command(above, name)
                context = type(above)(verb, info_name=f"pstl {name}", terminal_width=COLUMNS)
                parts += [f"### {name}", f"```text\n{verb.get_help(context).strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def vars_of(package: Any, name: str) -> Any:
    """What a lazily opened package has under a name."""
    return inspect.getattr_static(package, name, None) or package.__getattr__(name)


def described(name: str, what: Any, level: int) -> list[str]:
    """A class with its public methods, or a function."""
    doc = inspect.getdoc(what) or ""
    parts = [f"{'#' * level} {name}", signature(name, what), prose(doc)]
    if not inspect.isclass(what):
        return parts
    for member, part in vars(what).items():
        described_here = inspect.isfunction(part) or isinstance(part, property)
        if member.startswith("_") or not described_here or not inspect.getdoc(part):
            continue
        call = f"property {member}" if isinstance(part, property) else ""
        parts += [f"{'#' * (level + 1)} {name}.{member}", signature(member, part, call)]
        parts.append(prose(inspect.getdoc(part) or ""))
    return parts


def signature(name: str, what: Any, instead: str = "") -> str:
    """How it is called, as a block: in one line, or an argument in each."""
    if instead:
        return f"```python\n{instead}\n```"
    try:
        call = inspect.signature(what)
    except ValueError:  # of classes made in C there is none
        return f"```python\n{name}(...)\n```"
    arguments = [part for part in map(plain, call.parameters.values()) if part != "self"]
    returns = call.return_annotation
    result = "" if returns is inspect.Signature.empty else f" -> {short(returns)}"
    line = f"{name}({', '.join(arguments)}){result}"
    if len(line) > WIDTH:
        inside = "".join(f"    {argument},\n" for argument in arguments)
        line = f"{name}(\n{inside}){result}"
    return f"```python\n{line}\n```"


def plain(parameter: inspect.Parameter) -> str:
    """One argument: its name, type and default."""
    words = parameter.name
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        words = f"*{words}"
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        words = f"**{words}"
    if parameter.annotation is not inspect.Parameter.empty:
        words += f": {short(parameter.annotation)}"
    if parameter.default is not inspect.Parameter.empty:
        words += f" = {parameter.default!r}"
    return words


def short(annotation: Any) -> str:
    """A type without the modules it comes from."""
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", words)


def prose(doc: str) -> str:
    """A docstring as markdown: paragraphs, a point for each argument it explains, examples."""
    parts = []
    for paragraph in doc.split("\n\n"):
        if paragraph.startswith(">>>"):
            lines = [line.partition("  # doctest:")[0].rstrip() for line in paragraph.splitlines()]
            parts.append("```pycon\n" + "\n".join(lines) + "\n```")
            continue
        points = [point for point in POINT.split(paragraph) if point.strip()]
        words = [escaped(" ".join(point.split())) for point in points]
        first = "- " if POINT.match(paragraph) else ""
        parts += [first + words[0], *(f"- {point}" for point in words[1:])]
    return "\n\n".join(parts)


def escaped(words: str) -> str:
    """Words without a sign of markdown or of a tag, but for what stands in backticks."""
    parts = words.split("`")
    for number in range(0, len(parts), 2):
        plain_words = html.escape(parts[number], quote=False)
        parts[number] = re.sub(r"([\\*_\[\]#])", r"\\\1", plain_words)
    return "`".join(parts)
