"""Simulated people in the exact files of NTU RGB+D, which nobody may pass on.

What real files do and the data set `synthetic` does not: LF and CRLF, no body or up to four in a
frame, bodies that come, go and change their slot, exponents, NaN in colour columns.
"""

import itertools
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pstl.data.datasets import _ntu, synthetic
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import ClipName
from pstl.rng import numpy_generator
from pstl.simulator.sensor import Sensed

CROWD = 4  # most bodies in a frame


class Packed(NamedTuple):
    """A deflated file.   checksum, size: CRC-32 and bytes of what was deflated."""

    content: bytes
    checksum: int
    size: int

    @classmethod
    def of(cls, content: bytes) -> "Packed":
        """Deflate a file as zip archives hold it."""
        squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = squeeze.compress(content) + squeeze.flush()
        return cls(packed, zlib.crc32(content), len(content))


def ntu_clip(name: ClipName, seed: int = 0, frames: tuple[int, int] = (30, 60)) -> bytes:
    """One `.skeleton` file, of which the name and the seed decide all; every fourth has CRLF."""
    rng = numpy_generator(seed, "simulated ntu", *name)
    sensed = scene(name, seed, frames)
    if rng.random() < 0.1:  # a crowd: two scenes at once, furniture included
        others = scene(name._replace(performer=name.performer + 500), seed, frames)
        sensed = together(sensed, others)
    xyz = sensed.xyz.copy()
    xyz[0, 0, 0, 0] = 4.2e-5  # written with an exponent
    return skeleton_txt.text(
        xyz, sensed.ids, sensed.tracking, crlf=bool(rng.random() < 0.25), rng=rng
    )


def ntu60_archive(folder: Path, contents: int = 160, files: int = 56_880, seed: int = 0) -> Path:
    """The archive of NTU-60 at full size: all its names, `contents` different clips in turn.

    Names of clips that are missing in the release are there, too. Lengths are log-normal, 77 frames
    in the middle, 83 on average, 32 to 300.   Returns: the archive; `folder` must exist.
    """
    names = list(_ntu.filmed(range(1, _ntu.OLD_SETUPS + 1)))[:files]
    # Those with contents of their own are spread over cameras, performers and actions.
    spread = [names[i * len(names) // contents] for i in range(contents)]
    texts = {}
    for name, frames in zip(spread, lengths_of(contents), strict=True):
        texts[f"nturgb+d_skeletons/{name}.skeleton"] = ntu_clip(name, seed, (frames, frames))
    sources = itertools.cycle(list(texts))
    repeated = {}
    for name in sorted(set(names) - set(spread)):
        repeated[f"nturgb+d_skeletons/{name}.skeleton"] = next(sources)
    path = folder / _ntu.OLD.filename
    write_zip(path, texts, repeated)
    return path


def lengths_of(count: int) -> list[int]:
    """Frames of so many clips, evenly from the distribution's shares; the longest has 300."""
    logarithm = NormalDist(math.log(77), 0.38)
    lengths = []
    for i in range(count):
        frames = round(math.exp(logarithm.inv_cdf((i + 0.5) / count)))
        lengths.append(min(max(frames, 32), 300))
    return [*lengths[:-1], 300]


def write_zip(
    path: Path, members: Mapping[str, bytes], repeated: Mapping[str, str] | None = None
) -> None:
    """A deflated archive.

    repeated: further name -> the member whose content it has; compressed once, stored again.
    """
    sources = {name: name for name in members} | dict(repeated or {})
    packed = {name: Packed.of(content) for name, content in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for name, source in sources.items():
            append(bundle, name, packed[source])


def scene(name: ClipName, seed: int, frames: tuple[int, int]) -> Sensed:
    """Somebody performing something; the simulator has fewer actions, so they repeat."""
    cfg = synthetic.DATASET.Config.model_validate({"seed": seed, "frames": frames})
    action = (name.action - 1) % len(synthetic.CLASSES) + 1
    return synthetic.simulate(cfg, name._replace(action=action))


def together(a: Sensed, b: Sensed) -> Sensed:
    """Two scenes at once, as long as the shorter one."""
    frames = min(len(a.xyz), len(b.xyz))
    ids = np.concatenate([a.ids[:frames], np.where(b.ids, b.ids + 10**6, 0)[:frames]], axis=1)
    xyz = np.concatenate([a.xyz[:frames], b.xyz[:frames]], axis=2)
    tracking = np.concatenate([a.tracking[:frames], b.tracking[:frames]], axis=2)
    return Sensed(xyz[:, :, :CROWD], ids[:, :CROWD], tracking[:, :, :CROWD])


def append(bundle: zipfile.ZipFile, name: str, packed: Packed) -> None:
    """Add a member that is already deflated: its header, its bytes, its entry.

    zipfile has no word for that.
    """
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.CRC = packed.checksum
    info.compress_size = len(packed.content)
    info.file_size = packed.size
    stream = bundle.fp
    assert stream is not None
    stream.seek(bundle.start_dir)
    info.header_offset = stream.tell()
    stream.write(info.FileHeader())
    stream.write(packed.content)
    bundle.filelist.append(info)
    bundle.NameToInfo[name] = info
    bundle.start_dir = stream.tell()
    bundle._didModify = True  # type: ignore[attr-defined]
