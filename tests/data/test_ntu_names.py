"""Names of NTU RGB+D's clips: counts, classes, splits, and what no list knows."""

import hashlib
from collections import Counter
from functools import cache

import numpy as np
import pytest
import simulated
from data.ntu_files import FOLDER

from pstl.config import check_plugins, load
from pstl.data.datasets import _ntu, ntu60, ntu120, pkummd1
from pstl.data.fetch import fetch
from pstl.data.formats import skeleton_txt
from pstl.data.parse import parse
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.records import Member

# The literature's numbers, not this project's: all clips, the listed ones, both sides of splits.
LITERATURE = {
    "ntu60": (56_880, 302, {"xsub": (40_091, 16_487), "xview": (37_646, 18_932)}),
    "ntu120": (114_480, 535, {"xsub": (63_026, 50_919), "xset": (54_468, 59_477)}),
}


SETUPS = {"ntu60": range(1, 18), "ntu120": range(1, 33)}


AUTHORS_SHA256 = "f8abc124c4fc4b4e8f144caa34948f8307e5d7dcba17acf96132c9f311ff93cf"


@pytest.mark.parametrize("dataset", [ntu60, ntu120])
def test_the_names_that_were_filmed_give_the_counts_of_the_literature(dataset):
    """Every table of the field rests on these eight numbers.

    Here they follow from four things none of which was made for them: who was filmed in which
    set-up, lists of performers, the cameras, and the authors' list of missing clips.
    """
    whole, lacking, sides = LITERATURE[dataset.DATASET.spec.name]
    names = [str(name) for name in _ntu.filmed(SETUPS[dataset.DATASET.spec.name])]
    assert len(names) == len(set(names)) == whole
    kept = [_ntu.clip_named(name) for name in names if _ntu.is_usable(f"{name}.skeleton")]
    assert len(names) - len(kept) == lacking
    for split, numbers in sides.items():
        counts = Counter(map(dataset.DATASET.spec.splits[split], kept))
        assert (counts["train"], counts["test"]) == numbers == dataset.DATASET.spec.expected[split]
    assert dataset.DATASET.absent([f"{clip.name}.skeleton" for clip in kept]) == []


def test_the_missing_clips_are_the_authors_names_to_the_letter():
    """One wrong camera in a retyped list moved a clip to the other side, and a good clip away."""
    names = sorted(_ntu.missing())
    text = "".join(f"{name}\n" for name in names)
    assert hashlib.sha256(text.encode()).hexdigest() == AUTHORS_SHA256
    old = [skeleton_txt.parse_name(name) for name in names if int(name[1:4]) <= _ntu.OLD_SETUPS]
    assert [sum(n.camera == camera for n in old) for camera in (1, 2, 3)] == [28, 113, 161]
    assert _ntu.missing() < {str(name) for name in _ntu.filmed(range(1, 33))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ntu60", "ntu120"])
def test_archives_with_the_true_names_pass_with_the_default_settings(tmp_path, monkeypatch, name):
    """Nobody with the real archives got past this point: here are all their names and no body.

    Of the clips on the authors' list a third is empty, a third no text at all, a third not there.
    """
    read = cache(skeleton_txt.read)  # the same clip under every name
    monkeypatch.setattr(_ntu.skeleton_txt, "read", lambda data, file: read(data))
    dataset = {"ntu60": ntu60, "ntu120": ntu120}[name]
    half = np.full((1, 25, 1, 3), 0.5)
    clip = skeleton_txt.text(half, np.array([[7]]), np.full((1, 25, 1), 2))
    (tmp_path / "mine").mkdir()
    for remote, setups in zip(
        dataset.DATASET.spec.remotes, (range(1, 18), range(18, 33)), strict=False
    ):
        names = [f"{FOLDER}/{name}.skeleton" for name in _ntu.filmed(setups)]
        lacking = [name for name in names if name[-29:-9] in _ntu.missing()]
        good = sorted(set(names) - set(lacking))
        texts = {good[0]: clip, lacking[0]: b"", lacking[1]: b"no body"}
        same = dict.fromkeys(good[1:], good[0]) | dict.fromkeys(lacking[3::3], lacking[0])
        same |= dict.fromkeys(lacking[4::3], lacking[1])
        simulated.write_zip(tmp_path / "mine" / remote.filename, texts, same)
    fetch(name, {}, tmp_path / "raw", [tmp_path / "mine"])
    parse(name, {}, tmp_path / "raw", tmp_path / "s", jobs=1)
    whole, lacking, _ = LITERATURE[name]  # the sides of its splits are checked on the way
    assert len(open_sequences(tmp_path / "s")) == whole - lacking


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("S001C001P001R001A061", "found A061, expected A001 to A060 in set-up S001"),
        ("S001C001P001R001A000", "found A000, expected A001 to A060"),
        ("S018C001P041R001A060", "found A060, expected A061 to A120 in set-up S018"),
        ("S033C001P001R001A120", "found S033, expected S001 to S032"),
        ("S001C004P001R001A001", "found C004, expected C001 to C003"),
        ("S001C000P001R001A001", "found C000, expected C001 to C003"),
        ("S001C001P107R001A001", "found P107, expected P001 to P106"),
        ("S001C001P001R003A001", "found R003, expected R001 to R002"),
    ],
)
def test_a_name_that_no_clip_has_is_refused(name, complaint):
    """A000 would be class -1 and A061 of NTU-60 a 61st class: stored, counted and trained on."""
    with pytest.raises(UserError, match=rf"^{name}\.skeleton: {complaint}.*remove the file$"):
        ntu60.DATASET.read(Member(f"{name}.skeleton"), b"", None)


