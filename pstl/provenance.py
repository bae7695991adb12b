"""Where a number comes from: the commit, the library versions and the machine. Free of torch."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pstl import __version__
from pstl.code_hash import package_hash

PACKAGE = Path(__file__).parent


def git_hash() -> str:
    """Short hash of the commit, with "-dirty" if tracked files differ from it.

    Outside a checkout what is installed, see installed(); never fails.
    """
    try:
        # a copy installed inside somebody else's checkout is not ours
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return installed()


def installed() -> str:
    """Version of the package and a hash of its modules, which a checkout can be compared with.

    As in "0.1.0+installed.3f2a9c1b5d7e", for what has no commit.
    """
    return f"{__version__}+installed.{package_hash()[:12]}"


def versions() -> dict[str, str]:
    """Versions of python, torch and numpy; "absent" where one is not installed."""
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
    }


def machine() -> str:
    """Processor and number of cores, as in "AMD EPYC, 2 cores"; never the machine's own name."""
    return f"{processor()}, {os.cpu_count()} cores"


def processor() -> str:
    """The CPU's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (models or [platform.processor() or platform.machine()])[0]


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
