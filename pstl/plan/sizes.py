"""How many clips, numbers and bytes a suite is about: from data sets, recipes and bench.

Rows of bench, the figures, are of a method or of a probe (a task that reads features).
"""

from functools import cache
from typing import Any, NamedTuple

from pstl import graph
from pstl.config import Cell, MethodSettings, Params, Plugin, Run
from pstl.registry import load_dataset, load_recipe
from pstl.skeletons import load as load_skeleton

FLOAT = 4  # bytes
Figures = list[dict[str, Any]]  # rows of bench


class Facts(NamedTuple):
    """Of one data set. clips: training and test clips of each split."""

    clips: dict[str, tuple[int, int]]
    joints: int
    people: int
    classes: int

    def split(self, name: str) -> tuple[int, int]:
        """Training and test clips.

        Of a split whose size the spec does not state: those of the first that it states.
        """
        return self.clips.get(name, next(iter(self.clips.values())))

    @property
    def total(self) -> int:
        """Clips of the largest split, both sides."""
        return max(map(sum, self.clips.values()))


@cache
def facts(dataset: str) -> Facts:
    """What the spec says, where it depends on settings of the data set with the default ones."""
    plugin = load_dataset(dataset)
    spec = plugin.spec
    return Facts(
        plugin.expected(plugin.Config()) or {"": (10_000, 10_000)},
        load_skeleton(spec.skeleton).joints,
        spec.people,
        len(spec.classes),
    )


def frames(recipe: Plugin) -> int:
    """Most frames a recipe's clips have."""
    plugin = load_recipe(recipe.name)
    return plugin.frames(plugin.Config.model_validate(recipe.settings))


def array_bytes(dataset: str, recipe: Plugin) -> int:
    """Size of one recipe's array; on most disks less, as frames beyond a clip's end are holes."""
    size = facts(dataset)
    return size.total * 3 * frames(recipe) * size.joints * size.people * FLOAT


def training_clips(params: Params, run: Run) -> int:
    """Clips that a run is trained on, of all its data sets."""
    return sum(facts(dataset).split(split)[0] for dataset, split in graph.sides(params, run))


def training_bytes(params: Params, run: Run) -> int:
    """Size of the arrays that a run is trained on; of several, their clips are held joined."""
    recipe = params.method_of(run).recipe
    arrays = [array_bytes(dataset, recipe) for dataset, _ in graph.sides(params, run)]
    return sum(arrays) * (2 if len(arrays) > 1 else 1)


def items(section: MethodSettings, train_clips: int) -> int:
    """Items (clips; bodies for Hi-TRS) that a pre-training goes through in all."""
    train = section.train
    by_epochs = train.epochs * (train.steps_per_epoch * train.batch_size or train_clips)
    if not train.max_steps:
        return by_epochs
    return min(by_epochs, train.max_steps * train.accumulate * train.batch_size)


def snapshots(section: MethodSettings) -> int:
    """Encoders that a run keeps beside its last."""
    train = section.train
    return train.epochs // train.snapshot_every if train.snapshot_every else 0


def own_cells(params: Params, suite: str) -> list[Cell]:
    """Every cell that is not fused."""
    return [cell for cell in params.cells(suite) if not cell.fused]


def encoded(params: Params, suite: str) -> set[tuple[Run, str, str]]:
    """Runs, batch-norm variants and poolings of which features are stored."""
    cells = [cell for cell in own_cells(params, suite) if graph.inputs(params, cell).features]
    return {(cell.run, cell.batch_norm, params.task_of(cell).pooling) for cell in cells}


def figure(params: Params, suite: str, name: str, figures: Figures) -> dict[str, Any]:
    """The row of a method entry: its own, else one of the same method and encoder.

    Where nothing is trained, one of the same encoder will do.   Returns: {} if there is none.
    """
    section = params.method(suite, name)
    rows = {row["method"]: row for row in figures if "method" in row}
    fits = []
    for benched in rows:
        other = params.method(params.suite, benched)
        same_method = other.method == section.method or not section.train.epochs
        if same_method and other.encoder.name == section.encoder.name:
            fits.append(benched)
    if name in fits:
        return rows[name]
    return rows[fits[0]] if fits else {}


def feature_width(params: Params, run: Run, row: dict[str, Any]) -> int | None:
    """Numbers that stand for a clip: a benched encoder's, or coordinates without weights.

    None where neither is known.
    """
    section = params.method(run.suite, run.method)
    if not row and section.train.epochs:
        return None
    size = facts(run.dataset)
    coordinates = 3 * frames(section.recipe) * size.joints * size.people
    return int(row.get("features", coordinates))
