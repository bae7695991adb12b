"""A run as the workflow leaves it: supervised on random walks of ten classes, some seconds, in the
current folder.
"""

from pathlib import Path

import numpy as np
import small_world
from small_world import HOME, JOINTS, RUN, TRAIN, pstl, walks

from pstl.data.datasets import nwucla
from pstl.data.store import write_sequences

ARRAY = "data/arrays/nwucla/resize50"
CELL = small_world.CELL | {"methods": ["supervised"], "tasks": ["probe", "knn"]}
METHODS = {"supervised": small_world.SHAPE | {"train": TRAIN | {"epochs": 1, "snapshot_every": 0}}}
TASKS = {"probe": {"strengths": [1.0, 0.01], "folds": 2}, "knn": {}}


def make() -> None:
    """params.yaml, sequences, array, encoder, and the rows of the common probe."""
    suites = {"tiny": {"summary": "", "experiments": [CELL], "floors": []}}
    small_world.settings("params.yaml", methods=METHODS, tasks=TASKS, suites=suites)
    write_sequences("data/sequences/nwucla", nwucla.DATASET.spec, JOINTS, walks())
    made = f"prepare nwucla --recipe resize50 --sequences data/sequences/nwucla --out {ARRAY}"
    pstl(*made.split(), "--jobs", 1)
    encoder, features = f"{HOME}/encoder.pt", f"{HOME}/released/features.npz"
    pstl(*f"pretrain --run {RUN} --array {ARRAY} --out {encoder} --device cpu".split())
    pstl(*small_world.features(encoder, features, ARRAY))
    pstl(*small_world.evaluate("probe", f"{HOME}/released", "--features", features))
    Path("clips").mkdir()
    for clip in walks()[20:24]:
        np.save(f"clips/{clip.name}.npy", clip.xyz[:, :, 0])
