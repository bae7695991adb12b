"""A job of the workflow ends when its Snakemake is gone.

Otherwise it would keep writing into a folder in which a new run works.
"""

import _thread
import os
import select
import sys
import threading
import time

from pstl import environment
from pstl.interruption import PATIENCE_S


def follow_snakemake() -> None:
    """Watch the Snakemake that started this process, if one did. Linux only."""
    snakemake = environment.snakemake()
    if snakemake is None or not hasattr(os, "pidfd_open"):
        return
    try:
        watched = os.pidfd_open(snakemake)
    except ProcessLookupError:
        gone = f"the Snakemake that started this job (process {snakemake}) is gone"
        sys.exit(f"{gone}; run again to go on")
    except OSError:
        return  # a kernel without it, or a container that hides other processes
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _watch(snakemake: int) -> None:
    """Wait until the process behind this file descriptor ends, then interrupt this one.

    The interruption is that of Ctrl-C, so that this process cleans up.
    """
    end = select.poll()
    end.register(snakemake, select.POLLIN)
    while not end.poll():
        pass
    _thread.interrupt_main()
    time.sleep(PATIENCE_S)
    os._exit(130)
