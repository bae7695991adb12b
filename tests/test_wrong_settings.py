"""What is wrong in the settings is one line, before the first job."""

import importlib
import math
from pathlib import Path

import pytest
from small_settings import BASE, first_experiment, load

from pstl import config
from pstl.config import Suite, TrainSettings
from pstl.errors import UserError

UNEVEN = {  # batches of 128 do not fill its queue
    "method": "skeletonclr",
    "recipe": "resize50",
    "encoder": {"name": "stgcn"},
    "settings": {"queue": 100},
    "train": {"epochs": 2, "lr": 0.1},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sweet": "s"}, "sweet: extra inputs are not permitted"),
        ({"suite": "t"}, "unknown suite 't'; known: s"),
        (
            {"methods": {"pstl": {"train": {"epoch": 5}}}},
            "methods.pstl: train.epoch: extra inputs .*did you mean epochs. known keys: .*lr",
        ),
        (
            {"methods": {"pstl": {"train": {"lr": -1}}}},
            "train.lr: input should be greater than 0 .found -1",
        ),
        (
            {"methods": {"pstl": {"encoder": "stgnc"}}},
            "unknown encoder of methods.pstl 'stgnc'; known: .*stgcn",
        ),
        (
            {"methods": {"pstl": {"recipe": "resize"}}},
            "unknown recipe of methods.pstl 'resize'; known: .*resize50",
        ),
        ({"methods": {"pstl": {"base": "no_csm"}}}, "refers back to itself"),
        (first_experiment(dataset="nwucal"), "unknown dataset 'nwucal'; known: .*nwucla"),
        (first_experiment(methods=["pslt"]), "unknown method 'pslt'; known: no_csm, pstl"),
        (first_experiment(tasks=["lin"], fuse=None), "unknown task 'lin'; known: linear, short"),
        (first_experiment(streams=["joint"]), "fuse names the streams"),
        (first_experiment(streams=["joints"]), "streams"),
    ],
)
def test_mistakes_are_named_before_the_first_job(tmp_path, change, message):
    """Found, expected, and where: one line, before any hour is spent."""
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path, change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"methods": {"pstl": {"settings": {"masked_joint": 8}}}},
            "methods.pstl.settings: masked_joint: .*known keys: .*masked_joints",
        ),
        ({"methods": {"pstl": {"encoder": {"widht": 8}}}}, "widht"),
        ({"tasks": {"linear": {"epoch": 8}}}, "tasks.linear: epoch"),
        (
            {"methods": {"clr": UNEVEN}},
            r"methods\.clr: settings\.queue is 100, expected a multiple of train\.batch_size",
        ),
        (first_experiment(splits=["xveiw"]), "unknown split of nwucla 'xveiw'; known: .*xview"),
    ],
)
def test_settings_of_plugins_are_checked_too(tmp_path, change, message):
    """A typo in a method's own setting must not silently run the default."""
    params = load(tmp_path, change)
    with pytest.raises(UserError, match=message):
        config.check_plugins(params, "s")


def test_missing_and_broken_files_are_one_line(tmp_path):
    """No traceback for a wrong folder or a tab in the YAML."""
    with pytest.raises(UserError, match="no such file"):
        config.load(tmp_path / "nothing.yaml")
    (tmp_path / "params.yaml").write_text("a: [1\nb: 2")
    with pytest.raises(UserError, match="not valid YAML"):
        config.load(tmp_path / "params.yaml")


WRONG_NUMBERS: list[tuple[str, dict[str, object]]] = [
    ("tasks.linear", {"epochs": 0}),  # its accuracies would be those of weights nobody trained
    ("tasks.linear", {"epochs": -3}),
    ("tasks.linear", {"lr": -1.0}),
    ("tasks.linear", {"lr": 0.0}),
    ("tasks.linear", {"lr": math.nan}),
    ("tasks.linear", {"lr": math.inf}),
    ("tasks.linear", {"batch_size": 0}),
    ("tasks.linear", {"momentum": 1.0}),
    ("tasks.linear", {"gamma": -1.0}),
    ("tasks.linear", {"milestones": [-1]}),
    ("tasks.knn", {"k": 0}),
    ("tasks.retrieval", {"ranks": [0]}),
    ("tasks.probe", {"strengths": [-1.0]}),
    ("tasks.probe", {"strengths": [math.inf]}),
    ("tasks.probe", {"tolerance": math.inf}),
    ("tasks.finetune", {"train": {"lr": math.inf}}),
    ("tasks.finetune", {"train": {"epochs": 0}}),
    ("tasks.finetune", {"train": {"milestones": [-5], "schedule": "step"}}),
    ("tasks.finetune", {"train": {"clip_norm": math.inf}}),
    ("tasks.detection", {"thetas": [0.0]}),
    ("tasks.detection", {"smoothing": []}),
    ("tasks.detection", {"background": math.inf}),
    ("methods.pstl", {"flip_probability": 2.0}),
    ("methods.pstl", {"padding_ratio": 0}),
    ("methods.pstl", {"off_diagonal_weight": math.nan}),
    ("methods.scdnet", {"cubes": 0}),
    ("methods.hitrs", {"noise": -1.0}),
    ("backbones.stgcn", {"width": 0}),
    ("data.recipes.resize50", {"frames": 0}),
]


