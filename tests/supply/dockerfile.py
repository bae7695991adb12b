"""A Dockerfile without an engine: its instructions, its context, and its steps run one by one.

    sudo python tests/supply/dockerfile.py BASE IMAGE NAME=VALUE...

runs every step as it stands, RUN by chroot, in folders that start as copies of BASE (a root with
Python, of debootstrap for instance) and leaves what the image would hold in IMAGE; NAME=VALUE is a
build argument, --bind=FOLDER shows a folder of this machine to the steps.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Step(NamedTuple):
    """One instruction.   name: RUN, COPY and so on."""

    name: str
    words: str


def steps(text: str) -> list[Step]:
    """Instructions in order; comments left out, lines that go on joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines()]


def context(root: Path) -> Iterator[Path]:
    """Files that .dockerignore lets into the build: the last pattern that fits decides."""
    rules = (root / ".dockerignore").read_text().splitlines()
    patterns = [rule for rule in rules if rule and not rule.startswith("#")]
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        place = file.relative_to(root)
        ignored = False
        for pattern in patterns:
            if _fits(place, pattern.removeprefix("!")):
                ignored = not pattern.startswith("!")
        if not ignored:
            yield place


def _fits(place: Path, pattern: str) -> bool:
    """Whether a pattern is of a file or of a folder above it."""
    anywhere = pattern.startswith("**/")
    for path in (place, *place.parents):
        name = path.name if anywhere else path.as_posix()
        if path.name and fnmatch.fnmatchcase(name, pattern.removeprefix("**/")):
            return True
    return False


class Build:
    """Stages of one build, each in a folder of its own below `folder`."""

    def __init__(self, base: Path, folder: Path, given: dict[str, str], binds: list[str]) -> None:
        self.base, self.folder, self.given, self.binds = base, folder, given, binds
        self.stages: dict[str, Path] = {}
        self.root = folder
        self.variables: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        self.place, self.user = "/", "0"

    def do(self, step: Step) -> None:
        """Do what one instruction says."""
        print(f"== {step.name} {step.words}", flush=True)  # noqa: T201
        hands = {"FROM": self.start, "ARG": self.arg, "ENV": self.env, "WORKDIR": self.enter}
        hands |= {"USER": self.become, "COPY": self.copy, "RUN": self.run, "CMD": self.try_command}
        hands[step.name](step.words)

    def arg(self, words: str) -> None:
        name, _, value = words.partition("=")
        self.arguments[name] = self.given.get(name, value.strip('"'))

    def env(self, words: str) -> None:
        self.variables |= dict(word.split("=", 1) for word in shlex.split(self._filled(words)))

    def start(self, words: str) -> None:
        name = words.split()[-1] if " AS " in words else "image"
        self.root = self.stages[name] = self.folder / name
        subprocess.run(["cp", "-a", "--reflink=auto", self.base, self.root], check=True)
        self.variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.place, self.user = "/", "0"

    def enter(self, words: str) -> None:
        self.place = words
        (self.root / words.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def become(self, words: str) -> None:
        self.user = words

    def copy(self, words: str) -> None:
        *sources, target = words.split()
        if sources[0].startswith("--from="):
            stage = self.stages[sources.pop(0).removeprefix("--from=")]
            source = stage / sources[0].lstrip("/")
            subprocess.run(["cp", "-a", source, self.root / target.lstrip("/")], check=True)
            return
        for file in context(ROOT):
            if sources == ["."] or file.as_posix() in sources:
                copy = self.root / self.place.lstrip("/") / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, copy)

    def run(self, words: str) -> None:
        mounts = [self.root / folder.lstrip("/") for folder in self.binds]
        for folder, mount in zip(self.binds, mounts, strict=True):
            mount.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", folder, mount], check=True)
        try:
            line = f"cd {self.place} && {words}"
            command = ["chroot", f"--userspec={self.user}", str(self.root), "/bin/sh", "-c", line]
            known = {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
            subprocess.run(command, env=known | self.arguments | self.variables, check=True)
        finally:
            for mount in mounts:
                subprocess.run(["umount", mount], check=True)

    def try_command(self, words: str) -> None:
        self.run(shlex.join(json.loads(words)))

    def _filled(self, words: str) -> str:
        return VARIABLE.sub(lambda match: self.variables.get(match[1] or match[2], ""), words)


def main() -> None:
    """The command line."""
    base, image, *words = sys.argv[1:]
    binds = [word.removeprefix("--bind=") for word in words if word.startswith("--bind=")]
    given = dict(word.split("=", 1) for word in words if not word.startswith("--"))
    build = Build(Path(base), Path(image), given, binds)
    Path(image).mkdir()
    for step in steps((ROOT / "Dockerfile").read_text()):
        build.do(step)


if __name__ == "__main__":
    main()
