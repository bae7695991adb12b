"""Floors come with every trained method by themselves: of its own recipe and encoder, each once."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch
from settings_files import settings_of

from pstl import config
from pstl.config import NAME, Plugin, Run, TrainSettings
from pstl.config.floors import recipe_name
from pstl.encoding.features import clean_stream
from pstl.errors import UserError
from pstl.records import Problem
from pstl.registry import has_plain_view, load_dataset, names, task_traits
from pstl.registry import load as load_plugin
from pstl.skeletons import load as load_skeleton
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

# What suites leave out: the tour's longer tasks, what its paper trains otherwise from scratch, what
# has a row from scratch of its own, a large encoder of others tuned at many shares, and a twin's
# floors, which are its brother's.
LEFT_OUT = {
    ("builtin", "linear"),
    ("builtin", "retrieval"),
    ("nwucla_lost_joints", "simclr_intact"),
    ("nwucla_semi_same_input", "actclr_one"),
    ("pkummd1", "detection_long_tuned"),
    ("utkinect_detection", "detection_single"),
    ("utkinect_detection", "detection_tuned"),
}
# Every trial of a search would repeat them.
SEARCHES = {
    "nwucla_actclr_search",
    "nwucla_ceiling_search",
    "released_search",
    "utkinect_detection_search",
}
MOVED = {"transfer"}  # encoders of other data sets stand beside the floors of the target's own
# Suites that leave out the coordinates, or the untrained encoder, of all tasks but these.
RAW = {
    "ntu60": ("knn",),
    "ntu120": ("knn",),
    "nwucla_simclr_levers": ("knn", "knn_white"),
    "nwucla_released_tuned": ("probe",),
    "released": ("knn", "probe"),
}
UNTRAINED = {
    "nwucla_simclr": ("knn", "knn_white"),
    "nwucla_simclr_levers": ("knn", "knn_white"),
    "nwucla_simclr_recipe_search": (),
    "nwucla_simclr_wide_search": ("knn",),
    "nwucla_released_tuned": (),
    "released": (),
    "utkinect_detection": ("detection",),
}
SUITES = sorted(file.stem for file in Path(__file__).parents[1].glob("suites/*.yaml"))
SHAPE = {"recipe": "resize50", "encoder": "stgcn", "train": {"epochs": 1, "lr": 0.1}}
SCDNET = {"recipe": "spine300", "encoder": "scdnet", "train": {"epochs": 1, "lr": 0.1}}
BLOCK = {"dataset": "nwucla", "splits": ["xview"], "methods": ["pstl"], "tasks": ["knn"]}


@pytest.fixture(scope="module")
def params(root):
    return config.load(root / "params.yaml")


def tiny(*blocks, **suite):
    """Settings with one suite of these experiments, floors included."""
    methods = {
        "pstl": SHAPE | {"protocol": {"linear": {"epochs": 7}}},
        "skeletonbt": SHAPE,
        "scdnet": SCDNET,
        "raw": {"recipe": "resize50", "encoder": "raw", "train": {"epochs": 0, "lr": 1.0}},
        "psp": {"recipe": "scaled300", "encoder": "dsta", "train": {"epochs": 1, "lr": 0.1}},
    }
    content = {
        "suite": "s",
        "methods": methods,
        "tasks": {"linear": {}, "knn": {}, "finetune": {}, "semi": {"labels": 0.5}},
        "suites": {"s": {"summary": "", "floors": True, "experiments": [*blocks], **suite}},
    }
    return settings_of(content)


def view(section):
    """What decides which clips an encoder is fed."""
    return () if has_plain_view(section.method) else (section.method, str(section.settings))


@pytest.mark.parametrize("suite", SUITES)
def test_every_trained_cell_stands_beside_its_own_floors(params, suite):
    """Above the coordinates of another recipe or encoder is no news about pre-training."""
    cells = set(params.cells(suite))
    for cell in cells:
        section, task = params.method_of(cell.run), params.task_of(cell)
        if not section.learns:
            assert cell not in params.floors(suite)
            continue
        expected = task_traits(task.kind).floors
        if LEFT_OUT & {(suite, cell.task), (suite, cell.run.method)} or suite in SEARCHES:
            expected = ()
        if suite in MOVED and cell.source:
            expected = ()
        for kind, of in (("raw", RAW), ("untrained", UNTRAINED)):
            if cell.task not in of.get(suite, (cell.task,)):
                expected = [each for each in expected if each != kind]
        beside = params.floors(suite).get(cell, {})
        assert set(beside) == set(expected), cell
        for kind, floor in beside.items():
            other = params.method_of(floor.run)
            assert floor in cells
            assert not other.learns
            assert other.recipe == section.recipe
            assert floor.task == cell.task
            assert floor.labels == cell.labels
            same = ("dataset", "split", "stream")
            assert all(floor.identity[axis] == cell.identity[axis] for axis in same)
            if kind == "raw":
                assert (other.encoder.name, floor.batch_norm) == ("raw", "released")
            else:
                assert (other.encoder, view(other)) == (section.encoder, view(section))
                assert (floor.run.seed, floor.batch_norm) == (cell.run.seed, cell.batch_norm)


def test_no_floor_is_made_twice(params):
    """Ten methods with one recipe have one row of coordinates, not ten."""
    for suite in params.suites:
        made = defaultdict(set)
        for beside in params.floors(suite).values():
            for floor in beside.values():
                section = params.method_of(floor.run)
                spec = load_dataset(floor.source.partition("/")[0] or floor.run.dataset).spec
                what = (section.recipe.key, section.encoder.key, view(section), spec.skeleton)
                axes = {**floor.identity, "method": "", "source": ""}
                made[what, *axes.values()].add(floor)
        assert all(len(same) == 1 for same in made.values()), suite


def test_the_tour_compares_every_method_it_trains(params):
    """A method that stands beside no floor of its own would be the one to be proud of."""
    cells = params.floors("builtin")
    trained = {run.method for run in params.runs("builtin") if params.method_of(run).learns}
    assert {cell.run.method for cell in cells if cell.task == "probe"} == trained


@pytest.mark.parametrize(
    "name", [name for name in names("methods") if has_plain_view(name) and name != "raw"]
)
def test_methods_with_a_plain_view_share_one_untrained_encoder(name):
    """They have one floor together: their encoders start from the same weights and see the same."""
    module, skeleton = load_plugin("methods", name), load_skeleton("kinect_v2")
    cfg = module.Config()
    encoder = {"name": "stgcn", "width": 2}

    def built(method, settings):
        card = EncoderCard(
            method, settings, encoder, {"name": "resize50"}, "kinect_v2", 2, 50, "motion"
        )
        return card, encoder_file.build(card)

    torch.manual_seed(0)
    card, plain = built("random_init", {})
    torch.manual_seed(0)
    own_card, fresh = built(name, cfg.model_dump(mode="json"))
    method = module.Method(cfg, fresh, Problem(skeleton, 2, 50, 10, "motion"))
    for key, weight in plain.state_dict().items():
        assert torch.equal(weight, method.encoder.state_dict()[key]), key
    x, length = torch.randn(2, 3, 50, 25, 2), torch.tensor([50, 30])
    views = [clean_stream(each, x, length, "motion") for each in (card, own_card)]
    assert torch.equal(*views)
    assert module.Method.frames(cfg, 50) == 50


def test_methods_that_share_recipe_and_encoder_share_their_floors():
    """Named by the recipe, and by the first method that has the encoder."""
    settings = tiny({**BLOCK, "methods": ["pstl", "skeletonbt", "scdnet"], "seeds": [0, 1]})
    floors = {str(f.run) for beside in settings.floors("s").values() for f in beside.values()}
    place = "s/nwucla/xview"
    assert floors == {
        f"{place}/raw.resize50/joint/s0",  # once: coordinates have no seed
        f"{place}/raw.spine300/joint/s0",
        *(f"{place}/untrained.pstl/joint/s{seed}" for seed in (0, 1)),
        *(f"{place}/untrained.scdnet/joint/s{seed}" for seed in (0, 1)),
    }
    assert settings.method("s", "untrained.scdnet").method == "scdnet"  # its views
    assert settings.floor_kinds("s")["raw.spine300"] == "raw"


def test_a_floor_written_by_hand_is_not_made_again():
    """Suites and kept results of earlier versions have their own names for it."""
    settings = tiny({**BLOCK, "methods": ["pstl", "raw"], "batch_norm": ["released"]})
    assert {run.method for run in settings.runs("s")} == {"pstl", "raw", "untrained.pstl"}
    assert len(settings.cells("s")) == 3


def test_a_suite_may_do_without_floors_or_have_those_of_some_tasks():
    """Fine-tuning from scratch costs as much as what it stands beside."""
    block = {**BLOCK, "tasks": ["knn", "finetune"], "batch_norm": ["released"]}

    def asked(floors, of_block=None):
        own = {} if of_block is None else {"floors": of_block}
        settings = tiny({**block, **own}, floors=floors)
        return [(cell.run.method, cell.task) for cell in settings.cells("s")[2:]]

    assert asked(False) == asked(True, of_block=False) == []
    assert asked({"raw": ["knn"], "untrained": False}) == [("raw.resize50", "knn")]
    assert asked({"raw": False}) == [("untrained.pstl", "knn"), ("untrained.pstl", "finetune")]
    assert asked(["knn"]) == [("raw.resize50", "knn"), ("untrained.pstl", "knn")]
    assert asked(True) == [*asked(["knn"]), ("untrained.pstl", "finetune")]  # no weights to tune
    with pytest.raises(UserError, match=r"unknown task 'kn'; .* did you mean knn"):
        asked(["kn"])
    with pytest.raises(UserError, match="unknown task 'kn'"):
        asked({"raw": ["kn"]})


def test_a_suite_that_makes_nothing_is_refused_with_the_reason():
    """A plan of no jobs ends at once and looks like success."""
    with pytest.raises(UserError, match="nothing to make; psp on the stream bone is not appl"):
        tiny({**BLOCK, "methods": ["psp"], "streams": ["bone"]}).cells("s")


def test_floors_have_no_share_of_labels_that_their_method_learnt_from():
    """What has learnt nothing has seen no labels, and is the same beside every share."""
    block = {**BLOCK, "methods": ["psp"], "labels": [0.1, 0.2], "batch_norm": ["released"]}
    settings = tiny(block)
    assert {run.labels for run in settings.runs("s") if run.method != "psp"} == {None}
    assert len(settings.cells("s")) == 2 + 2
    assert settings.method("s", "untrained.psp").labels is None


def test_coordinates_are_evaluated_by_the_protocol_that_the_method_is():
    """A probe of another length would be another number."""
    settings = tiny({**BLOCK, "tasks": ["linear"], "batch_norm": ["released"]})
    for cell in settings.cells("s"):
        assert cell.protocol == "pstl"
        assert settings.task_of(cell).settings == {"epochs": 7}
        by = settings.protocol_by(cell)
        assert by == ("own" if cell.run.method == "pstl" else "pstl")
        assert settings.cell(cell.run, cell.batch_norm, cell.task, by=by) == cell


def test_a_floor_of_a_moved_encoder_is_of_its_body_and_made_once_for_each(params):
    """An encoder of 25 joints is no floor of one of 20; where it comes from is the same to it."""
    floors = params.floors("pkummd2")
    moved = [cell for cell in floors if cell.source and cell.run.method == "pstl"]
    assert {cell.source for cell in moved} == {"ntu60/xsub", "ntu120/xsub", "pkummd1/xsub"}
    assert {floors[cell]["untrained"].source for cell in moved} == {""}
    floors = params.floors("nwucla_transfer")
    cells = [cell for cell in floors if cell.run.dataset == "msraction3d" and cell.task == "knn"]
    sources = {cell.source: floors[cell]["untrained"].source for cell in cells}
    assert sources == {"nwucla/xview": "nwucla/xview", "": ""}


def test_floors_of_reused_encoders_are_reused(params):
    """A suite that trains nothing makes no encoders either."""
    assert {run.suite for run in params.runs("nwucla_robustness")} == {"nwucla"}


def test_names_of_floors_are_fit_for_paths(params):
    """They are folders, words of the shell and wildcards."""
    for suite in params.suites:
        assert all(NAME.fullmatch(name) for name in params.floor_kinds(suite))
    assert recipe_name(Plugin(name="resize50", frames=25)) == "resize50-frames_25"
    long = Plugin(name="resize50", note="a b")
    assert recipe_name(long) == long.key


def test_a_name_that_a_floor_would_take_is_refused():
    """Two entries of one name would be one folder."""
    other = {"untrained.pstl": {**SHAPE, "train": {"epochs": 3, "lr": 0.1}}}
    with pytest.raises(UserError, match=r"untrained.pstl: is the name of a floor .*rename it"):
        tiny(BLOCK, methods=other)


def test_what_learns_nothing_is_told_by_its_training():
    """Not by its name: anybody may call an entry as they like."""
    settings = tiny(BLOCK, methods={"mine": {"base": "pstl", "train": {"epochs": 0}}})
    assert not settings.method("s", "mine").learns
    assert settings.method("s", "pstl").learns
    assert TrainSettings(epochs=0, lr=1.0) == settings.method("s", "untrained.pstl").train
    assert Run.parse("s/nwucla/xview/untrained.pstl/joint/s0").method == "untrained.pstl"
