"""pstl: self-supervised learning on human skeleton sequences, reproduced, compared and shared.

>>> encoder = pstl.load("encoder.pt")              # doctest: +SKIP
>>> features = encoder.embed(xyz)                  # doctest: +SKIP
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`pstl.load` (pstl.hub.embedder) without importing torch before it is asked for.

    By name, not by an import statement: what this file imports counts as code of every module.
    """
    if name == "load":
        from importlib import import_module

        return import_module("pstl.hub.embedder").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
