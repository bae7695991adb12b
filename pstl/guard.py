"""A job of the workflow ends when its Snakemake is gone, so that none keeps writing into a folder that a new run works in."""

import _thread
import os
import select
import sys
import threading
import time

# Set in every job (pstl/rules.py): the id of the Snakemake that started it.
MARK = "PSTL_SNAKEMAKE"
PATIENCE = 20.0  # seconds from the interruption to the end of a process that does not heed it


def follow_snakemake() -> None:
    """Watch the Snakemake that started this process, if one did. Linux only."""
    words = os.environ.get(MARK, "")
    if not words.isdigit() or not hasattr(os, "pidfd_open"):
        return
    try:
        snakemake = os.pidfd_open(int(words))
    except ProcessLookupError:
        sys.exit(
            f"the Snakemake that started this job (process {words}) is gone; run again to go on"
        )
    except OSError:
        return  # a kernel without it, or a container that hides other processes
    threading.Thread(target=_watch, args=(snakemake,), daemon=True).start()


def _watch(snakemake: int) -> None:
    """Wait until the process behind the file descriptor ends, then interrupt this one as Ctrl-C does: it cleans up."""
    waiting = select.poll()
    waiting.register(snakemake, select.POLLIN)
    while not waiting.poll():
        pass
    _thread.interrupt_main()
    time.sleep(PATIENCE)
    os._exit(130)
