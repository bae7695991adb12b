"""Every body of a clip in a slot of its own."""

import numpy as np

from pstl.records import Clip


def by_body(clip: Clip, ids: str = "released") -> np.ndarray:
    """(T, V, bodies, 3): every body in a slot of its own, whichever slot of the file it stood in.

    ids: released: as code that holds them as floats tells them apart (PSP spec 2.1); exact: every
    id is a body.
    A body that is in a frame more than once gives its 2nd, 3rd, ... copy a slot of its own, each
    the same in every frame. Where no bodies are told apart, the slots of the file.
    """
    if clip.bodies is None:
        return clip.xyz
    number = clip.bodies.astype(np.int64)
    if ids == "released" and clip.merged:
        number = np.array([0, *clip.merged])[number]
    if ((number == 0) | (number == np.arange(1, number.shape[1] + 1))).all():
        return clip.xyz
    bodies = number.max()
    for slot in range(1, number.shape[1]):
        while (again := _repeated(number, slot)).any():
            number[again, slot] += bodies
    frames, slots = np.nonzero(number)
    seen, which = np.unique(number[frames, slots], return_inverse=True)
    apart = np.zeros((*clip.xyz.shape[:2], len(seen), 3), clip.xyz.dtype)
    apart[frames, :, which] = clip.xyz[frames, :, slots]
    return apart


def _repeated(number: np.ndarray, slot: int) -> np.ndarray:
    """(T,) bool: frames in which a slot's body stands in a slot before it, too.

    number: (T, M).
    """
    before = (number[:, :slot] == number[:, slot : slot + 1]).any(axis=1)
    return np.asarray(before & (number[:, slot] > 0))
