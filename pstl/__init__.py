"""pstl: self-supervised learning on human skeleton sequences, reproduced, compared and shared.

>>> encoder = pstl.load("nwucla/simclr")           # doctest: +SKIP
>>> encoder.predict(xyz)                           # doctest: +SKIP
>>> features = encoder.embed(xyz)                  # doctest: +SKIP

load: a trained encoder by name, file or address.   list_weights: the names.
Embedder: what load() gives.   SkeletonFeatures: the same as a transformer of scikit-learn.
UserError: what is raised for whatever a person can put right.
"""

from typing import Any

__version__ = "0.1.0"
# The door for people who write Python: name -> module. Types of these stand in __init__.pyi.
DOOR = {
    "Embedder": "pstl.hub.embedder",
    "SkeletonFeatures": "pstl.hub.transformer",
    "UserError": "pstl.errors",
    "list_weights": "pstl.hub.places",
    "load": "pstl.hub.embedder",
}


def __getattr__(name: str) -> Any:
    """What the door leads to, without importing torch before it is asked for.

    By name, not by an import statement: what this file imports counts as code of every module.
    """
    if name in DOOR:
        from importlib import import_module

        return vars(import_module(DOOR[name]))[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*DOOR, "__doc__", "__version__"]
