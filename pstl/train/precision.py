"""Which number format a network trains in, so that no machine trains in one that it is slow at."""

from functools import cache
from pathlib import Path

import torch

from pstl.config import TrainSettings
from pstl.modules import BaseEncoder, BaseTrainable

BF16_UNITS = frozenset({"avx512_bf16", "amx_bf16"})  # as Linux names them in /proc/cpuinfo


def chosen(settings: TrainSettings, device: torch.device) -> TrainSettings:
    """The settings with `precision: auto` replaced by what the device computes fastest.

    That is bf16 on a GPU or a processor that multiplies bf16 in hardware, else fp32: a processor
    without such units emulates bf16, about nine times slower than fp32.
    """
    if settings.precision != "auto":
        return settings
    precision = "bf16" if computes_bf16(device) else "fp32"
    return settings.model_copy(update={"precision": precision})


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 numbers in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(BF16_UNITS & processor_flags())


@cache
def processor_flags() -> frozenset[str]:
    """Instruction sets of this machine's processor; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return frozenset()
    flags = [line.partition(":")[2] for line in lines if line.startswith("flags")]
    return frozenset(flags[0].split()) if flags else frozenset()


def use_bf16(trainable: BaseTrainable) -> None:
    """Run matrix products and convolutions of what is sharded in bf16.

    Projectors, normalisations of features and losses stay float32.
    """
    for module in trainable.sharded():
        device = next(module.parameters()).device.type
        autocast = torch.autocast(device, torch.bfloat16)
        module.forward = autocast(module.forward)
        if isinstance(module, BaseEncoder):
            module.maps = autocast(module.maps)  # type: ignore[method-assign]
