"""Run verbs, each in a process of its own, and write down which files of the package it loads.

python loaded_files.py FOLDER, with JSON on standard input: {name: [words of the verb]} in "light"
and in "heavy". The heavy ones are forked off a process that has imported torch, which takes longer
than most of them; light ones import by themselves what they need.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "pstl"


def main() -> None:
    folder, jobs = Path(sys.argv[1]), json.load(sys.stdin)
    for name, words in jobs["light"].items():
        forked(folder / f"{name}.json", words)
    import torch  # noqa: F401

    for name, words in jobs["heavy"].items():
        forked(folder / f"{name}.json", words)


def forked(out: Path, words: list[str]) -> None:
    """Run one verb in a child and wait for it."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        out.write_text(json.dumps(loaded_by(words)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def loaded_by(words: list[str]) -> dict[str, Any]:
    """Exit code of a verb, files of the package that it loaded or opened, and all top packages."""
    opened: list[str] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            opened.append(os.fspath(arguments[0]))

    sys.addaudithook(hear)
    from pstl.cli import main as run

    code = 0
    try:
        run(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    sources = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    # Bytecode is written under passing names, where a module was not yet compiled.
    data = [path for path in opened if not path.endswith(".py") and "__pycache__" not in path]
    paths = [Path(path).absolute() for path in [*sources, *data] if path]
    files = {path.relative_to(PACKAGE) for path in paths if path.is_relative_to(PACKAGE)}
    packages = {name.partition(".")[0] for name in sys.modules}
    return {"code": code, "files": sorted(map(str, files)), "packages": sorted(packages)}


if __name__ == "__main__":
    main()
