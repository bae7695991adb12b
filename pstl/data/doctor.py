"""What is here, what is missing, what is damaged: said before hours are spent."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pstl import paths
from pstl.config import Params, validated
from pstl.data import archives, members, parse, pool, reading
from pstl.data.datasets._pku import mended
from pstl.data.fetch import KEPT
from pstl.data.formats import msr_txt, pku_txt, skeleton_txt, ucla_json, utkinect_txt
from pstl.data.spec import DatasetSpec
from pstl.errors import UserError
from pstl.registry import load, names
from pstl.skeletons import load as load_skeleton

Report = dict[str, Any]
SHOWN = 20  # files named in text; --json names all


def overview(params: Params, folders: Sequence[Path]) -> list[Report]:
    """Every data set: which of its files are found where. Nothing is read yet."""
    return [sources(load("data.datasets", name).SPEC, Path(paths.raw(name)), folders) for name in names("data.datasets")]


def sources(spec: DatasetSpec, raw: Path, folders: Sequence[Path]) -> Report:
    """{dataset, ok, found: remote -> where, missing: [remote, ...], how_to_get}: `raw` first, then what the user named."""
    if not spec.remotes:
        return {"dataset": spec.name, "ok": True, "found": {}, "missing": [], "how_to_get": "made here"}
    found, missing = {}, []
    for remote in spec.remotes:
        places = _places(raw, folders)
        place = members.locate(remote, places) if places else None
        if place is None:
            missing.append(remote.filename + " (optional)" * remote.optional)
        else:
            found[remote.filename] = str(place[0]) if isinstance(place, list) else f"{len(place.loose)} files in {place.loose[0].parent}"
    lacking = [name for name in missing if not name.endswith("(optional)")]
    links = [remote.url for remote in spec.remotes if remote.filename in lacking and remote.url and not spec.on_request]
    return {
        "dataset": spec.name, "ok": not lacking, "found": found, "missing": missing,
        "how_to_get": " or ".join([*links, spec.how_to_get][: 1 + len(links)]) if lacking else "",
    }  # fmt: skip


def examine(name: str, settings: dict[str, Any], raw: Path, folders: Sequence[Path], jobs: int | None = None) -> Report:
    """Read every file of a data set and count: sources() with files, frames, bodies, damaged files, absent files, and splits.

    damaged: file -> reason.   absent: files that a complete set has, where that can be told.   splits: found beside expected.
    """
    module = load("data.datasets", name)
    cfg = validated(module.Config, settings, f"datasets.{name}")
    report = sources(module.SPEC, raw, folders)
    if not report["ok"]:
        return report
    sides: dict[str, Counter[str]] = {split: Counter() for split in module.SPEC.splits}
    frames, bodies, damaged, there = [], Counter[int](), dict[str, str](), []
    said: list[str] = []
    for outcome in _outcomes(module, raw, folders, jobs or pool.cores(), said):
        there.append(outcome.member.file)
        if outcome.damage:
            damaged[outcome.member.file] = outcome.damage
        for clip in outcome.clips:
            frames.append(len(clip.xyz))
            bodies[clip.xyz.shape[2] if clip.xyz.any() else 0] += 1
            for split, rule in module.SPEC.splits.items():
                sides[split][rule(clip)] += 1
    expected = module.expected(cfg) if hasattr(module, "expected") else module.SPEC.expected
    splits = {split: {"found": [sides[split][s] for s in ("train", "test")], "expected": list(expected.get(split, ()))} for split in sides}
    absent = module.absent(there) if hasattr(module, "absent") else []
    right = all(not s["expected"] or s["found"] == s["expected"] for s in splits.values())
    return report | {
        "ok": right and not damaged, "files": len(there), "clips": len(frames), "frames": sum(frames),
        "shortest": min(frames, default=0), "longest": max(frames, default=0), "clips_by_bodies": dict(sorted(bodies.items())),
        "damaged": damaged, "absent": absent, "splits": splits, "notes": said,
    }  # fmt: skip


def examine_file(path: Path) -> Report:
    """One file of any known kind: {file, kind, ok, ...facts} or {file, ok: False, damage}."""
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such file; give a data set ({', '.join(names('data.datasets'))}) or a file")
        kind, describe = next((kind, describe) for kind, pattern, describe in KINDS if re.fullmatch(pattern, path.name))
    except StopIteration:
        known = ", ".join(kind for kind, _, _ in KINDS)
        return {"file": str(path), "ok": False, "damage": f"{path}: not a name of any known kind ({known})"}
    except UserError as error:
        return {"file": str(path), "ok": False, "damage": str(error)}
    try:
        return {"file": str(path), "kind": kind, "ok": True, **describe(path)}
    except UserError as error:
        return {"file": str(path), "kind": kind, "ok": False, "damage": str(error)}


def text(report: Report) -> str:
    """A report as lines a person reads."""
    title = report.get("dataset") or report["file"]
    lines = [f"{title}: {'ok' if report['ok'] else 'NOT OK'}"]
    if "damage" in report:
        return f"{lines[0]}: {report['damage']}\n"
    lines += [f"  {name}: {where}" for name, where in report.get("found", {}).items()]
    lines += [f"  {name}: missing" for name in report.get("missing", [])]
    lines += [f"  get it: {report['how_to_get']}"] if report.get("missing") and report["how_to_get"] else []
    told = {"dataset", "file", "ok", "found", "missing", "how_to_get"}
    told |= {"damaged", "absent", "splits", "notes"}
    lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in report.items() if key not in told]
    for split, counts in report.get("splits", {}).items():
        found, expected = (" + ".join(f"{n:,}" for n in counts[key]) for key in ("found", "expected"))
        lines.append(f"  {split}: {found} clips" + (f", expected {expected}" * (bool(expected) and expected != found)))
    lines += _some("damaged", list(report.get("damaged", {}).values())) + _some("absent", report.get("absent", []))
    lines += _some("notes", report.get("notes", []))
    return "\n".join(lines) + "\n"


def _some(what: str, entries: list[str]) -> list[str]:
    rest = len(entries) - SHOWN
    lines = [f"  {what}: {len(entries)}"] * bool(entries) + [f"    {entry}" for entry in entries[:SHOWN]]
    return lines + [f"    and {rest} more (--json names all)"] * (rest > 0)


def _places(raw: Path, folders: Sequence[Path]) -> list[Path]:
    """Where a data set's files may be: fetched, pointed at by what was fetched, put beside, or in folders of the user."""
    pointed = [Path(source["from"]) for source in members.manifest(raw).get("sources", [])]
    return [place for place in (*folders, raw, *pointed, raw.parent / KEPT) if place.exists()]


