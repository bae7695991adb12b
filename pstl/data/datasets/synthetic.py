"""The built-in data set: simulated people, filmed by a simulated Kinect v2, in files like those of NTU RGB+D.

For trying the true path from text to table without asking anyone for data, and for experiments whose cause is known. Each clip is
a performance of its own; unlike NTU, the three cameras do not film the same one, so 500 training clips hold 500 performances.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, field_validator

from pstl.config import Frozen
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import Name
from pstl.data.spec import DatasetSpec, RawSequence, by_camera, by_subject
from pstl.rng import numpy_generator
from pstl.simulator.actions import ACTIONS
from pstl.simulator.performer import Manner, draw_performer, perform
from pstl.simulator.sensor import CAMERAS, Noise, Sensed, film

CLASSES = tuple(action.name for action in ACTIONS)
TRAIN_CAMERAS = (2, 3)


class Config(Frozen):
    """12 performers x 3 cameras x 2 repetitions x 14 actions = 1008 clips of 2.2 s: about 170 MB of text, seconds to simulate."""

    seed: int = 0
    performers: int = Field(12, ge=2, le=999)  # every second one is trained on
    cameras: int = Field(3, ge=1, le=len(CAMERAS))
    repetitions: int = Field(2, ge=1, le=999)
    actions: tuple[str, ...] = CLASSES  # labels stay those of the full list
    frames: tuple[int, int] = (
        45,
        95,
    )  # shortest and longest clip: below and above the 50 that recipes resample to
    heading_deg: float = 60.0  # people face the front camera give or take this much
    manner: Manner = Manner()
    noise: Noise = Noise()

    @field_validator("actions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown, twice = set(names) - set(CLASSES), len(set(names)) < len(names)
        if unknown or twice or not names:
            raise ValueError(f"name actions once each, of: {', '.join(CLASSES)}")
        return names

    @field_validator("frames")
    @classmethod
    def _ordered(cls, frames: tuple[int, int]) -> tuple[int, int]:
        if not 2 <= frames[0] <= frames[1]:
            raise ValueError("two numbers, shortest and longest clip, the shortest at least 2")
        return frames


SPEC = DatasetSpec(
    name="synthetic",
    classes=CLASSES,
    skeleton="kinect_v2",
    people=2,
    units="metres, camera space",
    splits={
        "xsub": by_subject(train=range(1, 1000, 2)),
        "xview": by_camera(train=TRAIN_CAMERAS, test=(1,)),
    },
    source="simulated by pstl.simulator",
    licence="MIT, as this project",
    simulated=True,
)


def clips(cfg: Config) -> list[Name]:
    """Names of all clips of these settings, sorted."""
    cameras, performers, repetitions = (
        range(1, n + 1) for n in (cfg.cameras, cfg.performers, cfg.repetitions)
    )
    actions = sorted(CLASSES.index(name) + 1 for name in cfg.actions)
    return [
        Name(1, *numbers)
        for numbers in itertools.product(cameras, performers, repetitions, actions)
    ]


def expected(cfg: Config) -> dict[str, tuple[int, int]]:
    """Numbers of (training, test) clips of each split."""
    each = cfg.repetitions * len(cfg.actions)
    train, trained = (
        (cfg.performers + 1) // 2,
        len(set(TRAIN_CAMERAS) & set(range(1, cfg.cameras + 1))),
    )
    by_performer, by_view = each * cfg.cameras, each * cfg.performers
    return {
        "xsub": (train * by_performer, (cfg.performers - train) * by_performer),
        "xview": (trained * by_view, by_view),
    }


def fetch(cfg: Config, folder: Path) -> None:
    """Simulate every clip into an existing folder, one file each; the caller makes the folder appear whole or not at all."""
    for name in clips(cfg):
        skeleton_txt.write(folder / f"{name}.skeleton", *simulate(cfg, name))


def simulate(cfg: Config, name: Name) -> Sensed:
    """One clip. It depends on the settings and its name only, not on the clips before it."""
    action = ACTIONS[name.action - 1]
    # The partner is nobody's performer, so that no body is seen both in training and in test.
    cast = [
        draw_performer(numpy_generator(cfg.seed, role, name.performer), cfg.manner)
        for role in ("synthetic performer", "synthetic partner")[: action.people]
    ]
    motion, sensor = (
        numpy_generator(cfg.seed, purpose, *name)
        for purpose in ("synthetic motion", "synthetic sensor")
    )
    frames = int(motion.integers(cfg.frames[0], cfg.frames[1] + 1))
    heading_deg = motion.uniform(-cfg.heading_deg, cfg.heading_deg)
    scene = perform(action, cast, frames, heading_deg, motion, cfg.manner)
    return film(scene, CAMERAS[name.camera - 1], sensor, cfg.noise)


def read(folder: Path) -> Iterator[RawSequence]:
    """Every clip in the order of file names. Raises: UserError naming a damaged file."""
    for path in sorted(folder.glob("*.skeleton")):
        name = skeleton_txt.parse_name(path.name)
        found = skeleton_txt.read(path)
        bodies, merged = skeleton_txt.numbered(found.ids), skeleton_txt.merged(found.ids)
        yield RawSequence(
            path.stem,
            name.action - 1,
            found.xyz,
            name.performer,
            name.camera,
            name.setup,
            bodies,
            merged=merged,
        )
