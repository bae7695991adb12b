"""What a job does with its device."""

import subprocess
import sys

import pytest

TWICE = """
import resource
import torch
from pstl.train.hardware import device_of_job

device_of_job("cpu")
for _ in range(10):
    torch.ones(16 * 2**20).sum()  # 64 MB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16 * 2**20).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_a_large_tensor_takes_the_memory_that_another_left():
    """The system clears each page of 4 kB that is mapped anew: a third of a step's time."""
    ran = subprocess.run([sys.executable, "-c", TWICE], check=True, capture_output=True, text=True)
    assert int(ran.stdout) < 64 * 2**20 / 4096  # the pages of one of the ten
