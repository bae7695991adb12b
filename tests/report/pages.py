"""A finished suite with scores and features, and its page. Only for tests."""

from pathlib import Path

import numpy as np
from fabricated import FLOOR, GRID, params, write_all

from pstl import paths
from pstl.config import Params
from pstl.report import page

LIMITS = {"dataset": "nwucla", "splits": ["xview"]}


def results() -> Params:
    """A finished suite on NW-UCLA's classes, with scores and features."""
    settings = params({**GRID, **LIMITS}, {**FLOOR, **LIMITS})
    write_all(settings)
    rng, y = np.random.default_rng(0), np.arange(40) % 10
    for cell in settings.cells("tiny"):
        np.savez(paths.scores(cell), scores=np.eye(10)[y] + rng.normal(0, 0.4, (40, 10)), y=y)
        if not cell.fused:
            np.savez(
                paths.features(cell.run, cell.batch_norm),
                test=rng.normal(size=(40, 6)).astype(np.float32),
                y_test=y,
            )
    return settings


def built(settings: Params, out: str = "index.html") -> str:
    page.build(settings, "tiny", out)
    return Path(out).read_text()
