"""The device that a job computes on: by name, its own name, and how much memory it took."""

import ctypes
import re
import resource

import torch

from pstl.errors import UserError
from pstl.provenance import processor

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # numbers of glibc's options, see mallopt(3)


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto" takes the GPU if there is one.

    Raises: UserError for a name of no device, or a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,4})?", name):
        raise UserError(f"device {name!r}: unknown; known: auto, cpu, cuda, cuda:N")
    count, number = torch.cuda.device_count(), int(name.partition(":")[2] or 0)
    if name != "cpu" and not count:
        raise UserError(f"device {name!r}: this machine has no usable GPU; pass --device cpu")
    if name != "cpu" and number >= count:
        raise UserError(f"device {name!r}: this machine has {count} of them; pass cuda:{count - 1}")
    return torch.device(name)


def device_of_job(name: str) -> torch.device:
    """The device of this name, for a process that does one piece of work and ends.

    Raises: UserError as choose_device does.
    """
    device = choose_device(name)
    torch.backends.cudnn.allow_tf32 = False  # only where a training's precision says so
    if device.type == "cpu":
        reuse_memory()
    return device


def reuse_memory() -> None:
    """Let this process keep the memory of tensors that are gone, for the next ones.

    glibc maps every tensor of 32 MB or more anew and unmaps it afterwards; the system then clears
    each page at its first touch, which takes up to a third of the processor time of a step.
    """
    try:
        options = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    options(MMAP_MAX, 0)
    options(TRIM_THRESHOLD, 2**31 - 1)


def device_name(device: torch.device) -> str:
    """Name of the GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def computed_by(device: torch.device, processes: int = 1) -> dict[str, str]:
    """What changes the last digits of what this process computes, beside settings and data.

    processes: that compute it together.   Returns: torch, threads and processor, which is the GPU
    where there is one, or the CPU's model and the instructions that torch uses of it.
    """
    threads = str(torch.get_num_threads())
    model = f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"
    return {
        "torch": str(torch.__version__),
        "threads": threads if processes == 1 else f"{processes} processes of {threads}",
        "processor": device_name(device) if device.type == "cuda" else model,
    }


def peak_memory(device: torch.device) -> float:
    """Peak MiB: allocated on the GPU, or resident in this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