def test_every_name_that_was_filmed_is_one_that_clips_have():
    """A limit one too low would refuse a release."""
    for name in _ntu.filmed(SETUPS["ntu120"]):
        _ntu._check_name(name, str(name))


# Of the authors' README (shahroudy/NTURGB-D): its 120 names, each up to its parenthesis, in lines.
AUTHORS_CLASSES_SHA256 = "580a42c65ca94e5d4775e3bc7f53e0789de480e272e69ca712906e7acd4a61fb"


def test_classes_and_people_are_the_official_ones():
    """A name or a number lost in a list shifts every label behind it."""
    text = "\n".join(ntu120.DATASET.spec.classes)
    assert hashlib.sha256(text.encode()).hexdigest() == AUTHORS_CLASSES_SHA256
    assert ntu60.DATASET.spec.classes == ntu120.DATASET.spec.classes[:60]
    assert (len(_ntu.SUBJECTS_60), len(_ntu.SUBJECTS_120)) == (20, 53)


def test_encoders_for_ntu60_can_spare_its_test_clips():
    """All of NTU-60 is in NTU-120: an encoder trained there and tested here would be tested on what
    it has seen.
    """
    names = [
        _ntu.clip_named(str(name)) for name in simulated.ntu_names((1, 2, 18, 20), (1, 3, 45), (1,))
    ]
    for own in ("xsub", "xset"):
        for other, rule in ntu60.DATASET.spec.splits.items():
            plain, spared = (
                ntu120.DATASET.spec.splits[own],
                ntu120.DATASET.spec.splits[f"{own}_sparing_ntu60_{other}"],
            )
            for clip in names:
                tested_there = clip.setup <= 17 and rule(clip) == "test"
                assert spared(clip) == (
                    "" if plain(clip) == "train" and tested_there else plain(clip)
                )
    filmed = [clip for clip in names if clip.setup > 17 or clip.subject <= 40]
    same = ntu120.DATASET.spec.splits["xsub"], ntu120.DATASET.spec.splits["xsub_sparing_ntu60_xsub"]
    assert [same[0](clip) for clip in filmed] == [
        same[1](clip) for clip in filmed
    ]  # whom xsub trains on in both


@pytest.mark.parametrize(
    ("source", "split", "target", "tested", "leaks"),
    [
        (ntu120, "xsub", ntu60, "xsub", False),  # whom NTU-60 tests, NTU-120 tests too
        (ntu120, "xsub", ntu60, "xview", True),
        (ntu120, "xset", ntu60, "xsub", True),
        (ntu120, "xset_sparing_ntu60_xsub", ntu60, "xsub", False),
        (ntu120, "xset_sparing_ntu60_xsub", ntu60, "xview", True),
        (ntu120, "xset_sparing_ntu60_xview", ntu60, "xview", False),
        (ntu60, "xsub", ntu120, "xsub", False),
        (ntu60, "xview", ntu120, "xsub", True),
        (ntu60, "xsub", ntu60, "xview", True),
        (pkummd1, "xsub", ntu60, "xsub", False),
    ],
)
def test_a_transfer_that_leaks_is_refused(tmp_path, source, split, target, tested, leaks):
    """Whatever the data set is called, an encoder must not be tested on clips it was trained on."""
    found = source.DATASET.spec.leak(split, target.DATASET.spec, tested)
    assert (found is not None) == leaks
    content = """
suite: transfer
methods: {pstl: {recipe: resize50, encoder: stgcn, train: {epochs: 1, lr: 0.1}}}
tasks: {finetune: {}}
"""
    suite = f"""
summary: ""
dataset: {target.DATASET.spec.name}
splits: [{tested}]
sources: [{source.DATASET.spec.name}/{split}]
experiments: [{{methods: [pstl], tasks: [finetune]}}]
"""
    (tmp_path / "params.yaml").write_text(content)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites/transfer.yaml").write_text(suite)
    params = load(tmp_path / "params.yaml")
    if leaks:
        with pytest.raises(
            UserError,
            match=rf"transfer.yaml, line 5: .*sources: {source.DATASET.spec.name}/{split} trains "
            rf"on clips that {target.DATASET.spec.name}/{tested} tests on",
        ):
            check_plugins(params, "transfer")
    else:
        check_plugins(params, "transfer")
