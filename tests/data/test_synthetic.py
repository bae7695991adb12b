"""The built-in data set: real NTU text from a seed, with every class by every performer and every
defect somewhere."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pstl import config, skeletons
from pstl.config import validated
from pstl.data import parse
from pstl.data.datasets.synthetic import CLASSES, DATASET, clip_names, simulate
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.recipes import resize50
from pstl.errors import UserError
from pstl.ops.neighbours import nearest
from pstl.records import Clip
from pstl.simulator.actions import ACTIONS

ROOT = Path(__file__).parents[2]
SPEC, Config = DATASET.spec, DATASET.Config
TINY = Config(performers=2, cameras=2, repetitions=1, frames=(20, 30))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder of the tiny data set."""
    folder = tmp_path_factory.mktemp("synthetic")
    DATASET.make(TINY, folder)
    return folder


@pytest.fixture(scope="module")
def whole():
    """Every clip of the default settings, as the sensor gives it."""
    cfg = Config()
    return {name: simulate(cfg, name) for name in clip_names(cfg)}


def test_the_same_seed_writes_the_same_bytes(tiny, tmp_path):
    """Results on this data set are compared by its checksum: a second machine must make the same
    files."""
    DATASET.make(TINY, tmp_path)
    files = sorted(path.name for path in tiny.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    assert all((tiny / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_another_seed_is_another_data_set(tiny, tmp_path):
    """Seeds that share clips would make repeated experiments dependent."""
    DATASET.make(TINY.model_copy(update={"seed": 1, "cameras": 1}), tmp_path)
    assert not [
        path for path in tmp_path.iterdir() if path.read_bytes() == (tiny / path.name).read_bytes()
    ]


def test_a_clip_depends_on_its_name_alone(tiny):
    """More performers or fewer classes must leave the other clips alone, so that sizes can be
    compared."""
    name = ClipName(1, 2, 1, 1, 5)
    larger = TINY.model_copy(update={"performers": 7, "repetitions": 3, "actions": CLASSES[4:6]})
    found = skeleton_txt.read(tiny / f"{name}.skeleton")
    np.testing.assert_allclose(found.xyz, simulate(larger, name).xyz, rtol=1e-6, atol=1e-9)


def test_noise_leaves_the_motion_alone():
    """A study of noise compares the same performances under different sensors."""
    name = ClipName(1, 2, 1, 1, 3)
    quiet = {"tilt_deg": 0, "dropped_frame": 0, "ghost": 0, "empty": 0}
    clean, noisy = (
        simulate(
            validated(Config, {"noise": quiet | {"jitter": j, "drift": 0, "guess": 0}}, "test"),
            name,
        ).xyz
        for j in (0, 0.001)
    )
    assert clean.shape == noisy.shape
    assert 0 < np.abs(clean - noisy).max() < 0.05


def test_counts_equal_what_is_expected(tiny):
    """parse compares the two: an expectation that is wrong, or a clip that is missing, stops the
    run here."""
    sequences = list(parse.clips(DATASET, tiny))
    for split, rule in SPEC.splits.items():
        sides = [rule(sequence) for sequence in sequences]
        assert (sides.count("train"), sides.count("test")) == DATASET.expected(TINY)[split]


@pytest.mark.parametrize("performers", [2, 3, 12])
@pytest.mark.parametrize("cameras", [1, 3])
def test_expected_counts_add_up(performers, cameras):
    """Every clip is on one side of each split, whatever the size."""
    cfg = Config(performers=performers, cameras=cameras, actions=CLASSES[:3])
    assert {sum(sides) for sides in DATASET.expected(cfg).values()} == {len(clip_names(cfg))}


def test_splits_are_disjoint_by_performer_and_by_camera(tiny):
    """A performer on both sides of xsub, or a view on both sides of xview, and the score means
    nothing."""
    for split, group in (("xsub", "subject"), ("xview", "camera")):
        sides = {"train": set(), "test": set()}
        for sequence in parse.clips(DATASET, tiny):
            sides[SPEC.splits[split](sequence)].add(getattr(sequence, group))
        assert sides["train"]
        assert sides["test"]
        assert not sides["train"] & sides["test"]


def test_every_performer_does_every_action_before_every_camera():
    """A class that only some performers or cameras have is recognised by them instead of by its
    motion."""
    cfg = Config()
    names = clip_names(cfg)
    assert len(names) == len(set(names)) == 12 * 3 * cfg.repetitions * 14
    cells = {(name.performer, name.camera, name.action) for name in names}
    assert len(cells) == 12 * 3 * 14


def test_labels_and_people_come_from_the_name(tiny):
    """The file name is the only annotation."""
    for sequence in parse.clips(DATASET, tiny):
        name = skeleton_txt.parse_name(sequence.name)
        assert (sequence.label + 1, sequence.subject, sequence.camera) == (
            name.action,
            name.performer,
            name.camera,
        )
        assert sequence.xyz.dtype == np.float32
        assert np.isfinite(sequence.xyz).all()


def test_two_people_are_there_in_the_classes_of_two(whole):
    """A second body is part of the action in two classes and furniture, seldom and not for long, in
    the others."""
    full = {
        people: [
            s.xyz.shape[2] >= 2 and (s.ids != 0).all(1).mean() > 0.5
            for n, s in whole.items()
            if ACTIONS[n.action - 1].people == people
        ]
        for people in (1, 2)
    }
    assert np.mean(full[2]) > 0.85
    assert np.mean(full[1]) < 0.15


def test_each_defect_occurs_and_stays_the_exception(whole):
    """What never occurs is never tested; what always occurs is no defect."""
    shares = {
        "ghost": np.mean([s.xyz.shape[2] > ACTIONS[n.action - 1].people for n, s in whole.items()]),
        "no body": np.mean([(s.ids == 0).all(1).any() for s in whole.values()]),
        "slot change": np.mean(
            [_slots_change(s.ids) for n, s in whole.items() if ACTIONS[n.action - 1].people == 2]
        ),
        "inferred": np.mean(
            [(s.tracking == 1).sum() / (s.tracking > 0).sum() for s in whole.values()]
        ),
    }
    assert {name: 0.02 < share < 0.3 for name, share in shares.items()} == dict.fromkeys(
        shares, True
    ), shares
    lengths = [len(s.xyz) for s in whole.values()]
    assert min(lengths) < 50 < max(lengths) <= Config().frames[1]


def test_one_frame_does_not_give_the_class_away(whole):
    """Posture alone must not solve the data set: the mean posture of a clip separates pairs of
    classes no better than chance."""
    posture, label, odd = [], [], []
    for name, s in whole.items():
        body = s.xyz[:, :, 0][s.ids[:, 0] != 0]
        posture.append((body - body[:, 20:21]).mean(0).ravel())
        label.append(name.action - 1)
        odd.append(name.performer % 2 == 1)
    x, y, train = np.array(posture), np.array(label), np.array(odd)
    nearest = ((x[~train][:, None] - x[train][None]) ** 2).sum(-1).argmin(1)
    assert (y[train][nearest] == y[~train]).mean() < 0.6


def test_coordinates_tell_less_than_two_in_five_actions():
    """The floor that pre-training must leave behind: 1-NN on PSTL's arrays of the settings in
    params.yaml, performers held out."""
    cfg = validated(
        Config, config.load(ROOT / "params.yaml").datasets["synthetic"], "datasets.synthetic"
    )
    names = clip_names(cfg)
    recordings = [
        Clip(str(n), n.action - 1, simulate(cfg, n).xyz, n.performer, n.camera, n.setup)
        for n in names
    ]
    x, _ = resize50.RECIPE.apply(
        recordings, skeletons.load(SPEC.skeleton), SPEC.people, resize50.RECIPE.Config(frames=25)
    )
    flat = torch.from_numpy(x).flatten(1)
    y, train = (
        np.array([n.action for n in names]),
        np.array([SPEC.splits["xsub"](r) == "train" for r in recordings]),
    )
    found, _ = nearest(flat[~train], flat[train], 1, "cosine")
    assert 0.1 < (y[train][found[:, 0].numpy()] == y[~train]).mean() < 0.4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"actions": ["wave"]}, "name actions once each, of: wave slowly"),
        ({"actions": ["sit down", "sit down"]}, "name actions once each"),
        ({"frames": [60, 40]}, "shortest and longest"),
        ({"performers": 1}, "performers"),
        ({"noise": {"gost": 1}}, "noise.gost"),
    ],
)
def test_wrong_settings_are_refused(settings, complaint):
    """Checked before the first job: a typo in params.yaml must not become another data set."""
    with pytest.raises(UserError) as caught:
        validated(Config, settings, "datasets.synthetic")
    assert complaint in str(caught.value)


def _slots_change(ids):
    pairs = ids[(ids[:, :2] != 0).all(1), :2] if ids.shape[1] > 1 else ids[:0]
    return len(np.unique(pairs[:, 0])) > 1
