import itertools
import re

import numpy as np
import pytest

from pstl.report import colours
from pstl.report.document import environment

# What is seen without each kind of cone: Machado, Oliveira and Fernandes, 2009, severity 1.0.
VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
OKABE_ITO = 0.06  # smallest distance of their eight colours by the same measure


def linear(tones: list[str]) -> np.ndarray:
    """Linear light of sRGB colours.   Returns: (N, 3)."""
    rgb = np.array([[int(tone[i : i + 2], 16) / 255 for i in (1, 3, 5)] for tone in tones])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(light: np.ndarray) -> np.ndarray:
    """Ottosson's perceptual space.   light: (N, 3), linear.   Returns: same shape."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(light.clip(0, 1) @ cones.T) @ opponents.T


def contrast(tones: list[str], paper: str) -> np.ndarray:
    """WCAG's ratio of each colour to its background.   Returns: (N,)."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    one, other = linear(tones) @ weights + 0.05, linear([paper]) @ weights + 0.05
    return np.asarray(np.maximum(one, other) / np.minimum(one, other))


def themes() -> dict[str, dict[str, str]]:
    """Light and dark colours of page.css, by their names."""
    css, _, _ = environment().loader.get_source(environment(), "page.css")
    light, dark = re.split(r"prefers-color-scheme: dark", css, maxsplit=1)
    both = {"light": light, "dark": dark}
    return {name: dict(re.findall(r"--([\w-]+): (#\w{6})", text)) for name, text in both.items()}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_seen_and_told_apart_by_everybody(theme: str) -> None:
    """One man in twelve is colour-blind; pale lines vanish on paper and on a bright screen."""
    named = themes()[theme]
    tones = [named[f"series-{number}"] for number in range(len(colours.PALETTE))]
    if theme == "light":
        assert tuple(tones) == colours.PALETTE
    assert contrast(tones, named["paper"]).min() >= 3
    for vision in VISION.values():
        seen = oklab(linear(tones[: colours.METHODS]) @ vision.T)
        distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
        assert min(distances) > OKABE_ITO


def test_no_two_of_forty_methods_look_alike() -> None:
    """Eight colours are not enough for a large suite: markers and dashes have to say the rest."""
    names = [f"method_{number}" for number in range(40)]
    seen = {(look.tone, look.marker, look.dash) for look in colours.looks(names).values()}
    assert len(seen) == 40


def test_a_method_keeps_its_colour_in_every_suite() -> None:
    """Whoever compares two pages takes equal colours for equal methods."""
    ordered = ["pstl", "skeletonbt", "scdnet", "simclr"]
    one = colours.looks(["simclr", "other", "pstl"], ordered)
    two = colours.looks(["pstl", "another", "simclr", "scdnet"], ordered)
    assert one["pstl"] == two["pstl"]
    assert one["simclr"] == two["simclr"]
    assert len({look.colour for look in two.values()}) == 4


def test_a_floor_is_drawn_like_its_method() -> None:
    """Pairs belong together; a colour each would be twice as many as there are."""
    looks = colours.looks(["raw.resize50", "pstl", "untrained.pstl", "simclr", "untrained.simclr"])
    for name in ("pstl", "simclr"):
        floor, method = looks[f"untrained.{name}"], looks[name]
        assert floor.colour == method.colour
        assert floor.dash != method.dash
    assert looks["raw.resize50"].colour == colours.NEUTRAL
    assert colours.look_of("pstl from nwucla", looks) == looks["pstl"]
    assert colours.look_of("untrained.pstl (nwucla's body)", looks) == looks["untrained.pstl"]
