"""What a job does with its device."""

import subprocess
import sys

import pytest

TWICE = """
import resource
import sys
import torch
from pstl.train import hardware

getattr(hardware, sys.argv[1])("cpu")
for _ in range(10):
    torch.ones(16 * 2**20).sum()  # 64 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16 * 2**20).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_cleared(device_of: str) -> int:
    """Pages that the system mapped anew for ten large tensors, with the device from this call."""
    command = [sys.executable, "-c", TWICE, device_of]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_a_large_tensor_takes_the_memory_that_another_left():
    """The system clears each page that is mapped anew: up to a third of a step's time.

    The heap of a process may still grow once or twice, and pages are of 4 kB or of 2 MB: so the
    count is held against that of a process which does not keep its memory.
    """
    assert pages_cleared("device_of_job") < pages_cleared("choose_device") / 3
