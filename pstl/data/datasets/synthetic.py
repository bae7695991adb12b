"""The built-in data set: simulated people, filmed by a simulated Kinect v2, in files like NTU
RGB+D's.

For trying the true path from text to table without asking anyone for data, and for experiments
whose cause is known. Each clip is a performance of its own; unlike NTU, the three cameras do not
film the same one, so 500 training clips hold 500 performances.
"""

import itertools
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from pstl.contracts import Dataset
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.spec import DatasetSpec, by_camera, by_subject
from pstl.records import Clip, DatasetConfig, Member, Places
from pstl.rng import numpy_generator
from pstl.simulator.actions import ACTIONS
from pstl.simulator.performer import Manner, draw_performer, perform
from pstl.simulator.sensor import CAMERAS, Noise, Sensed, film

CLASSES = tuple(action.name for action in ACTIONS)
TRAIN_CAMERAS = (2, 3)


class Synthetic(Dataset):
    """One file is one clip."""

    class Config(DatasetConfig):
        """12 performers x 3 cameras x 2 repetitions x 14 actions = 1008 clips of 2.2 s.

        They take about 170 MB of text and seconds to simulate.
        performers: every second one is trained on.
        actions: labels stay those of the full list.
        frames: shortest and longest clip: below and above the 50 that recipes resample to.
        heading_deg: people face the front camera give or take this much.
        """

        seed: int = 0
        performers: int = Field(12, ge=2, le=999)
        cameras: int = Field(3, ge=1, le=len(CAMERAS))
        repetitions: int = Field(2, ge=1, le=999)
        actions: tuple[str, ...] = CLASSES
        frames: tuple[int, int] = (45, 95)
        heading_deg: float = 60.0
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

    spec = DatasetSpec(
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

    def make(self, cfg: Config, folder: Path) -> None:
        """Simulate every clip into the folder, one file each."""
        for name in clip_names(cfg):
            skeleton_txt.write(folder / f"{name}.skeleton", *simulate(cfg, name))

    def expected(self, cfg: Config) -> dict[str, tuple[int, int]]:
        """Numbers of (training, test) clips of each split."""
        takes = cfg.repetitions * len(cfg.actions)
        trained = (cfg.performers + 1) // 2
        cameras = len(set(TRAIN_CAMERAS) & set(range(1, cfg.cameras + 1)))
        of_performer, of_view = takes * cfg.cameras, takes * cfg.performers
        return {
            "xsub": (trained * of_performer, (cfg.performers - trained) * of_performer),
            "xview": (cameras * of_view, of_view),
        }

    def members(self, places: Places) -> list[Member]:
        """The files, in the order of their names."""
        return places.below("*.skeleton")

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file."""
        name = skeleton_txt.parse_name(member.file)
        return [skeleton_txt.clip_of(name, skeleton_txt.read(data, member.where))]


def clip_names(cfg: Synthetic.Config) -> list[ClipName]:
    """Names of all clips of these settings, sorted."""
    counts = (cfg.cameras, cfg.performers, cfg.repetitions)
    cameras, performers, repetitions = (range(1, count + 1) for count in counts)
    actions = sorted(CLASSES.index(name) + 1 for name in cfg.actions)
    numbers = itertools.product(cameras, performers, repetitions, actions)
    return [ClipName(1, *each) for each in numbers]


def simulate(cfg: Synthetic.Config, name: ClipName) -> Sensed:
    """One clip. It depends on the settings and its name only, not on the clips before it."""
    action = ACTIONS[name.action - 1]
    # The partner is nobody's performer, so that no body is seen both in training and in test.
    roles = ("synthetic performer", "synthetic partner")[: action.people]
    generators = [numpy_generator(cfg.seed, role, name.performer) for role in roles]
    cast = [draw_performer(generator, cfg.manner) for generator in generators]
    motion = numpy_generator(cfg.seed, "synthetic motion", *name)
    sensor = numpy_generator(cfg.seed, "synthetic sensor", *name)
    frames = int(motion.integers(cfg.frames[0], cfg.frames[1] + 1))
    heading_deg = motion.uniform(-cfg.heading_deg, cfg.heading_deg)
    scene = perform(action, cast, frames, heading_deg, motion, cfg.manner)
    return film(scene, CAMERAS[name.camera - 1], sensor, cfg.noise)


DATASET = Synthetic()
