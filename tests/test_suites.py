"""Suites are files: what they span, and what a mistake in one of them says."""

import json
import shutil
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from settings_files import write_settings

from pstl import config
from pstl.config import document
from pstl.config.schema import json_schema
from pstl.errors import UserError

# Runs with an encoder of their own, and cells: counted by hand from what each suite's file says it
# is, and from the papers' tables (methods x splits x streams x shares of labels x draws).
SIZES = {
    "builtin": (36, 137),
    "cmu_prediction": (5, 8),
    "ntu60": (139, 852),
    "ntu120": (72, 366),
    "cmu_prediction_search": (2, 4),
    "nwucla": (20, 164),
    "nwucla_ablation": (15, 45),
    "nwucla_ceiling": (21, 26),
    "nwucla_ceiling_search": (16, 16),
    "nwucla_corpus": (10, 20),
    "nwucla_released": (4, 31),
    "nwucla_released_tuned": (10, 26),
    "released": (7, 30),
    "released_search": (1, 9),
    "nwucla_lost_joints": (19, 19),
    "nwucla_robustness": (6, 6),
    "nwucla_simclr": (33, 136),
    "nwucla_simclr_levers": (13, 44),
    "nwucla_simclr_recipe_search": (27, 99),
    "nwucla_simclr_search": (30, 60),
    "nwucla_simclr_wide_search": (15, 44),
    "nwucla_same_input": (97, 291),
    "nwucla_actclr_search": (7, 20),
    "nwucla_semi": (42, 112),
    "nwucla_semi_same_input": (28, 204),
    "nwucla_semi_search": (13, 138),
    "nwucla_transfer": (14, 123),
    "pkummd1": (29, 163),
    "pkummd2": (39, 186),
    "sbu": (35, 105),
    "synthetic": (17, 96),
    "transfer": (35, 280),
    "utdmhad": (17, 51),
    "nwucla_predict_cluster": (5, 10),
    "nwucla_view50": (6, 12),
    "utkinect_detection": (12, 22),
    "utkinect_detection_search": (5, 15),
}


@pytest.fixture(scope="module")
def params(root):
    return config.load(root / "params.yaml")


@pytest.fixture
def copy(root, tmp_path):
    """The project's own settings, to be broken."""
    shutil.copy(root / "params.yaml", tmp_path)
    shutil.copytree(root / "suites", tmp_path / "suites")
    return tmp_path


def edited(file, before, after):
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return file.read_text().split(after)[0].count("\n") + 1 + after.count("\n")


def appended(file, text):
    file.write_text(file.read_text() + text)


def test_every_suite_is_as_large_as_its_tables(params):
    """An axis that spans too little leaves a hole in a paper's table, too much costs days."""
    found = {name: (len(params.runs(name)), len(params.grid(name))) for name in params.suites}
    assert found == SIZES


def test_few_labels_on_ntu60_are_the_papers_grids(params):
    """PSTL and its floor: 2 splits, 3 streams and their fusion, 2 shares, 3 draws; and so on."""
    few = [cell for cell in params.grid("ntu60") if cell.labels]
    assert Counter(cell.run.method for cell in few) == {
        "pstl": 2 * 4 * 2 * 3,
        "untrained.pstl": 2 * 4 * 2 * 3,
        "scdnet": 2 * 2 * 5,
        "untrained.scdnet": 2 * 2 * 5,
        "hitrs": 2 * 4 * 3 * 3,
        "random_hitrs": 2 * 4 * 3 * 3,
    }
    learnt = {(run.split, run.labels, run.seed) for run in params.runs("ntu60") if run.labels}
    assert len(learnt) == 2 * 4 * 3  # PSP: splits, shares, draws


