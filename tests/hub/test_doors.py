"""Every door to an encoder leads to one computation: what `embed` writes is what the tables were
measured with.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from arrays import write_array

import pstl
from pstl.config import Plugin
from pstl.data import parse
from pstl.data.datasets import msraction3d, nwucla, synthetic
from pstl.data.formats import skeleton_txt
from pstl.data.prepare import prepare
from pstl.data.store import ArraySet, open_array, open_sequences, write_sequences
from pstl.encoding.feature_file import open_features
from pstl.encoding.features import Encoding, extract
from pstl.errors import UserError
from pstl.hub import export
from pstl.hub.embed_arrays import Source, embed
from pstl.registry import names
from pstl.skeletons import load as load_skeleton
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

CPU = torch.device("cpu")
STGCN = {"name": "stgcn", "width": 2}
# Method, encoder, recipe and frames of the view; 0: those of the recipe's clips, here of the
# longest.
KINDS = {
    "pstl": (STGCN, "resize50", 50),
    "skeletonbt": (STGCN, "resize50", 50),
    "supervised": (STGCN, "resize50", 50),
    "random_init": (STGCN, "spine300", 0),
    "raw": ({"name": "raw"}, "metres300", 0),
    "scdnet": (
        {"name": "scdnet", "width": 16, "heads": 2, "feedforward": 16, "stem_width": 8},
        "spine300",
        64,
    ),
    "hitrs": (
        {"name": "hitrs", "width": 8, "heads": 2, "head_width": 4, "layers": 1},
        "metres300",
        300,
    ),
    "psp": ({"name": "dsta", "width": 8}, "scaled300", 50),
    "skeletonclr": (STGCN, "resize50", 50),
    "aimclr": (STGCN, "resize50", 50),
    "simclr": ({"name": "tcn", "width": 8}, "view50", 50),
    "mamp": ({"name": "vit", "width": 8, "depth": 1, "heads": 2}, "ctr300", 120),
    "umurl": ({"name": "umurl", "width": 16}, "spine300", 64),
    "predict_cluster": ({"name": "bigru", "width": 8}, "view50", 50),
}


def card_of(
    method: str, longest: int, skeleton: str = "kinect_v2", people: int = 2, stream: str = ""
) -> EncoderCard:
    """A card of the method's first stream, if no other is named."""
    encoder, recipe, frames = KINDS[method]
    stream = stream or encoder_file.streams_of(method)[0]
    card = EncoderCard(
        method, {}, encoder, {"name": recipe}, skeleton, people, frames or longest, stream
    )
    return replace(card, provenance={"dataset": "synthetic", "split": "all"})


def save(card: EncoderCard, path: Path) -> None:
    """An untrained encoder whose norms are not the initial ones, so that what enters them shows."""
    torch.manual_seed(0)
    encoder = encoder_file.build(card)
    for name, buffer in encoder.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.2)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    encoder_file.save(path, card, encoder)


def features_of(card: EncoderCard, array: Path, norm: str = "released") -> np.ndarray:
    """What `features` computes of a whole array, whose split `all` trains on every clip."""
    save(card, Path("encoder.pt"))
    extract("encoder.pt", array, "all", Encoding(norm), "features.npz", CPU)
    return open_features("features.npz").train


def embedded(
    source: Path, stream: str | None = None, weights: str = "encoder.pt", skeleton: str = ""
) -> np.ndarray:
    embed(weights, Source(source, skeleton), "f.npz", stream, [], CPU)
    return np.load("f.npz")["features"]


def same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal by a thousandth of what clips differ by: untrained networks see little difference."""
    spread = np.ptp(theirs, axis=0).max()
    assert spread > 1e-5 * np.abs(theirs).max()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-3 * spread


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of one and of two people as .skeleton files, in two of which the people exchange their
    slots; read, and as arrays.
    """
    folder = tmp_path_factory.mktemp("doors")
    (folder / "raw").mkdir()
    cfg = synthetic.DATASET.Config.model_validate({"performers": 2, "cameras": 1, "repetitions": 1})
    chosen = [name for name in synthetic.clip_names(cfg) if name.action in (1, 6, 13, 14)]
    for name in chosen:
        found = synthetic.simulate(cfg, name)
        xyz, ids, tracking = (np.array(part) for part in (found.xyz, found.ids, found.tracking))
        if name.action > 12:
            ids[ids == ids[ids > 0][0]] += 10**6  # so far apart that floats tell them apart, too
            xyz[20:], ids[20:], tracking[20:] = (
                xyz[20:, :, ::-1],
                ids[20:, ::-1],
                tracking[20:, :, ::-1],
            )
        skeleton_txt.write(folder / f"raw/{name}.skeleton", xyz, ids, tracking)
    write_sequences(
        folder / "sequences",
        synthetic.DATASET.spec,
        25,
        parse.clips(synthetic.DATASET, folder / "raw"),
    )
    prepared("synthetic", folder)
    return folder


