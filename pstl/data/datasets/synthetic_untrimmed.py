"""Simulated people in untrimmed recordings with timed labels, in files like those of PKU-MMD and
read by its reader.

For temporal detection without asking anyone for data. The performers are those of `synthetic`, and
odd ones train in both, so an encoder trained there can be tried here; the takes are others. Ten
actions of one person: those that end as they begin.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pstl.data.datasets import _pku
from pstl.data.formats import pku_txt
from pstl.data.spec import DatasetSpec, as_listed, by_camera, by_subject
from pstl.errors import UserError
from pstl.records import DatasetConfig, Member, Notes, Places
from pstl.rng import numpy_generator
from pstl.simulator.performer import Manner, draw_performer
from pstl.simulator.sensor import CAMERAS, Noise, film
from pstl.simulator.session import ACTIONS_OF_ONE, Script, session

PARTS = ("Skeleton", "Label", "Split")  # folders
SPLIT = "cross_subject.txt"
VIEWS = {number: letter for letter, number in pku_txt.VIEWS.items()}


class SyntheticUntrimmed(_pku.Pku):
    """Files as PKU-MMD has them."""

    class Config(DatasetConfig):
        """12 performers, one recording of some 30 s each, each with all ten actions: 10 MB of text.

        seed: that of `synthetic` for the same people.
        performers: every second one is trained on.
        recordings: of each performer; cameras take turns.
        frames: shortest and longest action.
        gap: frames of standing about before, between and behind.
        """

        seed: int = 0
        performers: int = Field(12, ge=2, le=99)
        recordings: int = Field(1, ge=1, le=99)
        frames: tuple[int, int] = (30, 60)
        gap: tuple[int, int] = (20, 40)
        heading_deg: float = 60.0
        manner: Manner = Manner()
        noise: Noise = Noise()

    spec = DatasetSpec(
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

    def make(self, cfg: Config, folder: Path) -> None:
        """Simulate every recording: coordinates, labels and the list of recordings."""
        for part in PARTS:
            (folder / part).mkdir()
        sides: dict[bool, list[str]] = {True: [], False: []}
        for performer in range(1, cfg.performers + 1):
            for number in range(1, cfg.recordings + 1):
                name, coordinates, labels = simulate(cfg, performer, number)
                (folder / "Skeleton" / f"{name}.txt").write_bytes(coordinates)
                (folder / "Label" / f"{name}.txt").write_text(labels)
                sides[performer % 2 == 1].append(name)
        train, test = (", ".join(sides[trained]) + "," for trained in (True, False))
        lists = f"Training videos:\n{train}\nValidation videos:\n{test}\n"
        (folder / "Split" / SPLIT).write_text(lists)

    def expected(self, cfg: Config) -> dict[str, tuple[int, int]]:
        """Numbers of (training, test) intervals of the split by performers."""
        each, train = cfg.recordings * len(self.spec.classes), (cfg.performers + 1) // 2
        return {"xsub": (train * each, (cfg.performers - train) * each)}

    def members(self, places: Places) -> list[Member]:
        """The recordings. Raises: UserError if there are none."""
        members = places.below("Skeleton/*.txt")
        if not members:
            fetch = f"run 'python -m pstl fetch {self.spec.name} --out {places.raw}'"
            raise UserError(f"{places.raw}: no recordings in Skeleton; {fetch}")
        return members

    def notes(self, places: Places, members: Sequence[Member]) -> Notes:
        """Labels and sides, as PKU-MMD's reader takes them."""
        labels, split = (places.texts(places.below(f"{part}/*.txt")) for part in ("Label", "Split"))
        files = [member.file for member in members]
        by_file = _pku.notes(self.spec, {"Label": labels, "cross-subject": split}, files).by_file
        return Notes(by_file)


def simulate(cfg: SyntheticUntrimmed.Config, performer: int, number: int) -> tuple[str, bytes, str]:
    """One recording: its name, its rows, its labels.

    It depends on the settings and its numbers only.
    """
    camera = (performer // 2 + number) % len(CAMERAS)
    person = draw_performer(numpy_generator(cfg.seed, "synthetic performer", performer), cfg.manner)
    motion = numpy_generator(cfg.seed, "untrimmed motion", performer, number)
    sensor = numpy_generator(cfg.seed, "untrimmed sensor", performer, number)
    heading_deg = motion.uniform(-cfg.heading_deg, cfg.heading_deg)
    script = Script(ACTIONS_OF_ONE, person, cfg.frames, cfg.gap, heading_deg, cfg.manner)
    take = session(script, motion)
    # Rows must stay where the labels are, so none is dropped.
    steady = cfg.noise.model_copy(update={"dropped_frame": 0.0})
    xyz = film(take.scene, CAMERAS[camera], sensor, steady).xyz
    lines = [f"{label + 1},{first + 1},{last + 1},1\n" for label, first, last in take.spans]
    name = f"A{number:02d}N{performer:02d}-{VIEWS[camera + 1]}"
    return name, pku_txt.text(pku_txt.two_bodies(xyz)), "".join(lines)


DATASET = SyntheticUntrimmed()
