"""Each job its own GPU: of several jobs on one machine, every one takes devices that no other has, and waits for them if need be.

A device is taken by a lock on a file named after it. The kernel frees the lock when the process ends, however it ends. Locks are one
user's: who shares a machine with others needs a queue (docs/cluster.md). PSTL_JOBS_PER_GPU says how many jobs may share a device, 1 if it
is not set; workflow/rules/resources.smk sets it.
"""

import fcntl
import itertools
import logging
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from pstl.errors import UserError

ANSWER_S = 60  # a driver that is well answers in a second or two
HIDE = (
    "PSTL_HIDE_GPUS"  # set on clusters: a node's GPUs are for those that asked the queue for them
)
SHARES = "PSTL_JOBS_PER_GPU"
log = logging.getLogger(__name__)
_taken: list[int] = []  # locks of this process, open until it ends


def present() -> list[str]:
    """Names (UUID) of the GPUs this process may use.

    CUDA is not touched: it would fix its list of devices for good.
    Raises: UserError if the driver does not answer.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed == "":
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
    # Given by number or by name; CUDA ends its list at the first device that does not exist.
    found = [
        names[int(word)] if word.isdigit() and int(word) < len(names) else word
        for word in allowed.replace(" ", "").split(",")
    ]
    return [name for name in found if name in names]


def take(count: int | None) -> list[str]:
    """Take `count` GPUs (fewer if there are fewer) for the life of this process and let CUDA see no others; None: leave them as they are.

    Waits until enough are free. Call it before CUDA starts. Returns: their names; [] on a machine without GPU.
    """
    if count is None:
        return []
    names = present()
    count = min(count, len(names))
    if not count:
        if HIDE in os.environ:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return []
    said = False
    while len(mine := _try(names, count)) < count:
        if not said:
            log.info("waiting for %d of %d GPUs: other jobs have them", count, len(names))
            said = True
        time.sleep(0.2)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
    return mine


def _try(names: list[str], count: int) -> list[str]:
    """Lock `count` of the devices, or none. Returns: those that are locked now."""
    locks: dict[str, int] = {}
    shares = int(os.environ.get(SHARES, "1"))
    for share, name in itertools.product(range(shares), names):  # empty devices first
        if name in locks:
            continue
        lock = os.open(_folder() / f"{name}.{share}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locks[name] = lock
        except BlockingIOError:
            os.close(lock)
        if len(locks) == count:
            _taken.extend(locks.values())
            return list(locks)
    for lock in locks.values():
        os.close(lock)
    return []


def _folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"pstl-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
