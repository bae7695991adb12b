"""Simulated people in the exact files of NTU RGB+D, which nobody may pass on.

What real files do and the data set `synthetic` does not: LF and CRLF, no body or up to four in a
frame, bodies that come, go and change their slot, exponents, NaN in colour columns.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist

import numpy as np

from pstl.data.datasets import _ntu, synthetic
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import Name
from pstl.rng import numpy_generator
from pstl.simulator.sensor import Sensed

CROWD = 4  # most bodies in a frame


def ntu_clip(name: Name, seed: int = 0, frames: tuple[int, int] = (30, 60)) -> bytes:
    """One `.skeleton` file. Its content depends on the name and the seed only; every fourth one has CRLF."""
    rng = numpy_generator(seed, "simulated ntu", *name)
    sensed = scene(name, seed, frames)
    if rng.random() < 0.1:  # a crowd: two scenes at once, furniture included
        sensed = together(
            sensed, scene(name._replace(performer=name.performer + 500), seed, frames)
        )
    xyz = sensed.xyz.copy()
    xyz[0, 0, 0, 0] = 4.2e-5  # written with an exponent
    return skeleton_txt.text(
        xyz, sensed.ids, sensed.tracking, crlf=bool(rng.random() < 0.25), rng=rng
    )


def ntu60_archive(folder: Path, contents: int = 160, files: int = 56_880, seed: int = 0) -> Path:
    """The archive of NTU-60 at full size, for measuring: all its names, missing ones too, `contents` different clips in turn.

    Lengths are log-normal, 77 frames in the middle, 83 on average, 32 to 300.   Returns: the archive; `folder` must exist.
    """
    names = list(_ntu.filmed(range(1, _ntu.OLD_SETUPS + 1)))[:files]
    share = [NormalDist(math.log(77), 0.38).inv_cdf((i + 0.5) / contents) for i in range(contents)]
    lengths = [min(max(round(math.exp(x)), 32), 300) for x in share]
    lengths[-1] = 300
    spread = [
        names[i * len(names) // contents] for i in range(contents)
    ]  # over cameras, performers and actions
    texts = {
        f"nturgb+d_skeletons/{name}.skeleton": ntu_clip(name, seed, (length, length))
        for name, length in zip(spread, lengths, strict=True)
    }
    first, others = (
        list(texts),
        [f"nturgb+d_skeletons/{name}.skeleton" for name in sorted(set(names) - set(spread))],
    )
    path = folder / _ntu.OLD.filename
    write_zip(path, texts, {name: first[i % contents] for i, name in enumerate(others)})
    return path


def write_zip(
    path: Path, members: Mapping[str, bytes], repeated: Mapping[str, str] | None = None
) -> None:
    """A deflated archive. repeated: further name -> the member whose content it has; compressed once, stored again."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        packed = {}
        for name, content in members.items():
            squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed[name] = (
                squeeze.compress(content) + squeeze.flush(),
                zlib.crc32(content),
                len(content),
            )
        for name, source in [*((name, name) for name in members), *(repeated or {}).items()]:
            store(bundle, name, *packed[source])


def scene(name: Name, seed: int, frames: tuple[int, int]) -> Sensed:
    """Somebody performing something: the simulator has fewer actions than the data sets, so they repeat."""
    cfg = synthetic.DATASET.Config.model_validate({"seed": seed, "frames": frames})
    action = (name.action - 1) % len(synthetic.CLASSES) + 1
    return synthetic.simulate(cfg, name._replace(action=action))


def together(a: Sensed, b: Sensed) -> Sensed:
    frames = min(len(a.xyz), len(b.xyz))
    ids = np.concatenate([a.ids[:frames], np.where(b.ids, b.ids + 10**6, 0)[:frames]], axis=1)
    xyz = np.concatenate([a.xyz[:frames], b.xyz[:frames]], axis=2)
    tracking = np.concatenate([a.tracking[:frames], b.tracking[:frames]], axis=2)
    return Sensed(xyz[:, :, :CROWD], ids[:, :CROWD], tracking[:, :, :CROWD])


def store(bundle: zipfile.ZipFile, name: str, packed: bytes, crc: int, size: int) -> None:
    """Append a member that is already deflated, which zipfile has no word for: its header, its bytes, its entry."""
    info = zipfile.ZipInfo(name)
    info.compress_type, info.CRC, info.compress_size, info.file_size = (
        zipfile.ZIP_DEFLATED,
        crc,
        len(packed),
        size,
    )
    stream = bundle.fp
    assert stream is not None
    stream.seek(bundle.start_dir)
    info.header_offset = stream.tell()
    stream.write(info.FileHeader())
    stream.write(packed)
    bundle.filelist.append(info)
    bundle.NameToInfo[name] = info
    bundle.start_dir = stream.tell()
    bundle._didModify = True  # type: ignore[attr-defined]
