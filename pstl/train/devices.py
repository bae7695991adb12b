"""Each job its own GPU.

Of several jobs on one machine, every one takes devices that no other has, and waits for them if
need be. A device is taken by a lock on a file named after it, which the system frees when the
process ends. Locks are one user's: who shares a machine with others needs a queue
(docs/cluster.md). PSTL_JOBS_PER_GPU says how many jobs may share a device, 1 if it is not set;
workflow/rules/resources.smk sets it.
"""

import itertools
import logging
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pstl import environment, locks
from pstl.errors import UserError

if TYPE_CHECKING:
    from filelock import FileLock

ANSWER_S = 60  # a driver that is well answers in a second or two
log = logging.getLogger(__name__)
_taken: list["FileLock"] = []  # locks of this process, until it ends


def present() -> list[str]:
    """Names (UUID) of the GPUs this process may use.

    CUDA is not touched: it would fix its list of devices for good.
    Raises: UserError if the driver does not answer.
    """
    allowed = environment.visible_gpus()
    if allowed == []:
        return []
    command = ["nvidia-smi", "-L"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S).stdout
    except OSError:
        return []
    except subprocess.TimeoutExpired:
        reason = f"nvidia-smi -L gave no answer in {ANSWER_S} s, so the GPU driver hangs"
        raise UserError(
            f"{reason}; repair it, or set CUDA_VISIBLE_DEVICES= to use no GPU"
        ) from None
    names = re.findall(r"^GPU \d+: .*\(UUID: (\S+)\)", listed, re.M)
    if allowed is None:
        return names
    # By number or by name; CUDA ends its list at the first device that does not exist.
    chosen = [
        names[int(word)] if word.isdigit() and int(word) < len(names) else word for word in allowed
    ]
    return [name for name in chosen if name in names]


def take(count: int | None) -> list[str]:
    """Take GPUs for the life of this process, and let CUDA see no others.

    count: how many, or all if there are fewer; None: leave them as they are.
    Waits until enough are free. Call it before CUDA starts.
    Returns: their names; [] on a machine without GPU.
    """
    if count is None:
        return []
    names = present()
    count = min(count, len(names))
    if not count:
        if environment.are_gpus_hidden():
            environment.show_gpus([])
        return []
    taken = _try(names, count)
    if not taken:
        log.info("waiting for %d of %d GPUs: other jobs have them", count, len(names))
    while not taken:
        time.sleep(0.2)
        taken = _try(names, count)
    environment.show_gpus(taken)
    return taken


def _try(names: list[str], count: int) -> list[str]:
    """Lock `count` of the devices, or none. Returns: those that are locked now."""
    taken: dict[str, FileLock] = {}
    places = itertools.product(range(environment.jobs_per_gpu()), names)  # empty devices first
    for share, name in places:
        if name in taken:
            continue
        lock = locks.acquire(_folder() / f"{name}.{share}.lock", timeout=0)
        if lock is not None:
            taken[name] = lock
        if len(taken) == count:
            _taken.extend(taken.values())
            return list(taken)
    for lock in taken.values():
        lock.release()
    return []


def _folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"pstl-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
