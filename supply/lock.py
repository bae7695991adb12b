"""The lock files, made of pyproject.toml and requirements.in: python -m supply.lock [--upgrade]

Versions that are locked stay, unless they no longer fit or --upgrade is said. All hashes of a
version are listed, so that one file serves every system and Python this project knows. What only
torch's CUDA builds need (gigabytes) stands in a file of its own, which `make install` reads where
the torch that it got asks for it. torch has the hashes of PyTorch's own CPU builds too, which no
package registry lists: requirements-cpu.lock has them.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from pstl.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
LOCK, CUDA_LOCK = "requirements.lock", "requirements-cuda.lock"
CPU_LOCK = "requirements-cpu.lock"
KUBERNETES_LOCK = "requirements-kubernetes.lock"
EXTRAS = ("workflow", "test", "docs")
SYSTEMS = (
    {"sys_platform": "linux", "platform_system": "Linux"},
    {"sys_platform": "darwin", "platform_system": "Darwin"},
)  # this project runs on
OF_CUDA = re.compile(r"(nvidia-|cuda-|triton==)")
HEADERS = {
    LOCK: (
        "# Every version with the hashes of its files; made by `make lock` (CONTRIBUTING.md).\n"
        "# pip install --require-hashes -r this file; on Linux with requirements-cpu.lock besides\n"
        "# where pip is shown PyTorch's CPU builds, else with requirements-cuda.lock.\n"
    ),
    CUDA_LOCK: (
        "# The same with what torch's CUDA builds need on Linux; made by `make lock`.\n"
        "# pip install --require-hashes -r this file\n"
        "-r requirements.lock\n"
    ),
    KUBERNETES_LOCK: "# What the image needs for Kubernetes besides; made by `make lock`.\n",
}


def renew(root: Path, upgrade: bool) -> None:
    """Write the lock files of a checkout, or none."""
    entries = resolved(root, EXTRAS, upgrade)
    entries["torch"] += cpu_hashes((root / CPU_LOCK).read_text(), entries["torch"][0])
    cuda = {name for name in entries if OF_CUDA.match(f"{name}==")}
    with_kubernetes = resolved(root, (*EXTRAS, "kubernetes"), upgrade)
    _write(root / LOCK, entries, entries.keys() - cuda)
    _write(root / CUDA_LOCK, entries, cuda)
    _write(root / KUBERNETES_LOCK, with_kubernetes, with_kubernetes.keys() - entries)


def _write(file: Path, entries: Mapping[str, list[str]], listed: Collection[str]) -> None:
    """Write those entries that are listed, below the file's header."""
    lines = (" \\\n    ".join(entries[name]) + "\n" for name in sorted(listed))
    file.write_text(HEADERS[file.name] + "".join(lines))


def resolved(root: Path, extras: Sequence[str], upgrade: bool) -> dict[str, list[str]]:
    """Name -> its pin and its hashes, of all that pyproject.toml and requirements.in need."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "all.lock")
        lock.write_text("".join(_pins(root / name) for name in HEADERS))
        words = [sys.executable, "-m", "uv", "pip", "compile", "--quiet"]
        words += ["--universal", "--fork-strategy=fewest", f"--python-version={oldest(root)}"]
        words += ["--generate-hashes", "--no-header", "--no-annotate", f"--output-file={lock}"]
        words += [f"--extra={extra}" for extra in extras]
        words += ["--upgrade"] if upgrade else []
        done = subprocess.run(
            [*words, "pyproject.toml", "requirements.in"], cwd=root, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            raise UserError("no set of versions was got; the lock files stay as they were")
        entries = split(lock.read_text())
    return {name: entry for name, entry in entries.items() if _is_ours(entry)}


def asked(root: Path) -> dict[str, list[Requirement]]:
    """What the project asks for by name: part -> requirements; `lock`: only this needs them."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    parts = {"base": project["dependencies"]}
    parts |= {extra: project["optional-dependencies"][extra] for extra in EXTRAS}
    named = (root / "requirements.in").read_text().splitlines()
    parts["lock"] = [line.partition("#")[0] for line in named if line.partition("#")[0]]
    return {part: [Requirement(line) for line in lines] for part, lines in parts.items()}


def version(entry: list[str]) -> str:
    """The version that an entry pins."""
    return entry[0].partition("==")[2].partition(" ")[0]


def oldest(root: Path) -> str:
    """The oldest Python this project runs on."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


def split(lock: str) -> dict[str, list[str]]:
    """Name -> its pin, with what limits it to some systems, and its hashes."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        word = line.removesuffix("\\").strip()
        if word.startswith("--hash="):
            entries[name].append(word)
        elif "==" in word and not word.startswith("#"):
            name = word.partition("==")[0]
            entries[name] = [word]
    return entries


def cpu_hashes(cpu_lock: str, pin: str) -> list[str]:
    """The hashes of PyTorch's CPU builds, which are torch's too. Raises: UserError if they are not
    of the version that is pinned."""
    build, *hashes = split(cpu_lock)["torch"]
    if build != f"{pin}+cpu":
        raise UserError(
            f"{CPU_LOCK} has {build}, and {pin} is to be locked; write {pin}+cpu there, with the"
            " hashes of its files (PyTorch's index lists them)"
        )
    return hashes


def _pins(file: Path) -> str:
    """The versions of a lock file, which are kept where they fit."""
    entries = split(file.read_text()) if file.exists() else {}
    return "".join(f"{entry[0]}\n" for entry in entries.values())


def _is_ours(entry: list[str]) -> bool:
    """Whether a package is for a system that this project runs on."""
    marker = Requirement(entry[0]).marker
    return marker is None or any(marker.evaluate(dict(system)) for system in SYSTEMS)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m supply.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    try:
        renew(ROOT, parser.parse_args().upgrade)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
