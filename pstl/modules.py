"""Encoders and methods as torch modules: the contracts of pstl/contracts.py and a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from pstl.contracts import Encoder, Method, Trainable
from pstl.ops.streams import convert
from pstl.records import Problem
from pstl.skeletons import Skeleton


class BaseEncoder(Encoder, nn.Module):
    """Base of every encoder; see Encoder."""

    def maps(self, x: Tensor) -> Tensor:
        """What forward() averages, of an encoder that keeps joints apart to its end.

        x: (N, C, T, V, M).   Returns: (N M, D, T', V), the bodies of a clip one after the other.
        """
        raise NotImplementedError


class BaseTrainable(Trainable, nn.Module):
    """Base of everything that the training loop trains; see Trainable."""


class BaseMethod(Method, BaseTrainable):
    """Base of every method; see Method."""

    def __init__(self, cfg: Any, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__()
        self.cfg, self.encoder, self.problem = cfg, encoder, problem
        self.classifier = None

    def sharded(self) -> Sequence[nn.Module]:
        """By default the encoder."""
        return [self.encoder]

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """By default motion is the displacement to the next frame."""
        return convert(x, skeleton, stream)
