"""The numbers that no rebuilding may move: training steps, arrays, sequences, rows.

Where an interface is rebuilt, the calls in golden_*.py follow it and the numbers stay.
"""

import json
import math

import make
import pytest
from comparison import EXACTLY, NEARLY, Tolerance, moved

SHOWN = 12  # lines of what moved
ARRAY = Tolerance(1e-6, 1e-6)  # float32 with the cosines and products of any processor
SIMULATED = Tolerance(1e-5, 1e-5)
# Weights trained in float32 are those of one processor: another sum's order becomes another step of
# Adam, and of so few clips any may then be told otherwise. What five float64 steps show is exact.
TRAINED_ELSEWHERE = Tolerance(math.inf, 0.0)


def refuse(lines: list[str], what: str) -> None:
    if lines:
        more = f"\n... and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        pytest.fail(f"{what} moved:\n" + "\n".join(sorted(lines)[:SHOWN]) + more, pytrace=False)


def now(name: str) -> dict:
    """What the code makes, through JSON as the golden file went."""
    return json.loads(json.dumps(make.MADE[name]()))


def test_five_training_steps_of_every_method_are_as_they_were():
    """Each method trains as its paper's released code does; one whose losses move does not."""
    refuse(list(moved(make.read("steps"), now("steps"), NEARLY)), "training steps")


def test_arrays_of_every_recipe_are_as_they_were():
    """An array that moves changes every result made of it, and no row would say so."""
    refuse(list(moved(make.read("recipes"), now("recipes"), ARRAY)), "recipes")


def test_sequences_of_every_data_set_are_as_they_were():
    """A reader that shifts a label, a slot or a digit teaches the wrong thing silently."""
    refuse(list(moved(make.read("datasets"), now("datasets"), SIMULATED)), "data sets")


@pytest.mark.slow
def test_rows_of_a_small_suite_are_as_they_were():
    """Every method through every task: the tables that are kept are joined by these names.

    Where float32 is added up as it was for the golden rows, every value holds to nine digits. On
    other processors those do that need no training; of others names, settings and counts. Where the
    steps above hold and a faster order of sums moves rows alone: python tests/golden/make.py rows
    """
    golden, rows = make.read("rows"), now("rows")
    same_arithmetic = golden["arithmetic"] == rows["arithmetic"]
    lines = []
    for cell in golden["cells"].keys() | rows["cells"].keys():
        exact = same_arithmetic or "/raw/" in cell
        tolerance = NEARLY if exact else TRAINED_ELSEWHERE
        before, after = ({cell: side["cells"].get(cell)} for side in (golden, rows))
        lines += moved(before, after, tolerance)
    refuse(lines, "rows")


def test_what_moves_is_named():
    """A comparison that sees nothing would let everything pass."""
    golden = {"loss": [1.0, 2.0], "setting": "a", "count": 3, "sum": 0.0, "absolute sum": 100.0}
    assert not list(moved(golden, {**golden, "sum": 1e-8}, NEARLY))
    changes = {"loss": [1.0, 2.1], "setting": "b", "count": 4, "sum": 1e-6, "absolute sum": 101.0}
    for name, value in changes.items():
        (line,) = moved(golden, {**golden, name: value}, NEARLY)
        assert line.startswith(name)
    assert list(moved(golden, {"loss": [1.0]}, EXACTLY))
    assert list(moved({"a": 1.0}, {"a": math.nan}, TRAINED_ELSEWHERE))
    assert not list(moved({"a": 1.0}, {"a": 9.0}, TRAINED_ELSEWHERE))