@pytest.mark.parametrize(("plugin", "settings"), WRONG_NUMBERS, ids=str)
def test_a_number_that_makes_no_sense_is_refused_before_the_first_job(plugin, settings):
    """A rate below 0 ended in a traceback of an optimiser, no epochs in an accuracy of nothing."""
    module = importlib.import_module(f"pstl.{plugin}")
    model = module.RECIPE.Config if "recipes" in plugin else module.Config
    config.validated(model, {}, plugin)
    with pytest.raises(UserError, match=rf"{plugin}: .*\(found .*\)"):
        config.validated(model, settings, plugin)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [-1]},
        {"fuse": {"weights": {"joint": math.nan}}},
        {"fuse": {"weights": {"joint": 0}}},
    ],
)
def test_seeds_and_weights_of_streams_are_numbers_that_count(tmp_path, change):
    """A seed below 0 has no folder; weight NaN makes fused scores NaN, weight 0 fuses nothing."""
    experiment = BASE["suites"]["s"]["experiments"][0] | {"fuse": None} | change
    with pytest.raises(UserError, match="found"):
        load(tmp_path, {"suites": {"s": {"experiments": [experiment]}}})


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"methods": {"pstl": {"train": {"lr": True}}}}, "train.lr"),
        ({"methods": {"pstl": {"labels": True}}}, "labels"),
        ({"methods": {"pstl": {"settings": {"masked_joints": False}}}}, "masked_joints"),
    ],
)
def test_true_is_no_number(tmp_path, change, key):
    """Read as 1 it would train at a rate, or with a share of labels, that nobody wrote."""
    with pytest.raises(UserError, match=f"{key}: .*expected a number, not (true|false)"):
        config.check_plugins(load(tmp_path, change), "s")


@pytest.mark.parametrize(
    ("floors", "message"),
    [
        ({"rwa": ["knn"]}, "floors.rwa: extra inputs are not permitted .*did you mean raw"),
        (
            3,
            "floors: input should be a valid boolean, or a list, or a mapping, key: value .found 3",
        ),
        (["knn", 5], "floors.1: input should be a valid string .found 5"),
        (["knn", "knn"], "floors: 'knn' stands there twice; remove one of the two .found"),
        ({"raw": [1]}, "floors.raw.0: input should be a valid string"),
    ],
)
def test_a_mistake_in_a_value_of_several_forms_is_named_as_the_file_has_it(floors, message):
    """No class of ours and no form of the value is a key that a user could look for."""
    block = {"methods": ["pstl"], "tasks": ["knn"]}
    suite = {"summary": "", "experiments": [block], "floors": floors}
    with pytest.raises(UserError, match=f"^s: {message}"):
        config.validated(Suite, suite, "s")


def test_a_list_that_is_too_short_is_one_line():
    """What is missing has a place that the list has not."""
    train = {"epochs": 1, "lr": 0.1, "betas": [0.9]}
    with pytest.raises(UserError, match=r"^s: betas\.1: field required"):
        config.validated(TrainSettings, train, "s")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)),
            "490329064 entries once its aliases are filled in",
        ),
        ("methods: &a {pstl: *a}\n", "an alias stands for a value that it is part of"),
    ],
)
def test_aliases_cost_no_time(tmp_path: Path, text: str, reason: str) -> None:
    """Nine lines can stand for billions of entries, and the error took 20 s to repeat them."""
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=reason):
        config.load(tmp_path / "params.yaml")