def prepared(dataset: str, folder: Path) -> None:
    """Arrays of all recipes; a split `all` is added, which trains on every clip."""
    for recipe in sorted({recipe for _, recipe, _ in KINDS.values()}):
        prepare(dataset, Plugin(name=recipe), folder / "sequences", folder / recipe, jobs=1)
        data = open_array(folder / recipe)
        everybody = np.arange(len(data.x))
        copy = replace(data, x=np.array(data.x), splits={"all": (everybody, everybody[:1])})
        write_array(folder / recipe, copy)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def array_of(home: Path, method: str) -> tuple[Path, ArraySet]:
    folder = home / KINDS[method][1]
    return folder, open_array(folder)


def test_every_method_is_tried() -> None:
    """A method whose two doors were never compared is the one where they differ."""
    assert set(KINDS) == set(names("methods"))


@pytest.mark.parametrize("method", KINDS)
def test_an_array_gives_the_features_of_the_tables(home: Path, method: str) -> None:
    """The folder, x.npy in it, and a copy of x.npy with length.npy beside it, to the bit; and every
    stream.
    """
    array, data = array_of(home, method)
    theirs = features_of(card_of(method, data.x.shape[2]), array)
    np.testing.assert_array_equal(embedded(array), theirs)
    np.testing.assert_array_equal(embedded(array / "x.npy"), theirs)
    for name in ("x.npy", "length.npy"):
        shutil.copy(array / name, name)
    np.testing.assert_array_equal(embedded(Path("x.npy")), theirs)
    shutil.move("encoder.pt", "joint.pt")
    for stream in encoder_file.streams_of(method)[1:]:
        theirs = features_of(card_of(method, data.x.shape[2], stream=stream), array)
        np.testing.assert_array_equal(embedded(array, stream, "joint.pt"), theirs)


FRAMES = {
    "scdnet": (63, 64, 65),
    "umurl": (64,),
    "psp": (49, 50),
    "pstl": (50, 64),
    "raw": (64,),
}  # around those of the view


