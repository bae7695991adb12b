"""Floors: what a trained encoder must leave behind, beside each of its cells by themselves.

`raw` are the coordinates of the method's recipe; `untrained` is the method's encoder as it was
initialised, fed as the method feeds it. Both are entries of methods, made here: no file lists them.
Which of them a task has is said by its class (contracts.Task.floors).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pstl.config.cells import NAME, Cell
from pstl.config.settings import MethodSettings, Plugin, digest
from pstl.errors import UserError
from pstl.registry import has_plain_view, load_dataset

RAW, UNTRAINED = "raw", "untrained"
RELEASED = "released"  # coordinates have no norms whose statistics could be renewed
NO_TRAINING = {"epochs": 0, "lr": 1.0}
LONGEST = 60  # characters of a recipe with its settings in a name


@dataclass(frozen=True)
class Floors:
    """What was made.

    beside: cell of a trained method -> kind of floor -> its cell.   entries: made entries ->
    settings.
    """

    beside: Mapping[Cell, Mapping[str, Cell]] = field(default_factory=dict)
    entries: Mapping[str, MethodSettings] = field(default_factory=dict)


def floor_kind(section: MethodSettings) -> str:
    """Which floor a method entry is; empty for one that learns."""
    if section.learns:
        return ""
    return RAW if section.encoder.name == RAW else UNTRAINED


def coordinates(section: MethodSettings) -> MethodSettings:
    """The coordinates of a method's recipe as features."""
    return MethodSettings.model_validate(
        {"method": RAW, "recipe": section.recipe, "encoder": RAW, "train": NO_TRAINING}
    )


def untrained(section: MethodSettings) -> MethodSettings:
    """A method's encoder as it was initialised, fed as the method feeds it.

    One and the same for methods with a plain view that have one encoder and one recipe.
    """
    is_plain = has_plain_view(section.method)
    return MethodSettings.model_validate(
        {
            "method": "random_init" if is_plain else section.method,
            "recipe": section.recipe,
            "encoder": section.encoder,
            "train": NO_TRAINING,
            "settings": {} if is_plain else section.settings,
        }
    )


def recipe_name(recipe: Plugin) -> str:
    """A recipe with its settings, fit for a name; with their hash where they are long.

    >>> recipe_name(Plugin(name="resize50", frames=25))
    'resize50-frames_25'
    """
    settings = (f"{key}_{value}" for key, value in sorted(recipe.settings.items()))
    name = "-".join([recipe.name, *settings])
    return name if NAME.fullmatch(name) and len(name) <= LONGEST else recipe.key


class FloorMaker:
    """Makes the entries and cells of one suite's floors, each once.

    methods: entries that its experiments name; one that learns nothing is a floor written by hand,
    and is taken where it is the same.   protocols: (method, task) -> entry of its own protocol.
    taken: names of entries that there are.   moved: some encoders come from other data.
    """

    def __init__(
        self,
        methods: Mapping[str, MethodSettings],
        protocols: Mapping[tuple[str, str], str],
        taken: Iterable[str],
        moved: bool,
    ) -> None:
        self.moved = moved
        self.methods, self.protocols, self.taken = methods, protocols, set(taken)
        self.made: dict[str, MethodSettings] = {}
        self._names: dict[str, str] = {}
        self._first: dict[Cell, Cell] = {}
        for name, section in methods.items():
            if kind := floor_kind(section):
                same = coordinates(section) if kind == RAW else untrained(section)
                self._names.setdefault(digest(same), name)

    def cell(self, of: Cell, kind: str) -> Cell:
        """The floor of one kind of a trained method's cell."""
        section = self.methods[of.run.method]
        update: dict[str, Any] = {"labels": None}
        if kind == RAW:
            name = self._entry(coordinates(section), f"{RAW}.{recipe_name(section.recipe)}")
            update |= {"method": name}
            if of.labels is None:  # else the seed is a draw of labels
                update |= {"seed": 0}
        else:
            name = self._entry(untrained(section), f"{UNTRAINED}.{of.run.method}")
            update |= {"method": name}
        floor = replace(
            of,
            # What weights of others were trained on need not be here, and is not learnt from.
            source="" if section.weights else of.source,
            run=of.run.model_copy(update=update),
            batch_norm=RELEASED if kind == RAW else of.batch_norm,
            protocol=of.protocol and self.protocols.get((name, of.task), of.protocol),
        )
        # What has learnt nothing knows of the data it comes from no more than the body.
        body = f"body {_body(floor)}" if self.moved else ""
        return self._first.setdefault(replace(floor, source=body), floor)

    def _entry(self, section: MethodSettings, name: str) -> str:
        """The entry with these settings: the one that there is, or a new one of this name."""
        same = self._names.setdefault(digest(section), name)
        if same == name and name not in self.made and name not in self.methods:
            if name in self.taken:
                raise UserError(
                    f"methods.{name}: is the name of a floor with other settings; rename it"
                )
            self.made[name] = section
        return same


def _body(cell: Cell) -> str:
    """The body that the encoder of a cell is made for."""
    dataset = cell.source.partition("/")[0] or cell.run.dataset
    spec = load_dataset(dataset).spec
    return f"{spec.skeleton} {spec.people}"