def test_names_of_cells_are_built_from_axes(params):
    """Two cells of one name would overwrite each other's rows."""
    for suite in params.suites:
        cells = params.grid(suite)
        assert len({str(cell) for cell in cells}) == len(cells)
    names = {cell.name for cell in params.grid("pkummd2")}
    assert {"finetune,source=ntu60-xsub,protocol=hitrs", "semi,labels=0.01"} <= names


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("suites/ntu60.yaml", "seeds: [0, 1, 2]", "seed: [0, 1, 2]", "did you mean seeds"),
        ("suites/ntu60.yaml", "summary:", "sumary:", "did you mean summary"),
        ("suites/nwucla.yaml", "methods: [skeletonbt]", "methods: [skeletobt]", "mean skeletonbt"),
        ("suites/nwucla.yaml", "splits: [xview]", "split: xview", "did you mean splits"),
        ("params.yaml", "optimiser: adam,", "optimizer: adam,", "did you mean optimiser"),
        ("params.yaml", "tracking_uri:", "traking_uri:", "did you mean tracking_uri"),
        ("params.yaml", "label_rule: random", "lable_rule: random", "did you mean label_rule"),
        ("params.yaml", "kind: detection", "kind: detecton", "did you mean detection"),
    ],
)
def test_a_typo_names_file_line_and_likely_word(copy, file, before, after, message):
    """Whoever has mistyped one word looks for it in the line that is named, and nowhere else."""
    line = edited(copy / file, before, after)

    def checked():
        suite = Path(file).stem if file.startswith("suites/") else "ntu60"
        config.check_plugins(config.load(copy / "params.yaml"), suite)

    with pytest.raises(UserError, match=message) as error:
        checked()
    assert "\n" not in str(error.value)
    assert file in str(error.value)
    assert f"line {line}:" in str(error.value)


MINE = """summary: mine
dataset: nwucla
splits: [xview]
batch_norm: [released]
methods:
  mine: {base: pstl, settings: {masked_joints: 4}}
tasks:
  short: {kind: linear, epochs: 3}
experiments:
  - {methods: [pstl, mine], streams: all, seeds: [0, 1], tasks: [linear]}
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        # What no experiment uses is checked as well: a mistyped name makes another entry.
        (
            "mine: {base: pstl,",
            "mine: {base: pstl}\n  psl: {",
            "unknown method of methods.psl 'psl'.* did you mean pstl",
        ),
        ("short: {kind: linear,", "liner: {", "unknown kind of .* did you mean linear"),
        ("epochs: 3", "epoch: 3", "tasks.short: epoch: .* did you mean epochs"),
        ("masked_joints", "masked_joint", "did you mean masked_joints"),
        ("base: pstl", "base: [pstl]", "expected a name, found"),
        ("kind: linear", "base: shirt", "unknown task 'shirt'.* did you mean short"),
        ("kind: linear", "base: short", "'short' refers back to itself"),
        ("mine: {base", "$(date): {base", r"'\$\(date\)' is no name; expected letters"),
        ("short: {", "'semi,labels=0.1': {", "is no name; expected letters"),
        # An axis without values, or with one twice, is a suite other than the one that was meant.
        ("seeds: [0, 1]", "seeds: []", "seeds: list should have at least 1 item"),
        ("seeds: [0, 1]", "seeds: [1, 1]", "seeds: 1 stands there twice"),
        ("seeds: [0, 1]", "seeds: ['1']", "seeds.0: input should be a valid integer"),
        ("seeds: [0, 1]", "seeds: [true]", "expected a number, not true"),
        ("streams: all", "streams: []", "streams: list should have at least 1 item"),
        ("streams: all", "streams: all, fuse: {weights: {}}", "at least 2 items"),
        ("streams: all", "sources: [nwucla/xview]", "is what the runs are of; write own"),
        ("streams: all", "labels: [0.1, 0.10000001]", "named by six digits of a share"),
        ("experiments:", "\texperiments:", "not valid YAML: .*indented by spaces"),
        ("summary: mine", "summary: [mine", "not valid YAML"),
    ],
)
def test_what_would_run_something_else_names_file_and_line(copy, before, after, message):
    """Who mistypes a name, a list or an indent otherwise gets another grid, or none, in silence."""
    file = copy / "suites/mine.yaml"
    file.write_text(MINE)
    edited(file, before, after)

    def checked():
        config.check_plugins(config.load(copy / "params.yaml"), "mine")

    with pytest.raises(UserError, match=message) as error:
        checked()
    assert "\n" not in str(error.value)
    assert "suites/mine.yaml, line " in str(error.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  synthetic:", "  syntetic:", "did you mean synthetic"),
        ("jitter: 0.002", "jiter: 0.002", "did you mean jitter"),
        ("optimiser: sgd, lr: 2.0", "optimizer: sgd, lr: 2.0", "did you mean optimiser"),
        ("transfer: finetune}", "transfr: finetune}", "transfr: expected settings of the task"),
        ("suite: builtin", "suite: bultin", "did you mean builtin"),
        ("base: pstl, method: skeletonbt", "base: pslt, method: skeletonbt", "did you mean pstl"),
    ],
)
def test_shared_settings_are_checked_whatever_the_suite_uses(copy, before, after, message):
    """The suite that runs today may use none of them; the one that runs tonight does."""
    line = edited(copy / "params.yaml", before, after)

    def checked():
        config.check_plugins(config.load(copy / "params.yaml"), "cmu_prediction")

    with pytest.raises(UserError, match=message) as error:
        checked()
    assert f"params.yaml, line {line}: " in str(error.value)


def test_a_variant_of_a_task_is_evaluated_by_its_base(copy):
    """`base` is enough to say what a variant is; a name that is a module's stays that module."""
    file = copy / "suites/mine.yaml"
    file.write_text(MINE.replace("kind: linear", "base: linear"))
    assert config.load(copy / "params.yaml").task("mine", "short").kind == "linear"
    assert config.load(copy / "params.yaml").task("mine", "semi").kind == "semi"


