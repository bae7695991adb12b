"""Run every verb's first example where nothing but the compute core is installed, and say as JSON
what came of each.

A script, because what a process has imported cannot be taken back: python core_only.py, in a folder
of small_world.py.
Gives: verb -> {code, said: last line on stderr, lines: how many, lacked: packages that our own code
asked for and did not get}.
"""

import contextlib
import io
import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from packaging.requirements import Requirement

CORE = ("torch", "numpy", "pyyaml", "pydantic", "typer", "filelock", "safetensors")


def installed(*names: str) -> set[str]:
    """These distributions and all they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another platform
            continue
        found.add(name)
        wanted = [Requirement(need) for need in needs]
        waiting += [
            need.name
            for need in wanted
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return found


class Bare(MetaPathFinder):
    """Knows the packages that are not there, and remembers which of them this project asked for."""

    def __init__(self) -> None:
        core = installed(*CORE)
        owners = metadata.packages_distributions()
        self.absent = {
            name
            for name, owner in owners.items()
            if not {dist.lower().replace("_", "-") for dist in owner} & core
        } - {"pstl"}
        self.lacked: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top not in self.absent:
            return PathFinder.find_spec(name, path, target)
        if importer(sys._getframe(1)).partition(".")[0] == "pstl":
            self.lacked.append(top)
        return None


def importer(frame: FrameType | None) -> str:
    """Name of the module whose import statement this is."""
    while frame is not None and "importlib" in frame.f_globals.get("__name__", ""):
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))


def refuse(*args: Any, **options: Any) -> Any:
    raise OSError("no network and no other programs here")


def interrupt(*args: Any, **options: Any) -> Any:
    raise KeyboardInterrupt


def main() -> None:
    bare = Bare()
    for name in [name for name in sys.modules if name.partition(".")[0] in bare.absent]:
        del sys.modules[name]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, bare]  # type: ignore[list-item]
    from pstl import cli
    from pstl.train import loop

    socket.socket.connect, subprocess.run, loop.train_epoch = refuse, refuse, interrupt  # type: ignore[method-assign, assignment]
    outcome = {}
    for name, verb in cli.program().commands.items():
        examples = verb.help.partition("python -m pstl ")[2].replace("\\\n", " ")
        example = examples.partition("\n")[0]  # the first, where there are more
        words = [
            str(Path(word).expanduser()) if word.startswith("~") else word
            for word in shlex.split(example)
        ]
        said, code, bare.lacked = io.StringIO(), 0, []
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                cli.main(words)
            except SystemExit as stop:
                code = stop.code  # type: ignore[assignment]
            except Exception as error:
                said.write(f"{type(error).__name__}: {error}\n")
                code = 1000
        lines = said.getvalue().splitlines() or [""]
        outcome[name] = {
            "code": code,
            "said": lines[-1],
            "lines": len(lines),
            "lacked": bare.lacked,
        }
    sys.stdout.write(json.dumps(outcome))


main()