@pytest.mark.parametrize(
    ("method", "frames"), [(m, t) for m in KINDS for t in FRAMES.get(m, (50,))]
)
def test_no_number_of_frames_is_a_special_case(method: str, frames: int) -> None:
    """Clips that happen to have the frames of the encoder's view are clips like any others; so are
    those of one person.
    """
    x = (
        np.random.default_rng(0).normal(size=(7, 3, frames, 25, 2)).cumsum(2).astype(np.float32)
        * 0.05
    )
    length = np.linspace(frames // 2, frames, 7).astype(np.int64)
    x[::2, ..., 1] = 0
    for clip, end in zip(x, length, strict=True):
        clip[:, end:] = 0
    meta = {
        "dataset": "synthetic",
        "skeleton": "kinect_v2",
        "people": 2,
        "classes": ["a"],
        "recipe": {"name": KINDS[method][1]},
    }
    clips = ArraySet(
        x,
        np.zeros(7),
        length,
        np.arange(7, dtype=np.uint64),
        [*"abcdefg"],
        {"all": (np.arange(7), np.arange(1))},
        meta,
    )
    write_array("array", clips)
    theirs = features_of(card_of(method, 80), Path("array"))
    np.save("x.npy", x)
    np.save("length.npy", length)
    np.testing.assert_array_equal(embedded(Path("x.npy")), theirs)
    np.save("x.npy", x[::2, ..., :1])
    np.save("length.npy", length[::2])
    same(embedded(Path("x.npy")), theirs[::2])
    write_array("array", replace(clips, x=np.ascontiguousarray(x[..., :1])))
    same(features_of(card_of(method, 80), Path("array"))[::2], theirs[::2])


@pytest.mark.parametrize("method", KINDS)
def test_raw_clips_give_the_features_of_the_tables(home: Path, method: str) -> None:
    """Files, what was read from them, and Python: the slots and the people in them are those that
    `parse` and `prepare` saw.
    """
    array, data = array_of(home, method)
    theirs = features_of(card_of(method, data.x.shape[2]), array)
    same(embedded(home / "raw"), theirs)
    same(embedded(home / "sequences"), theirs)
    assert np.load("f.npz")["names"].tolist() == data.names
    door, files = pstl.load("encoder.pt"), sorted((home / "raw").iterdir())
    same(np.stack([door.embed(file) for file in files]), theirs)
    read = [skeleton_txt.read(file) for file in files]
    same(np.stack([door.embed(clip.xyz.transpose(0, 2, 1, 3), clip.ids) for clip in read]), theirs)
    embed("encoder.pt", files[2], "one.npy", None, [], CPU)
    same(np.concatenate([np.load("one.npy"), theirs[:1]]), theirs[[2, 0]])


def test_people_are_told_apart(home: Path) -> None:
    """The test above is worth something only while following the slots gives another result."""
    array, data = array_of(home, "psp")
    theirs = features_of(card_of("psp", data.x.shape[2]), array)
    door = pstl.load("encoder.pt")
    slots = np.stack(
        [door.embed(clip.xyz.transpose(0, 2, 1, 3)) for clip in open_sequences(home / "sequences")]
    )
    changed = np.abs(slots - theirs).max(1) > 0.1 * np.ptp(theirs, axis=0).max()
    assert changed.any()
    assert not changed.all()


@pytest.mark.parametrize("method", ["pstl", "psp"])
def test_recalibrated_features_come_from_an_exported_encoder(home: Path, method: str) -> None:
    """encoder.pt holds the norms that training left; the headline's come with `export --array`."""
    array, data = array_of(home, method)
    card = card_of(method, data.x.shape[2])
    card = replace(card, provenance={**card.provenance, "data_checksum": data.meta["checksum"]})
    theirs = features_of(card, array, "recalibrated")
    export.export("encoder.pt", "exported", array)
    np.testing.assert_array_equal(embedded(array, weights="exported"), theirs)
    assert not np.allclose(embedded(array), theirs, rtol=1e-3)


def written_ucla(folder: Path) -> None:
    """Three clips of NW-UCLA's release, one of a single frame."""
    rng = np.random.default_rng(0)
    for number, frames in enumerate((40, 1, 25)):
        poses = rng.normal(size=(1, 20, 3)) * 0.4 + rng.normal(size=(frames, 1, 3)).cumsum(0) * 0.02
        content = {"file_name": "x", "skeletons": poses.tolist(), "label": 1}
        (folder / f"a01_s0{number + 1}_e00_v01.json").write_text(json.dumps(content))


def written_msr(folder: Path) -> None:
    """Two clips of MSR Action3D."""
    rng = np.random.default_rng(1)
    for number, frames in enumerate((30, 55)):
        poses = (
            rng.normal(size=(1, 20, 3)) * 0.4 + rng.normal(size=(frames, 20, 3)).cumsum(0) * 0.01
        )
        rows = np.concatenate([poses.reshape(-1, 3), np.ones((frames * 20, 1))], axis=1)
        np.savetxt(folder / f"a01_s0{number + 1}_e01_skeleton3D.txt", rows)


@pytest.mark.parametrize(("skeleton", "people"), [("kinect_v1", 1), ("kinect_v2", 2)])
@pytest.mark.parametrize(("dataset", "write"), [(nwucla, written_ucla), (msraction3d, written_msr)])
def test_every_reader_leads_to_the_same_features(
    dataset, write, skeleton: str, people: int
) -> None:
    """A format has its body: an encoder of another is given the joints by their names, and never in
    the order of the file.
    """
    Path("raw").mkdir()
    write(Path("raw"))
    write_sequences(
        "sequences",
        dataset.DATASET.spec,
        load_skeleton(dataset.DATASET.spec.skeleton).joints,
        parse.clips(dataset.DATASET, Path("raw")),
    )
    prepared(dataset.DATASET.spec.name, Path())
    for method in ("pstl", "psp"):
        longest = open_array(KINDS[method][1]).x.shape[2]
        theirs = features_of(card_of(method, longest, skeleton, people), Path(KINDS[method][1]))
        same(embedded(Path("raw")), theirs)
        same(embedded(Path("sequences")), theirs)


def test_a_bare_array_of_another_body_is_matched_by_name(home: Path) -> None:
    """MSR Action3D and Kinect v1 have 20 joints in two orders: the number tells nothing, a name
    does.
    """
    x = np.random.default_rng(0).normal(size=(5, 3, 50, 20, 1)).astype(np.float32) * 0.5
    np.save("x.npy", x)
    save(card_of("pstl", 50, "kinect_v1", 1), Path("encoder.pt"))
    as_v1, as_msr = embedded(Path("x.npy")), embedded(Path("x.npy"), skeleton="msr20")
    assert np.abs(as_v1 - as_msr).max() > 0.1 * np.ptp(as_v1, axis=0).max()
    with pytest.raises(UserError, match=r"clips of kinect_v2, says meta\.json"):
        embedded(home / "resize50", skeleton="msr20")


def test_lengths_that_belong_to_other_clips_are_refused(home: Path) -> None:
    """A stale length.npy would shift every clip's end in silence."""
    save(card_of("psp", 100), Path("encoder.pt"))
    shutil.copy(home / "scaled300/x.npy", "x.npy")
    for length in (np.ones(3, int), np.zeros(8, int), np.ones(8), np.full(8, 500)):
        np.save("length.npy", length)
        with pytest.raises(UserError, match=r"length\.npy|lengths"):
            embedded(Path("x.npy"))
    assert not Path("f.npz").exists()
