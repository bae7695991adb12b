"""Every recipe on every body: a new one of either is tried with all others."""

import numpy as np
import pytest

from pstl.records import Clip
from pstl.registry import load_recipe, names
from pstl.skeletons import load
from pstl.skeletons import names as bodies


def standing(skeleton: str, frames: int, people: int) -> np.ndarray:
    """(T, V, M, 3): people who stand side by side, arms and legs where they belong, and sway."""
    body = load(skeleton)
    rng = np.random.default_rng(len(skeleton))
    pose = rng.random((body.joints, 3)) * 0.2 + (0.0, -0.2, 2.5)
    for joint, name in enumerate(body.names):
        pose[joint, 0] += {"left": -0.3, "right": 0.3}.get(name.split()[0], 0.0)
        low = any(word in name for word in ("ankle", "foot", "toe"))
        pose[joint, 1] += 0.8 * ("head" in name) - 0.8 * low
    sway = (rng.random((frames, body.joints, people, 3)) - 0.5).cumsum(0) * 0.02
    beside = np.arange(people)[:, None] * (1.0, 0.0, 0.0)
    return (pose[:, None] + beside + sway).astype(np.float32)


@pytest.mark.parametrize("skeleton", bodies())
@pytest.mark.parametrize("recipe", names("data.recipes"))
@pytest.mark.parametrize("people", [1, 2])
def test_a_recipe_takes_any_body(recipe: str, skeleton: str, people: int) -> None:
    """A recipe that holds a joint's number of one sensor bends the bodies of all others, or fails
    in the middle of a night."""
    plugin = load_recipe(recipe)
    lengths = (1, 7, 330)
    clips = [Clip(str(n), 0, standing(skeleton, n, people)) for n in lengths]
    body = load(skeleton)
    x, used = plugin.apply(clips, body, people, plugin.Config())
    assert x.shape[:2] + x.shape[3:] == (len(clips), 3, body.joints, people)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert x[1:].any(axis=(1, 2, 3)).all()  # nobody is lost
    assert ((used >= 1) & (used <= plugin.longest)).all()
