"""Simulated people in untrimmed recordings with timed labels, in files like those of PKU-MMD and read by its reader.

For temporal detection without asking anyone for data. The performers are those of `synthetic`, and odd ones train in both, so an
encoder trained there can be tried here; the takes are others. Ten actions of one person: those that end as they begin.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from pstl.config import Frozen
from pstl.data import reading
from pstl.data.datasets import _pku
from pstl.data.formats import pku_txt
from pstl.data.spec import DatasetSpec, RawSequence, Recording, as_listed, by_camera, by_subject
from pstl.errors import UserError
from pstl.rng import numpy_generator
from pstl.simulator.performer import Manner, draw_performer
from pstl.simulator.sensor import CAMERAS, Noise, film
from pstl.simulator.session import ACTIONS_OF_ONE, session

PARTS = ("Skeleton", "Label", "Split")  # folders
SPLIT = "cross_subject.txt"
VIEWS = {number: letter for letter, number in pku_txt.VIEWS.items()}


class Config(Frozen):
    """12 performers, one recording of some 30 s each, each with all ten actions: about 10 MB of text."""

    seed: int = 0  # that of `synthetic` for the same people
    performers: int = Field(12, ge=2, le=99)  # every second one is trained on
    recordings: int = Field(1, ge=1, le=99)  # of each performer; cameras take turns
    frames: tuple[int, int] = (30, 60)  # shortest and longest action
    gap: tuple[int, int] = (20, 40)  # frames of standing about before, between and behind
    heading_deg: float = 60.0
    manner: Manner = Manner()
    noise: Noise = Noise()


SPEC = DatasetSpec(
    name="synthetic_untrimmed",
    classes=tuple(action.name for action in ACTIONS_OF_ONE),
    skeleton="kinect_v2",
    people=2,
    units="metres, camera space, y up; times are rows of the file from 1, 30 a second",
    splits={
        "xsub": as_listed("xsub", by_subject(train=range(1, 100, 2))),
        "xview": by_camera(train=(2, 3), test=(1,)),
    },
    source="simulated by pstl.simulator",
    licence="MIT, as this project",
    simulated=True,
)


def expected(cfg: Config) -> dict[str, tuple[int, int]]:
    """Numbers of (training, test) intervals of the split by performers."""
    each, train = cfg.recordings * len(SPEC.classes), (cfg.performers + 1) // 2
    return {"xsub": (train * each, (cfg.performers - train) * each)}


def fetch(cfg: Config, folder: Path) -> None:
    """Simulate every recording into an existing folder: coordinates, labels and the list of recordings, as PKU-MMD has them."""
    for part in PARTS:
        (folder / part).mkdir()
    sides: dict[bool, list[str]] = {True: [], False: []}
    for performer in range(1, cfg.performers + 1):
        for number in range(1, cfg.recordings + 1):
            name, coordinates, labels = simulate(cfg, performer, number)
            (folder / "Skeleton" / f"{name}.txt").write_bytes(coordinates)
            (folder / "Label" / f"{name}.txt").write_text(labels)
            sides[performer % 2 == 1].append(name)
    lists = (", ".join(sides[side]) + "," for side in (True, False))
    (folder / "Split" / SPLIT).write_text(
        "Training videos:\n{}\nValidation videos:\n{}\n".format(*lists)
    )


def simulate(cfg: Config, performer: int, number: int) -> tuple[str, bytes, str]:
    """One recording: its name, its rows, its labels. It depends on the settings and its numbers only."""
    camera = (performer // 2 + number) % len(CAMERAS)
    person = draw_performer(numpy_generator(cfg.seed, "synthetic performer", performer), cfg.manner)
    motion, sensor = (
        numpy_generator(cfg.seed, f"untrimmed {what}", performer, number)
        for what in ("motion", "sensor")
    )
    heading_deg = motion.uniform(-cfg.heading_deg, cfg.heading_deg)
    take = session(ACTIONS_OF_ONE, person, cfg.frames, cfg.gap, heading_deg, motion, cfg.manner)
    # Rows must stay where the labels are, so none is dropped.
    steady = cfg.noise.model_copy(update={"dropped_frame": 0.0})
    seen = film(take.scene, CAMERAS[camera], sensor, steady).xyz
    labels = "".join(f"{label + 1},{first + 1},{last + 1},1\n" for label, first, last in take.spans)
    return (
        f"A{number:02d}N{performer:02d}-{VIEWS[camera + 1]}",
        pku_txt.text(pku_txt.two_bodies(seen)),
        labels,
    )


def read_untrimmed(folder: Path) -> Iterator[Recording]:
    """The recordings in the order of file names, by PKU-MMD's reader. Raises: UserError naming a damaged file."""
    for path, note in _noted(folder):
        yield from _pku.read_recording(path.name, reading.content(path), note)


def read(folder: Path) -> Iterator[RawSequence]:
    """Every labelled interval as a clip, by PKU-MMD's reader."""
    for path, note in _noted(folder):
        yield from _pku.read_member(path.name, reading.content(path), note)


def _noted(folder: Path) -> list[tuple[Path, _pku.Note | None]]:
    """Every recording, and what the other files say of it."""
    skeletons, labels, split = (
        {path.name: path for path in sorted((folder / part).glob("*.txt"))} for part in PARTS
    )
    if not skeletons:
        raise UserError(
            f"{folder}: no recordings in {PARTS[0]}; run 'python -m pstl fetch {SPEC.name} --out {folder}'"
        )
    texts = {
        "Label": {name: reading.decoded(reading.content(path)) for name, path in labels.items()}
    }
    texts["cross-subject"] = {
        name: reading.decoded(reading.content(path)) for name, path in split.items()
    }
    notes, _ = _pku.notes(SPEC, texts, list(skeletons))
    return [(path, notes.get(name)) for name, path in skeletons.items()]