def test_one_cell_is_not_fused_in_two_ways(copy):
    """It has one file: the weights of the second experiment would be believed and not used."""
    file = copy / "suites/mine.yaml"
    weights = "fuse: {weights: {joint: 1, bone: 2}}"
    file.write_text(MINE.replace("streams: all", "streams: all, fuse: {}"))
    appended(file, f"  - {{methods: [pstl], streams: [joint, bone], tasks: [linear], {weights}}}\n")
    with pytest.raises(UserError, match=r"two experiments fuse mine/.* with other weights"):
        config.load_suite(copy / "params.yaml", "mine")


def test_no_file_takes_the_name_of_a_suite_silently(copy, tmp_path):
    """Results lie below the suite's name: two files of one name would share them."""
    (copy / "suites/.hidden.yaml").write_text("of an editor")
    config.load(copy / "params.yaml")
    other = tmp_path / "elsewhere/nwucla.yaml"
    other.parent.mkdir()
    other.write_text(MINE)
    with pytest.raises(UserError, match=r"nwucla.yaml is called so already; rename one"):
        config.load_suite(copy / "params.yaml", str(other))
    (copy / "suites/mine.yml").write_text(MINE)
    with pytest.raises(UserError, match=r"suites/mine.yml: suites there end in .yaml; rename it"):
        config.load(copy / "params.yaml")
    (copy / "suites/mine.yml").rename(copy / "suites/measured.yaml")
    with pytest.raises(UserError, match=r"measured.yaml: .* is no name"):
        config.load(copy / "params.yaml")


def test_a_key_given_twice_is_an_error(copy):
    """YAML takes the last one silently: the first is edited and nothing changes."""
    appended(copy / "suites/nwucla.yaml", "summary: again\n")
    with pytest.raises(
        UserError, match=r"nwucla.yaml, line \d+: summary stands in line \d+ already"
    ):
        config.load_suite(copy / "params.yaml", "nwucla")


def test_a_broken_suite_stops_nobody_but_who_asks_for_it(copy):
    """A colleague's half-written file must not end the run of every other suite."""
    (copy / "suites/broken.yaml").write_text("summary: [")
    (copy / "suites/hasty.yaml").write_text("summary: none\nexperiment: []\n")
    (copy / "suites/upon.yaml").write_text(MINE + "reuse_encoders_from: broken\n")
    params = config.load(copy / "params.yaml")
    config.check_plugins(params, "nwucla")
    assert {"broken", "hasty", "upon"} == set(params.suites) - set(params.sound_suites())
    for name in ("broken", "upon"):
        with pytest.raises(UserError, match=r"broken.yaml, line \d: not valid YAML"):
            config.load_suite(copy / "params.yaml", name)
    with pytest.raises(UserError, match=r"hasty.yaml, line 2: experiment: extra inputs"):
        params.runs("hasty")
    with pytest.raises(UserError, match=r"hasty.yaml, line 2: experiment: extra inputs"):
        params.runs("hasty")  # nothing of it was kept
    with pytest.raises(UserError, match=r"broken\.yaml"):
        config.check_all(params)


def test_only_what_is_asked_for_is_read(copy, monkeypatch):
    """Every job of a run loads the settings: files that it does not need cost it time."""
    read = []

    def reading(path):
        read.append(Path(path).name)
        return document.read(path)

    monkeypatch.setattr(import_module("pstl.config.load"), "read", reading)
    config.load(copy / "params.yaml").runs("nwucla_transfer")
    reused = config.load(copy / "params.yaml").suites["nwucla_transfer"].reuse_encoders_from
    assert set(read) == {"params.yaml", "nwucla_transfer.yaml", f"{reused}.yaml"} - {".yaml"}


