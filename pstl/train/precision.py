"""Which number format a network trains in, so that no machine trains in one that it is slow at."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from pstl.config import TrainSettings
from pstl.modules import BaseEncoder, BaseTrainable

BF16_UNITS = frozenset({"avx512_bf16", "amx_bf16"})  # as Linux names them in /proc/cpuinfo


def chosen(settings: TrainSettings, device: torch.device) -> TrainSettings:
    """The settings with the precision that the device computes in.

    `auto` is what it computes fastest: bf16 on a GPU or a processor that multiplies bf16 in
    hardware, else fp32: a processor without such units emulates bf16, about nine times slower than
    fp32. `tf32` is fp32 where there is no TF32.
    """
    if settings.precision == "tf32" and not computes_tf32(device):
        return settings.model_copy(update={"precision": "fp32"})
    if settings.precision != "auto":
        return settings
    precision = "bf16" if computes_bf16(device) else "fp32"
    return settings.model_copy(update={"precision": precision})


def computes_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 numbers in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(BF16_UNITS & processor_flags())


def computes_tf32(device: torch.device) -> bool:
    """Whether the device has TF32: NVIDIA's GPUs since Ampere."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """Products of float32 inside are TF32's where that is the precision, and else float32's.

    torch by itself takes TF32 for convolutions and not for matrix products.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)


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
