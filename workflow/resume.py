"""Before a run: clear away what a killed run left behind, so that the new one carries on.

A Snakemake that was killed outright leaves its lock, and its jobs run on without it. Two writers
of one file would spoil it, so those jobs are ended, each by its id; training loses at most the
epoch it was in. Nothing is touched while a Snakemake is at work in this folder, and the lock only
if its owner is known to be gone: the folder may be shared with other machines.

Usage: python workflow/resume.py, in the folder to run in.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from pstl import owner

# Set in every job (pstl/rule_options.py): the id of the Snakemake that started it.
MARK = b"PSTL_SNAKEMAKE="


def main() -> None:
    """End what a killed run left behind; only where /proc says who runs where, as on Linux."""
    if not Path("/proc/self/environ").exists():
        return
    if any(at_work(process) for process in processes()):
        sys.exit("another snakemake is at work in this folder; wait for it, or stop it first")
    left = [process for process in processes() if orphaned(process)]
    for process in left:
        sys.stderr.write(f"== run: ending job {process.name}, left behind by a killed run\n")
        end(process)
    locks = Path(".snakemake/locks")
    if locks.is_dir() and any(locks.iterdir()):
        check_gone(owner.recorded())
        sys.stderr.write("== run: removing the lock of a killed run\n")
        shutil.rmtree(locks)
    for gone in owner.recorded():
        if gone.is_gone():
            gone.record.unlink(missing_ok=True)


def check_gone(owners: list[owner.Owner]) -> None:
    """End here, unless everybody who may hold the lock is known to be gone."""
    for other in owners:
        if not other.is_gone():
            sys.exit(
                f"snakemake {other.pid} on {other.host} has been at work in this folder since "
                f"{other.since}, and whether it still is cannot be seen from here; if it is not: "
                f"rm '{other.record}', and run again"
            )
    if not owners:
        sys.exit(
            "this folder is locked, and nobody says by whom; if no snakemake works in it on any "
            "machine: snakemake --unlock, and run again"
        )


def processes() -> list[Path]:
    """Folders in /proc of the other processes in this folder."""
    here = Path.cwd()
    return [
        p
        for p in Path("/proc").iterdir()
        if p.name.isdigit() and int(p.name) != os.getpid() and folder(p) == here
    ]


def folder(process: Path) -> Path | None:
    try:
        return (process / "cwd").readlink()
    except OSError:
        return None


def at_work(process: Path) -> bool:
    """Whether a process is a Snakemake (and not one of its jobs)."""
    words = read(process / "cmdline").split(b"\0")
    return any(
        Path(os.fsdecode(word)).name == "snakemake" for word in words[:3]
    ) and MARK not in read(process / "environ")


def orphaned(process: Path) -> bool:
    """Whether a process is a job whose Snakemake is gone."""
    for variable in read(process / "environ").split(b"\0"):
        if variable.startswith(MARK):
            return not at_work(Path("/proc", os.fsdecode(variable.removeprefix(MARK))))
    return False


def end(process: Path) -> None:
    """SIGTERM, and SIGKILL to what does not heed it."""
    for attempt in range(100):
        try:
            os.kill(int(process.name), signal.SIGTERM if attempt < 50 else signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.1)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
