"""Colours, markers and dashes of methods: a name looks the same wherever it is drawn.

Each colour has a contrast of 3:1 to white, and page.css has its like for a dark screen; any two are
told apart by people with any kind of colour vision. Where colours do not suffice, markers and
dashes say it: no two methods of a suite look alike.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pstl.config.floors import RAW, UNTRAINED

# Blue and vermilion of Okabe and Ito; the others were searched for the largest smallest distance
# in Oklab, as seen with all cones and without each of the three (tests/report/test_colours.py).
PALETTE = (
    "#0072b2", "#d55e00", "#00a888", "#8a00ff", "#654400", "#9f78fc", "#95565c", "#483892",
    "#767676",
)  # fmt: skip
NEUTRAL = len(PALETTE) - 1  # what belongs to no method: coordinates, simple rules
METHODS = NEUTRAL  # colours that methods have
MARKERS, GLYPHS = "osD^vPX<>ph", "●■◆▲▼✚✖◀▶⬟⬢"
HOLLOW = "○□◇△▽✚✖◁▷⬠⬡"
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
DOTTED = (0, (1, 1.6))


class Look(NamedTuple):
    """How one name is drawn.

    colour: its place in PALETTE.   shape: its place in MARKERS, and in DASHES by METHODS.
    floor: raw or untrained; empty for what learns.   variant: of a method in one chart.
    """

    colour: int
    shape: int
    floor: str = ""
    variant: int = 0

    @property
    def tone(self) -> str:
        """The colour itself."""
        return PALETTE[self.colour % len(PALETTE)]

    @property
    def marker(self) -> str:
        """A marker of matplotlib."""
        return MARKERS[self.shape % len(MARKERS)]

    @property
    def glyph(self) -> str:
        """The marker as a letter."""
        return (HOLLOW if self.floor else GLYPHS)[self.shape % len(GLYPHS)]

    @property
    def dash(self) -> str | tuple[float, tuple[float, ...]]:
        """A line style of matplotlib: floors are dotted, variants have one each."""
        if self.floor and not self.variant:
            return DOTTED
        return DASHES[(self.shape // METHODS + self.variant) % len(DASHES)]

    @property
    def border(self) -> str:
        """The line style of a page that is most like it."""
        if self.dash == "-":
            return "solid"
        return "dashed" if self.dash == "--" else "dotted"


def looks(names: Iterable[str], ordered: Iterable[str] = ()) -> dict[str, Look]:
    """Entries of methods -> their looks.

    A floor untrained.X has the colour of X; coordinates are grey.
    ordered: entries whose first ones keep their colours in every suite: those of params.yaml.
    """
    every = list(dict.fromkeys(names))
    learning = [name for name in every if not floor_of(name)]
    places = _places(learning, list(ordered))
    chosen: dict[str, Look] = {name: Look(place % METHODS, place) for name, place in places.items()}
    coordinates = [name for name in every if floor_of(name) == RAW]
    for number, name in enumerate(coordinates):
        chosen[name] = Look(NEUTRAL, number, RAW)
    for name in every:
        if floor_of(name) == UNTRAINED:
            place = places.get(name.removeprefix(f"{UNTRAINED}."), NEUTRAL)
            chosen[name] = Look(place % len(PALETTE), place, UNTRAINED)
    return {name: chosen[name] for name in every}


def rivals(names: Iterable[str], beside: Iterable[Look]) -> dict[str, Look]:
    """What stands in an encoder's place -> its look: dashed, in colours that none beside it has."""
    taken = {look.colour for look in beside}
    free = [colour for colour in range(METHODS) if colour not in taken] or [NEUTRAL]
    chosen: dict[str, Look] = {}
    for number, name in enumerate(dict.fromkeys(names)):
        chosen[name] = Look(free[number % len(free)], number, variant=1 + number // len(free))
    return chosen


def look_of(name: str, chosen: Mapping[str, Look]) -> Look:
    """Of an entry, or of its encoder as tables name it: "pstl from nwucla" looks like pstl.

    What was not named to looks() is grey.
    """
    return chosen.get(name) or chosen.get(name.split(" ")[0]) or Look(NEUTRAL, NEUTRAL)


def _places(names: list[str], ordered: list[str]) -> dict[str, int]:
    """Each name's own number: its place in `ordered` while that is one of the first, and free."""
    places: dict[str, int] = {}
    taken: set[int] = set()
    for name in names:
        place = ordered.index(name) if name in ordered else METHODS
        if place < METHODS:
            places[name] = place
            taken.add(place)
    free = 0
    for name in names:
        if name not in places:
            while free in taken:
                free += 1
            places[name] = free
            taken.add(free)
    return places


def floor_of(name: str) -> str:
    """Which floor an entry is by the name that the suite gave it; empty for any other."""
    kind = name.partition(".")[0]
    return kind if kind in (RAW, UNTRAINED) else ""
