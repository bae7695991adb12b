"""One pre-training in several processes of this machine, by torchrun.

On a machine with GPUs each has its own device.

A process that dies takes the others with it: they would wait for it for ever. What was finished is
in last.pt, and the next call, with any number of processes, goes on from there.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from pstl import environment, interruption
from pstl.errors import UserError
from pstl.train.devices import take


def run_as_processes(arguments: Sequence[str], gpus: int | None) -> bool:
    """Take GPUs and, if they are several, run `python -m pstl <arguments>` in a process for each.

    gpus: how many; None: take none. Without GPUs there are as many processes on the CPU.
    Returns: whether that was done; false in one of the processes, and where one is enough.
    Raises: what launch raises.
    """
    if environment.is_launched():
        return False
    processes = len(take(gpus)) or gpus or 1
    if processes > 1:
        launch(arguments, processes)
    return processes > 1


def launch(arguments: Sequence[str], processes: int) -> None:
    """Run `python -m pstl <arguments>` in `processes` processes and wait.

    Raises: UserError saying which process ended how; SystemExit(2) if one of them has said itself
    what the user can do.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    environment.set_defaults({"OMP_NUM_THREADS": "1"})
    interruption.heed(patience=interruption.LONGER_S)  # the processes have theirs before
    # It reports a failure in forty lines.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    torchrun = ["--standalone", "--nproc-per-node", str(processes), "--monitor-interval", "0.2"]
    options = parse_args([*torchrun, "-m", "--", "pstl", *arguments])
    try:
        run(options)
    except SignalException:  # it has ended the processes before it raised this
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        if failure.exitcode == 2:
            raise SystemExit(2) from None
        how = f"ended with code {failure.exitcode}"
        if failure.exitcode < 0:
            how = f"killed by {signal.Signals(-failure.exitcode).name}"
        which = f"process {number + 1} of {processes} was {how}, so the others were ended"
        raise UserError(f"{which}; run again to go on from the last checkpoint") from None


def follow_parent() -> None:
    """End this process when torchrun, which started it, is gone: nobody could end it any more.

    Linux only.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    parent_death = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None, use_errno=True).prctl(parent_death, signal.SIGKILL)
    if os.getppid() == 1:  # it went before we asked
        os.kill(os.getpid(), signal.SIGKILL)
