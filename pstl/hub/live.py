"""Labels while somebody moves: landmarks come frame by frame, a window over the last ones is named.

A frame is a line of JSON as MediaPipe's pose landmarker gives one, from a camera (camera.py) or
from a recorded stream; what is read and computed is what `predict` does with a file of them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pstl.data import own_files
from pstl.data.clip_files import SourcedClip
from pstl.data.own_files import Hints
from pstl.data.reading import json_value
from pstl.errors import UserError
from pstl.files import Kind, reading
from pstl.hub import labels
from pstl.hub.embedder import Embedder
from pstl.hub.labels import Label, Sliding
from pstl.hub.weights import Weights
from pstl.records import Person, Poses
from pstl.registry import load_reader

STREAM = Kind("recorded stream: a line of landmarks for every frame", "get another copy")
READER = "mediapipe_json"


class Line(NamedTuple):
    """One frame as it came.   where: what messages call it."""

    data: bytes
    where: str


class Look(NamedTuple):
    """What the last frames show.

    frame: number of the last of them, from 0.   labels: the likeliest first; () where nobody is.
    """

    frame: int
    labels: list[Label]

    def text(self) -> str:
        """As it is shown."""
        if not self.labels:
            return "nobody"
        return ", ".join(f"{label.name} {label.chance:.0%}" for label in self.labels)


class Live:
    """An encoder that watches: takes frames one by one and says now and then what they show.

    sliding: frames that are looked at together, and frames between two looks.
    top: classes that are named.
    Raises: UserError for weights that name no classes.
    """

    def __init__(self, embedder: Embedder, sliding: Sliding, top: int) -> None:
        weights = Weights(embedder.card, embedder.encoder, embedder.classifier)
        if not embedder.classes:
            raise UserError("these weights name no classes; take others: pstl list --weights")
        self.embedder, self.top = embedder, top
        self.sliding = sliding.on(weights)
        self.frames: deque[tuple[Person, ...]] = deque(maxlen=self.sliding.window)
        self.poses: Poses | None = None
        self.count = 0
        self.reader = load_reader(READER)

    def take(self, line: Line) -> Look | None:
        """One more frame. Returns: a look, where it is time for one.

        Raises: UserError for a line that holds no landmarks.
        """
        self.frames.append(self._people(line))
        self.count += 1
        beyond = self.count - self.sliding.window
        return self.look() if beyond >= 0 and beyond % self.sliding.stride == 0 else None

    def look(self) -> Look:
        """What the frames of now show, also where they are fewer than a window."""
        last = self.count - 1
        if self.poses is None or not any(self.frames):
            return Look(last, [])
        poses = replace(self.poses, frames=tuple(self.frames))
        read = own_files.understood(poses, f"frames up to {last}", Hints())
        people = self.embedder.card.people
        clip = SourcedClip(read.raw, read.body, people, metric=True, said=read.said)
        likely = self.embedder.chances_of([clip], is_looked_at=False)[0]
        return Look(last, labels.best(likely, self.embedder.classes, self.top))

    def _people(self, line: Line) -> tuple[Person, ...]:
        """Everybody in a frame."""
        value = json_value(line.data, line.where)
        if not isinstance(value, dict) or not any("landmark" in key.lower() for key in value):
            found = line.data[:40].decode("utf-8", "replace")
            expected = 'expected {"pose_world_landmarks": [...]}, a line for every frame'
            raise UserError(f"{line.where}: {found!r} has no landmarks, {expected}")
        if not any(part for key, part in value.items() if "landmark" in key.lower()):
            return ()
        self.poses = self.reader.read(line.data, line.where, "")
        return self.poses.frames[0]


def lines_of(path: Path) -> list[Line]:
    """The frames of a recorded stream. Raises: UserError for a file without any."""
    with reading(path, STREAM):
        rows = path.read_bytes().splitlines()
    numbered = enumerate(rows, 1)
    lines = [Line(row, f"{path}, line {number}") for number, row in numbered if row.strip()]
    if not lines:
        raise UserError(f"{path}: empty, expected a line of landmarks for every frame")
    return lines


def play(live: Live, lines: Iterable[Line]) -> Iterator[Look]:
    """Every look at a stream; one at its end, where it is shorter than a window."""
    looked = False
    for line in lines:
        if look := live.take(line):
            looked = True
            yield look
    if not looked and live.count:
        yield live.look()
