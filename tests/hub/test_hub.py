"""What lies in hub/: weights that hold no recording, and cards that say what they are of."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import pstl
from pstl.cli import main
from pstl.data.datasets import synthetic
from pstl.data.formats.skeleton_txt import ClipName
from pstl.errors import UserError
from pstl.files import Kind, checksum, read_json
from pstl.hub import places, weights
from pstl.registry import load_dataset
from pstl.train import encoder_file, safetensors
from pstl.train.encoder_file import EncoderCard

MOST = 1 << 20  # bytes of a file of weights
# All that a card's provenance may say: of nothing in it may be a clip.
ORIGIN = {
    "run", "run_id", "settings_digest", "dataset", "split", "seed", "git", "data_checksum",
    "precision", "epochs", "batch_norm", "labelled", "corpus", "weights", "url", "sha256",
    "imported_from", "imported_by",
}  # fmt: skip
CONFIG = Kind("readable card", "fetch it again")
NAMES = places.list_weights()


def test_there_are_weights() -> None:
    """Else the tests below hold of nothing."""
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_holds_the_encoder_its_classifier_and_nothing_else(name: str) -> None:
    """Data sets may not be passed on: every number in a file is a weight or a statistic of the
    network that its card describes, and every word a setting.
    """
    folder = places.HUB / name
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors"
    ]  # fmt: skip
    file = folder / weights.WEIGHTS
    assert file.stat().st_size < MOST
    state, notes = safetensors.read(file)
    card, _, classifier = weights.read(folder)
    assert classifier is not None
    own = {"classifier.weight", "classifier.bias", "classifier.centre"}
    assert state.keys() == encoder_file.build(card).state_dict().keys() | own
    assert notes.keys() == {"format", "pstl", "classifier"}
    assert json.loads(notes["classifier"]).keys() == {"classes", "by", "frames"}
    assert json.loads(notes["pstl"]).keys() == {field.name for field in fields(EncoderCard)}
    assert card.provenance.keys() <= ORIGIN
    assert len(notes["pstl"]) < 4096
    assert read_json(folder / weights.CONFIG, CONFIG) == json.loads(notes["pstl"])


@pytest.mark.parametrize("entry", places.entries(), ids=NAMES)
def test_a_card_says_what_its_file_is(entry: places.Entry) -> None:
    """Front matter that is of an older file misleads whoever reads it, and every program."""
    facts, door = entry.facts, pstl.load(entry.name)
    assert facts["name"] == entry.name
    assert facts["sha256"] == checksum(entry.folder / weights.WEIGHTS)
    assert facts["feature_width"] == door.width
    assert tuple(facts["classes"]) == door.classes
    dataset = facts["trained_on"].partition("/")[0]
    assert door.classes == load_dataset(dataset).spec.classes
    for git in ("trained_by_git", "exported_by_git"):
        assert facts[git] not in ("", "unknown")
        assert not facts[git].endswith("-dirty")
    assert {"this file", "the tables", "raw", "untrained"} <= facts["top1"].keys()
    # What 16 bits a weight may change.
    assert facts["top1"]["this file"] == pytest.approx(facts["top1"]["the tables"], abs=1)
    assert load_dataset(dataset).spec.licence in (entry.folder / weights.CARD).read_text()


@pytest.mark.parametrize("entry", places.entries(), ids=NAMES)
def test_a_card_says_what_its_recipe_owes_to_the_test_clips(entry: places.Entry) -> None:
    """A recipe chosen by looks at the test camera flatters: whoever reads scores must be told."""
    facts, page = entry.facts, (entry.folder / weights.CARD).read_text()
    spec = load_dataset(facts["trained_on"].partition("/")[0]).spec
    assert facts["caveats"] == spec.caveats(facts["recipe"])
    assert all(note in page.partition("## Scores")[2] for note in facts["caveats"])
    assert ("camera 3" in page) == (spec.name == "nwucla")


def test_only_recipes_with_the_chosen_settings_have_the_caveat() -> None:
    """view50 as its paper has it was not chosen here, and a card must not say so."""
    spec = load_dataset("nwucla").spec
    steady = {"name": "view50", **spec.chosen[0].settings}
    assert len(spec.caveats({**steady, "frames": 25})) == 1
    assert spec.caveats({"name": "view50"}) == []
    assert spec.caveats({**steady, "span": "axis"}) == []
    assert spec.caveats({**steady, "name": "resize50"}) == []


@pytest.mark.parametrize("name", NAMES)
def test_weights_name_a_clip(name: str) -> None:
    """The first thing that a stranger does, with every name there is."""
    door = pstl.load(name)
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(40, 1, 3)).cumsum(0) * 0.01 + rng.normal(
        size=(1, door.skeleton.joints, 3)
    ) * [0.2, 0.4, 0.1]
    labels = door.predict(clip.astype(np.float32), top=3)
    assert [label.chance for label in labels] == sorted(
        (label.chance for label in labels), reverse=True
    )
    assert labels[0].name in door.classes


def test_the_page_on_trained_weights_works_as_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/use-weights.md is what strangers type; every line of it is run here, in order."""
    pytest.importorskip("sklearn", reason="scikit-learn is an extra")
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    cfg = synthetic.DATASET.Config.model_validate({"frames": (60, 60)})
    for name, action in (("wave", 1), ("sit", 9)):
        clip = synthetic.simulate(cfg, ClipName(1, 1, 1, 1, action))
        np.save(f"clips/{name}.npy", clip.xyz.transpose(0, 2, 1, 3))
    names: dict[str, object] = {}
    commands = 0
    page = (root / "docs/use-weights.md").read_text()
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```", page, re.M | re.S):
        if language == "python":
            exec(code, names)
        for line in code.splitlines() if language == "sh" else ():
            main(line.removeprefix("python -m pstl ").split())
            commands += 1
    assert commands == 4
    assert {path.name for path in Path().iterdir()} == {
        "clips", "labels.html", "predicted", "when.csv"
    }  # fmt: skip
    assert sorted(path.name for path in Path("predicted").iterdir()) == ["sit.gif", "wave.gif"]


@pytest.mark.parametrize(
    "name", ["nwucla/..", "nwucla/...", "nwucla/.a", "nwucla/-a", "../a", "a/b/c"]
)
def test_a_name_that_is_none_is_no_place_in_the_hub(name: str) -> None:
    """A folder of dots would stand where nobody finds it, or be the hub itself."""
    with pytest.raises(UserError, match="expected DATASET/METHOD"):
        places.place_in_hub(name)
    assert places.in_hub(name) is None