def test_settings_of_earlier_versions_say_what_to_do(copy):
    """Who upgrades meets one line, not forty unknown keys."""
    appended(copy / "params.yaml", "suites: {mine: {}}\n")
    with pytest.raises(UserError, match=r"suites are files now; move each suite to suites/NAME"):
        config.load(copy / "params.yaml")


def test_a_suite_may_lie_anywhere(copy, tmp_path):
    """An experiment of one's own need not stand among those of the project."""
    file = tmp_path / "elsewhere" / "mine.yaml"
    file.parent.mkdir()
    shutil.copy(copy / "suites/cmu_prediction.yaml", file)
    loaded, name = config.load_suite(copy / "params.yaml", str(file))
    assert name == "mine"
    assert {run.suite for run in loaded.runs("mine")} == {"mine"}
    assert config.load_suite(copy / "params.yaml", "ntu120")[1] == "ntu120"


@pytest.mark.parametrize("place", ["missing.yaml", "suites/missing.yaml", "suites/missing"])
def test_a_file_that_is_not_there_is_no_unknown_suite(copy, monkeypatch, place):
    """A list of all suites does not help who has mistyped a path."""
    monkeypatch.chdir(copy)
    with pytest.raises(UserError, match=rf"^{place}: no such file; name a suite"):
        config.load_suite("params.yaml", place)


def test_shares_of_labels_are_for_somebody(tmp_path, copy):
    """A share that no method and no task takes would be believed and have no effect."""
    line = edited(
        copy / "suites/ntu120.yaml",
        "{methods: [scdnet], tasks",
        "{methods: [scdnet], labels: [0.1], tasks",
    )
    with pytest.raises(UserError, match=rf"line {line}: .*no method there learns from labels"):
        config.load_suite(copy / "params.yaml", "ntu120")
    edited(copy / "suites/ntu120.yaml", "labels: [0.1], tasks: [linear", "tasks: [semi")
    with pytest.raises(UserError, match=r"the task semi draws labels; add e\.g\. 'labels:"):
        config.load_suite(copy / "params.yaml", "ntu120")


def test_the_schema_knows_what_the_settings_know(root):
    """An editor that marks sound settings, or no typo, is switched off."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(json_schema())))
    for file in (root / "params.yaml", *sorted((root / "suites").glob("*.yaml"))):
        assert not list(validator.iter_errors(yaml.safe_load(file.read_text()))), file.name
    content = yaml.safe_load((root / "params.yaml").read_text())
    for section, key in (("methods", "pstl"), ("tasks", "linear"), ("datasets", "synthetic")):
        wrong = {**content, section: {**content[section], key: {"epoch": 3}}}
        assert list(validator.iter_errors(wrong)), section


def test_runs_and_tasks_of_one_share_meet_in_a_table(tmp_path):
    """A method that learns from labels and a task that draws them take the same axis."""
    shape = {"recipe": "scaled300", "encoder": "dsta", "train": {"epochs": 1, "lr": 0.1}}
    block = {"methods": ["psp", "random_init"], "tasks": ["classify", "semi"], "labels": [0.1, 0.2]}
    suite = {"summary": "", "dataset": "nwucla", "splits": ["xview"], "experiments": [block]}
    content = {
        "suite": "few",
        "methods": {"psp": shape, "random_init": {**shape, "train": {"epochs": 0, "lr": 1}}},
        "tasks": {"classify": {}, "semi": {}},
        "suites": {"few": {**suite, "batch_norm": ["released"]}},
    }
    cells = config.load(write_settings(tmp_path, content)).grid("few")
    shares = [(c.run.method, c.task, c.run.labels, c.labels) for c in cells]
    assert shares == [
        ("psp", "classify", 0.1, None),
        ("psp", "classify", 0.2, None),
        ("psp", "semi", 0.1, 0.1),
        ("psp", "semi", 0.2, 0.2),
        ("random_init", "classify", None, None),
        ("random_init", "semi", None, 0.1),
        ("random_init", "semi", None, 0.2),
    ]
    assert {c.identity["labels"] for c in cells} == {"", "0.1", "0.2"}
