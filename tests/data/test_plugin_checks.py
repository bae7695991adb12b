"""`pstl check` holds data sets, recipes and bodies to their contracts: what is wrong is one
line."""

import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pstl import skeletons
from pstl.config import Frozen
from pstl.contracts import Dataset, Recipe
from pstl.data import plugin_checks
from pstl.data.datasets import nwucla, synthetic
from pstl.data.recipes import metres300
from pstl.errors import UserError
from pstl.records import Clip, DatasetConfig
from pstl.registry import load_dataset, load_recipe, names

SPEC = dataclasses.replace(nwucla.DATASET.spec, name="mine")


class Mine(Dataset):
    """A sound one."""

    spec = SPEC

    def read(self, member: Any, data: bytes, note: Any) -> list[Clip]:
        return []


def with_spec(**changes: Any) -> Dataset:
    dataset = Mine()
    dataset.spec = dataclasses.replace(SPEC, **changes)
    return dataset


class OldSignature(Mine):
    def read(self, folder):
        return []


class Misspelled(Mine):
    def expcted(self, cfg):
        return {}


class WrongConfig(Mine):
    class Config(Frozen):
        pass


class Demanding(Mine):
    class Config(DatasetConfig):
        place: str


class Counting(Mine):
    def expected(self, cfg):
        return {"xview": 1484}


class Untrimmed(Mine):
    untrimmed: ClassVar[bool] = True


PROBLEMS = [
    (with_spec(classes=()), "spec.classes is (), expected the names of all classes"),
    (with_spec(classes=("a", "b", "a")), "spec.classes names 'a' twice"),
    (
        with_spec(expected={"xsub": (1, 2)}),
        "expected counts of the unknown split 'xsub'; known: xv",
    ),
    (with_spec(overlap={"xsub": 3}), "spec.overlap names the unknown split 'xsub'"),
    (with_spec(folds=("fold1",)), "spec.folds names the unknown split 'fold1'"),
    (with_spec(skeleton="kinect"), "spec.skeleton: unknown skeleton 'kinect'; known: cmu38"),
    (with_spec(people=0), "spec.people is 0"),
    (with_spec(splits={}, expected={}, overlap={}), "spec.splits is empty"),
    (with_spec(remotes=()), "spec.remotes is empty and there is no make(self, cfg, folder)"),
    (with_spec(on_request=True), "Config has no accept_terms"),
    (with_spec(name="yours"), "spec.name is 'yours', expected the name of the file, 'mine'"),
    (OldSignature(), "read(self, folder), expected read(self, member, data, note)"),
    (Misspelled(), "expcted() is no method of Dataset; did you mean expected?"),
    (WrongConfig(), "expected a class of DatasetConfig"),
    (Demanding(), "Config has no default for place"),
    (Counting(), "expected counts of xview are 1484, expected (training, test) clips"),
    (Untrimmed(), "untrimmed is True, and read_recording is not defined"),
]


@pytest.mark.parametrize(("dataset", "line"), PROBLEMS, ids=[line[:30] for _, line in PROBLEMS])
def test_what_a_data_set_lacks_is_one_line(dataset: Dataset, line: str) -> None:
    """Whoever adds one on Friday must not learn of a slip from a table on Monday."""
    problems = list(plugin_checks.dataset_problems(dataset, "mine"))
    assert line in problems[0]
    assert "\n" not in problems[0]


class Brief(Recipe):
    """A sound one."""

    def apply(self, clips, skeleton, people, cfg):
        return np.zeros(0), np.zeros(0)


class Endless(Brief):
    longest = 0


class Swapped(Brief):
    def apply(self, clips, skeleton, cfg, people):
        return np.zeros(0), np.zeros(0)


class Unsettled(Brief):
    Config = dict  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        (Endless(), "longest is 0"),
        (Swapped(), "apply(self, clips, skeleton, cfg, people), expected apply(self, clips, skel"),
        (Unsettled(), "Config is <class 'dict'>, expected a class of Frozen"),
    ],
)
def test_what_a_recipe_lacks_is_one_line(recipe: Recipe, line: str) -> None:
    """Arguments in another order would still run, and make another array."""
    assert line in next(plugin_checks.recipe_problems(recipe))


def test_sound_ones_pass() -> None:
    """A check that refuses what is right is turned off."""
    assert not list(plugin_checks.dataset_problems(Mine(), "mine"))
    assert not list(plugin_checks.recipe_problems(Brief()))
    for name in names("data.datasets"):
        assert not list(plugin_checks.dataset_problems(load_dataset(name), name))
    for name in names("data.recipes"):
        assert not list(plugin_checks.recipe_problems(load_recipe(name)))


@pytest.mark.parametrize(
    ("module", "constant", "value", "line"),
    [
        (synthetic, "DATASET", None, "pstl/data/datasets/synthetic.py: DATASET is None, expected"),
        (metres300, "RECIPE", Brief, "pstl/data/recipes/metres300.py: RECIPE is <class"),
    ],
)
def test_a_module_exports_an_object(monkeypatch, module, constant, value, line) -> None:
    """A class in its place would fail at its first call, far from the file."""
    monkeypatch.setattr(module, constant, value)
    with pytest.raises(UserError) as caught:
        plugin_checks.check_data_plugins()
    assert str(caught.value).startswith(line)


def test_a_body_is_found_by_its_file(monkeypatch, tmp_path) -> None:
    """A list of known bodies would be a second file to edit, and one to forget."""
    table = importlib.import_module("pstl.skeletons.kinect_v1").__file__
    text = Path(table).read_text()
    (tmp_path / "suit.py").write_text(text.replace('"kinect_v1"', '"suit"', 1))
    (tmp_path / "glove.py").write_text(text)
    monkeypatch.setattr(skeletons, "__path__", [*skeletons.__path__, str(tmp_path)])
    assert {"suit", "glove"} < set(skeletons.names())
    assert skeletons.load("suit").joints == 20
    with pytest.raises(UserError, match=r"skeletons/glove\.py: SKELETON is .*name='glove'"):
        skeletons.check_tables()
    for name in ("suit", "glove"):
        sys.modules.pop(f"pstl.skeletons.{name}", None)


def test_a_body_hangs_together() -> None:
    """Parents that go in a circle would be a graph of two pieces, and distances of infinity."""
    body = skeletons.load("kinect_v1")
    parents = list(body.parents)
    parents[18], parents[19] = 19, 18
    with pytest.raises(UserError, match="following parents must lead from every joint"):
        dataclasses.replace(body, parents=tuple(parents))
