"""Random generators made from (seed, purpose, indices), so that every stage can be replayed on its
own."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, purpose: str, *index: int) -> int:
    """A 63-bit seed for one purpose, e.g. derive(0, "augment", epoch, step).

    Independent of platform, process and call order; different purposes or indices give unrelated
    streams.

    >>> derive(0, "shuffle", 3) == derive(0, "shuffle", 3) != derive(0, "shuffle", 4)
    True
    """
    text = ":".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def torch_generator(seed: int, purpose: str, *index: int) -> "torch.Generator":
    """A CPU generator: draws made on the host need no device synchronisation and are the same on
    every device."""
    # Here, so that data sets can be imported without it.
    import torch

    return torch.Generator().manual_seed(derive(seed, purpose, *index))


def numpy_generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """The NumPy counterpart of torch_generator."""
    return np.random.default_rng(derive(seed, purpose, *index))
