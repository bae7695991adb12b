"""Settings that would have no effect, or stop a job after hours: one line before."""

from typing import Any

import pytest
import yaml
from settings_files import write_settings

from pstl import cli, config
from pstl.errors import UserError

DIGEST = "ab" * 32
WEIGHTS = {
    "source": "pstl",
    "trained_on": "nwucla/xview",
    "joint": {"file": "a.pt", "sha256": DIGEST},
}
RAW = {"recipe": "resize50", "encoder": "raw", "train": {"epochs": 0, "lr": 1.0}}
PSTL = {"recipe": "resize50", "encoder": "stgcn", "train": {"epochs": 1, "lr": 0.1}}


def content(suite: dict[str, Any], **methods: dict[str, Any]) -> dict[str, Any]:
    """Settings of one small suite."""
    experiment = {"dataset": "nwucla", "splits": ["xview"], "methods": ["m"], "tasks": ["knn"]}
    return {
        "suite": "s",
        "methods": {"pstl": PSTL, "m": {"base": "pstl"}, **methods},
        "tasks": {"knn": {}, "probe": {}, "finetune": {}},
        "suites": {"s": {"summary": "", "experiments": [experiment], **suite}},
    }


def refusal(tmp_path, settings: dict[str, Any]) -> str:
    """The one line that settings are refused with."""
    write_settings(tmp_path, settings)
    with pytest.raises(UserError) as error:
        config.check_plugins(config.load(tmp_path / "params.yaml"), "s")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trained_on": "nwucla"}, "trained_on: expected dataset/split, e.g. ntu60/xview (found"),
        (
            {"joint": {"file": "a", "sha256": "12"}},
            "sha256: expected a SHA-256, 64 digits and letters a to f (found '12')",
        ),
        (
            {"joint": {"url": "ftp://a/b", "sha256": DIGEST}},
            "url: expected the address of a file, https://HOST/PATH (found 'ftp://a/b')",
        ),
    ],
)
def test_a_rule_for_a_text_is_said_in_words(tmp_path, change, said):
    """A regular expression tells most people that something is wrong and not what."""
    entry = {"base": "pstl", "weights": WEIGHTS | change}
    assert said in refusal(tmp_path, content({}, m=entry))


def test_a_checksum_may_be_in_large_letters(tmp_path):
    """Some tools print them so; it is the same number, of the same run."""
    sections = []
    for digest in (DIGEST, DIGEST.upper()):
        weights = WEIGHTS | {"joint": {"file": "a.pt", "sha256": digest}}
        write_settings(tmp_path, content({}, m={"base": "pstl", "weights": weights}))
        sections.append(config.load(tmp_path / "params.yaml").method("s", "m"))
    assert sections[0] == sections[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [("corpus", ["ntu60/xsub"]), ("labels", 0.1), ("train", {"epochs": 3})],
)
def test_training_beside_weights_that_others_trained_is_refused(tmp_path, key, value):
    """It was left out without a word: a corpus that nothing is trained on looks like a result."""
    said = refusal(tmp_path, content({}, m={"base": "pstl", "weights": WEIGHTS, key: value}))
    assert f"methods.m.{key}: beside weights that others trained" in said
    later = {"base": "w", key: value}
    said = refusal(tmp_path, content({}, w={"base": "pstl", "weights": WEIGHTS}, m=later))
    assert f"methods.m.{key}: beside weights" in said
    trained = content({}, w={"base": "pstl", "weights": WEIGHTS}, m=later | {"weights": None})
    write_settings(tmp_path, trained)
    assert config.load(tmp_path / "params.yaml").method("s", "m").weights is None


def test_what_the_base_of_weights_says_of_training_is_no_mistake(tmp_path):
    """An entry of released weights is the method's entry and a file, nothing more."""
    base = PSTL | {"corpus": ["ntu60/xsub"]}
    write_settings(tmp_path, content({}, pstl=base, m={"base": "pstl", "weights": WEIGHTS}))
    section = config.load(tmp_path / "params.yaml").method("s", "m")
    assert (section.corpus, section.train.epochs) == ((), 0)


def test_weights_of_another_method_are_refused_before_the_job(tmp_path):
    """The job finds out after the download."""
    entry = {"base": "pstl", "weights": WEIGHTS | {"source": "scdnet"}}
    said = refusal(tmp_path, content({}, m=entry))
    assert "methods.m.weights.source is scdnet, whose encoders are of the method scdnet" in said


@pytest.mark.parametrize(
    ("floors", "said"),
    [
        ({"raw": ["finetune"]}, "finetune is not run there, but knn"),
        (["probe"], "probe is not run there, but knn"),
    ],
)
def test_floors_of_a_task_that_is_not_run_are_refused(tmp_path, floors, said):
    """Who asks for a floor expects it in the table."""
    assert said in refusal(tmp_path, content({"floors": floors}))
    experiment = content({})["suites"]["s"]["experiments"][0] | {"floors": floors}
    others = experiment | {"tasks": ["finetune", "probe"], "floors": True}
    assert said in refusal(tmp_path, content({"experiments": [experiment, others]}))


def test_a_floor_that_a_task_has_not_is_refused(tmp_path):
    """Coordinates have no weights to tune: there will be no such row."""
    experiment = content({})["suites"]["s"]["experiments"][0] | {"tasks": ["finetune"]}
    settings = content({"experiments": [experiment], "floors": {"raw": ["finetune"]}})
    assert "finetune has no floor raw; it has: untrained" in refusal(tmp_path, settings)
    settings = content({"experiments": [experiment], "floors": ["finetune"]})
    write_settings(tmp_path, settings)
    config.load_suite(tmp_path / "params.yaml", "s")


def test_nothing_is_called_sound_before_a_mistake(tmp_path, monkeypatch, capsys):
    """Twenty good lines above a bad one are read as good news."""
    settings = content({})
    settings["suites"]["t"] = settings["suites"]["s"] | {"floors": ["probe"]}
    write_settings(tmp_path, settings)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(["check"])
    said = capsys.readouterr().err
    assert (stop.value.code, len(said.splitlines())) == (2, 1)
    assert "suites/t.yaml" in said
    cli.main(["check", "--suite", "s"])
    assert capsys.readouterr().err == "params.yaml: suite s is sound: 1 runs, 2 cells\n"
    (tmp_path / "suites/t.yaml").write_text(yaml.safe_dump(settings["suites"]["s"]))
    cli.main(["check"])
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_cell_whose_files_no_disk_could_name_is_refused(tmp_path):
    """Its name is made of others that are short enough each; its job would end after hours."""
    method, task = "m" * 100, "t" * 100
    settings = content({}, **{method: {"base": "pstl", "protocol": {task: {"k": 3}}}})
    settings["tasks"][task] = {"kind": "knn"}
    block = settings["suites"]["s"]["experiments"][0]
    block |= {"methods": [method], "tasks": [task]}
    write_settings(tmp_path, settings)
    assert config.load(tmp_path / "params.yaml").grid("s")
    block["sources"] = ["nwucla/xview"]
    write_settings(tmp_path, settings)
    with pytest.raises(UserError, match="letters, expected at most 220; shorten the names"):
        config.load(tmp_path / "params.yaml").grid("s")