def _outcomes(
    module: Any,
    raw: Path,
    folders: Sequence[Path],
    jobs: int,
    said: list[str],
) -> Iterable[parse.Outcome]:
    if hasattr(module, "read_member"):
        return parse.outcomes(module, raw, jobs, folders=_places(raw, folders), said=said)
    return _one_by_one(module, raw, said)


def _one_by_one(module: Any, raw: Path, said: list[str]) -> Iterable[parse.Outcome]:
    """Readers of small data sets read a whole folder and stop at the first damaged file."""
    if not raw.is_dir():
        yield parse.Outcome(
            members.Member(str(raw)), [], f"{raw}: no such folder; run 'python -m pstl fetch {module.SPEC.name} --out {raw}'"
        )
        return
    try:
        said += parse.remarks(module, raw)
        for clip in module.read(raw):
            yield parse.Outcome(members.Member(clip.name), [clip])
    except UserError as damage:
        yield parse.Outcome(members.Member(str(raw)), [], str(damage))


def _skeleton(path: Path) -> Report:
    found = skeleton_txt.read(path)
    there = found.ids != 0
    return {
        "frames": len(found.xyz), "most_bodies_in_a_frame": int(there.sum(1).max()), "frames_without_body": int((~there.any(1)).sum()),
        "bodies": len(np.unique(found.ids[there])),
        "inferred_joints": round(float((found.tracking != 2).transpose(0, 2, 1)[there].mean()), 3),
    }  # fmt: skip


def _pku(path: Path) -> Report:
    data, phase = reading.content(path), load("data.datasets", "pkummd1")
    folder = "/".join(path.resolve().parts[-3:-1])
    if b"," in data[:64] or (not data.strip() and re.search(phase.LABELS, folder)):
        spec = phase.SPEC
        text, notes = mended(reading.decoded(data), path.name, spec.slips)
        intervals = pku_txt.read_labels(text, str(path), len(spec.classes))
        return {"kind": "PKU-MMD labels", "intervals": len(intervals), "notes": notes}
    xyz = pku_txt.read(data, str(path))
    return {
        "frames": len(xyz),
        "frames_with_two_bodies": int(xyz[:, :, 1].any((1, 2)).sum()),
        "frames_without_body": int((~xyz.any((1, 2, 3))).sum()),
    }


def _ucla(path: Path) -> Report:
    labels = load("data.datasets", "nwucla").LABELS
    return {"frames": len(ucla_json.read(path, load_skeleton("kinect_v1").joints, labels)[0])}


def _utkinect(path: Path) -> Report:
    return {"frames": len(utkinect_txt.read(path, load_skeleton("kinect_v1").joints)[1])}


def _msr(path: Path) -> Report:
    xyz = msr_txt.read(path, load_skeleton("msr20").joints)
    return {"frames": len(xyz), "frames_without_body": int((~xyz.any((1, 2, 3))).sum())}


def _archive(path: Path) -> Report:
    files = archives.check(path)
    endings = Counter(Path(name).suffix or "none" for name in files)
    return {"files": len(files), "endings": dict(endings.most_common(5))}


KINDS: tuple[tuple[str, str, Callable[[Path], Report]], ...] = (
    ("NTU RGB+D skeleton", r".*\.skeleton", _skeleton),
    ("PKU-MMD recording", pku_txt.NAME.pattern + r"\.txt", _pku),
    ("NW-UCLA clip", ucla_json.NAME, _ucla),
    ("UTKinect recording", utkinect_txt.NAME, _utkinect),
    ("MSR Action3D clip", msr_txt.NAME, _msr),
    ("archive", r".*\.(zip|7z)", _archive),
)
