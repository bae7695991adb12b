"""One recipe's array, as tests hold it in memory, written to a folder."""

from pathlib import Path

import numpy as np

from pstl.data.store import ArraySet, fill_array


def write_array(folder: str | Path, array: ArraySet) -> None:
    """Write the array, replacing what is in the folder."""

    def fill(path: Path) -> ArraySet:
        np.load(path, mmap_mode="r+")[:] = array.x
        return array

    fill_array(folder, array.x.shape, fill)
