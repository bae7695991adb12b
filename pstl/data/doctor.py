"""What is here, what is missing, what is damaged: said before hours are spent."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pstl.config import validated
from pstl.data import archives, members, parse, pool
from pstl.data.describe import Report, examine_file, kind_of, state_of
from pstl.data.fetch import KEPT, Source, meant
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError, trouble
from pstl.registry import load

SHOWN = 20  # files named in text; --json names all
# missing: not all of it is here.   not fetched: whole, and `fetch` was not run.   truncated: shorter than it says, or than it was.
# damaged: other than it was.   incomplete: whole files, other counts than the literature's.   ambiguous: two copies of a file.
FINE = ("whole", "not fetched")
HARMLESS = (*FINE, "missing")  # of sets that nobody asked for by name
WORST_FIRST = ("truncated", "damaged", "ambiguous", "missing", "incomplete", "not fetched", "whole")


def examine(
    name: str, settings: dict[str, Any], raw: Path, folders: Sequence[Path], jobs: int | None = None
) -> Report:
    """Read every file of a data set and count: {dataset, ok, state, found, missing, how_to_get, damaged, ...}.

    raw: the folder that `fetch` makes; when it was made, it and what it points at are judged, else what lies in `folders`.
    found: remote -> where.   missing: [remote, ...].   damaged: file -> reason.   gone: files that were fetched.
    Of files that could be read: files, clips, frames, clips_by_bodies, absent (what a complete set has besides, where that can be
    told), splits (found beside expected), notes.   Nothing that is wrong with a file is an error.
    """
    report: Report = {
        "dataset": name,
        "ok": False,
        "state": "missing",
        "found": {},
        "missing": [],
        "how_to_get": "",
    }
    report |= {"damaged": {}, "gone": [], "notes": []}
    try:
        states = _examined(
            report, load("data.datasets", name), settings, raw, folders, jobs or pool.cores()
        )
    except (UserError, OSError) as error:
        damage = trouble(error, raw) if isinstance(error, OSError) else str(error)
        report["damaged"] = report["damaged"] | {name: damage}
        states = [state_of(error)]
    report["state"] = next(state for state in WORST_FIRST if state in states)
    report["ok"] = report["state"] in FINE
    return report


def _examined(
    report: Report,
    module: Any,
    settings: dict[str, Any],
    raw: Path,
    folders: Sequence[Path],
    jobs: int,
) -> list[str]:
    """Fill a report.   Returns: every state that something of the set is in."""
    spec: DatasetSpec = module.SPEC
    cfg = validated(module.Config, settings, f"datasets.{spec.name}")
    fetched = is_fetched(raw)
    if not spec.remotes and not fetched:
        report["how_to_get"] = f"python -m pstl fetch {spec.name} --out {raw}"
        return ["not fetched"]
    if fetched:
        places = []
        states = _changed_since(report, spec, raw)
    else:
        places = [place for place in (*folders, raw.parent / KEPT) if place.exists()]
        states = _located(report, spec, places)
    if not set(states) - {*FINE, "incomplete"}:
        states += _read(report, module, cfg, raw, places, jobs)
    if _counts_are_right(report) and "damaged" not in states:
        return [state for state in states if state != "incomplete"]
    return states


def _counts_are_right(report: Report) -> bool:
    """Whether the numbers of both sides of every split are known, and found."""
    splits = report.get("splits", {}).values()
    return bool(splits) and all(split["found"] == split["expected"] for split in splits)


def is_fetched(raw: Path) -> bool:
    """Whether a folder holds what `fetch` puts there."""
    return raw.is_dir() and any(raw.iterdir())


def _located(report: Report, spec: DatasetSpec, places: Sequence[Path]) -> list[str]:
    """Where the files of every remote lie that nobody has fetched, and whether its archive can be opened."""
    states = ["not fetched"]
    for remote in spec.remotes:
        try:
            place = _placed(remote, places)
        except archives.Foreign as error:
            report["notes"].append(str(error))
            place = None
        except UserError as error:
            report["damaged"][remote.filename] = str(error)
            states.append(state_of(error))
            continue
        if place is None:
            report["missing"].append(remote.filename + " (optional)" * remote.optional)
            states += [] if remote.optional else ["missing"]
        else:
            report["found"][remote.filename] = str(
                place.file or f"{len(place.loose)} files in {place.loose[0].parent}"
            )
    if "missing" in states:
        lacking = [remote for remote in spec.remotes if remote.filename in report["missing"]]
        links = [remote.url for remote in lacking if remote.url and not spec.on_request]
        report["how_to_get"] = " or ".join(part for part in (*links, spec.how_to_get) if part)
    return states


def _placed(remote: Remote, places: Sequence[Path]) -> members.Place | None:
    """Where one remote is. Raises: UserError if its archives are all broken, or differ and none is known."""
    place = members.locate(remote, places) if places else None
    if not isinstance(place, list):
        return place
    path = place[0] if len(place) == 1 else meant(remote, place)[0]
    archived = members.Place(file=path)
    if remote.in_place:
        archived.members(remote)  # each file by its name, so none may be there twice
    elif path.suffix in archives.SUFFIXES:
        archives.check(path, remote.members, remote.size)
    return archived


def _changed_since(report: Report, spec: DatasetSpec, raw: Path) -> list[str]:
    """What of a fetched set is not any more as `fetch` left it: files by their sizes, archives that are read where they lie."""
    manifest, again = (
        members.manifest(raw),
        f"run 'python -m pstl fetch {spec.name} --out {raw}' again",
    )
    report["found"] = {
        source["file"]: source["from"] for source in manifest.get("sources", [])
    } or {spec.name: str(raw)}
    states = ["whole"]
    for file, size in manifest.get("files", {}).items():
        path = raw / file
        if not path.is_file():
            report["gone"].append(f"{path}: is not there any more; {again}")
            states.append("incomplete")
        elif (length := path.stat().st_size) != size:
            state = "truncated" if length < size else "damaged"
            report["damaged"][file] = f"{path}: {state}: {length} of {size} bytes; {again}"
            states.append(state)
    return states


def _read(
    report: Report, module: Any, cfg: Any, raw: Path, places: Sequence[Path], jobs: int
) -> list[str]:
    """Read all files: those of `raw`, or of `places` where nothing was fetched."""
    if hasattr(module, "read_member"):
        outcomes = parse.outcomes(module, raw, jobs, folders=places, said=report["notes"])
        return _counted(report, module, cfg, outcomes)
    if not places:
        return _folder(report, module, cfg, raw)
    with TemporaryDirectory() as folder:
        for remote in module.SPEC.remotes:
            place = _placed(remote, places)
            if place and place.file and place.file.suffix in archives.SUFFIXES:
                archives.unpack(place.file, Path(folder), remote.members, report["damaged"])
            elif place:
                Source(remote, "", place.file, loose=place.loose).place(Path(folder))
        return ["damaged"] if report["damaged"] else _folder(report, module, cfg, Path(folder))


def _folder(report: Report, module: Any, cfg: Any, folder: Path) -> list[str]:
    """A small data set, whose reader stops at the first damaged file: so every file is looked at by itself first."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if kind_of(path):
            file = examine_file(path)
            if not file["ok"]:
                report["damaged"][path.name] = file["damage"]
    if report["damaged"]:
        return ["damaged"]
    report["notes"] += parse.remarks(module, folder)
    return _counted(report, module, cfg, _one_by_one(module, folder))


def _one_by_one(module: Any, folder: Path) -> Iterator[parse.Outcome]:
    for clip in module.read(folder):
        yield parse.Outcome(members.Member(clip.name), [clip])


def _counted(report: Report, module: Any, cfg: Any, outcomes: Iterable[parse.Outcome]) -> list[str]:
    """Clips, frames and bodies of all files, and both sides of every split, beside what is expected."""
    sides: dict[str, Counter[str]] = {split: Counter() for split in module.SPEC.splits}
    frames, bodies, files = list[int](), Counter[int](), list[str]()
    for outcome in outcomes:
        files.append(outcome.member.file)
        if outcome.damage:
            report["damaged"][outcome.member.file] = outcome.damage
        for clip in outcome.clips:
            frames.append(len(clip.xyz))
            bodies[clip.xyz.shape[2] if clip.xyz.any() else 0] += 1
            for split, rule in module.SPEC.splits.items():
                sides[split][rule(clip)] += 1
    expected = module.expected(cfg) if hasattr(module, "expected") else module.SPEC.expected
    splits = {
        split: {"found": [side["train"], side["test"]], "expected": list(expected.get(split, ()))}
        for split, side in sides.items()
    }
    report |= {
        "files": len(files),
        "clips": len(frames),
        "frames": sum(frames),
        "shortest": min(frames, default=0),
        "longest": max(frames, default=0),
        "clips_by_bodies": dict(sorted(bodies.items())),
        "absent": module.absent(files) if hasattr(module, "absent") else [],
        "splits": splits,
    }
    if report["damaged"]:
        return ["damaged"]
    wrong = [
        split
        for split in splits.values()
        if split["expected"] and split["found"] != split["expected"]
    ]
    return ["incomplete"] if wrong else []


def text(report: Report) -> str:
    """A report as lines a person reads."""
    title = report.get("dataset") or report["file"]
    lines = [f"{title}: {_said(report)}"]
    if "damage" in report:
        return _printable(f"{lines[0]}: {report['damage']}\n")
    lines += [f"  {name}: {where}" for name, where in report.get("found", {}).items()]
    lines += [f"  {name}: missing" for name in report.get("missing", [])]
    lines += [f"  get it: {report['how_to_get']}"] if report.get("how_to_get") else []
    told = {"dataset", "file", "ok", "state", "found", "missing", "how_to_get"}
    told |= {"damaged", "gone", "absent", "splits", "notes"}
    lines += [
        f"  {key.replace('_', ' ')}: {value}" for key, value in report.items() if key not in told
    ]
    for split, counts in report.get("splits", {}).items():
        found, expected = (
            " + ".join(f"{n:,}" for n in counts[key]) for key in ("found", "expected")
        )
        lines.append(
            f"  {split}: {found} clips"
            + (f", expected {expected}" * (bool(expected) and expected != found))
        )
    lines += _some("wrong", list(report.get("damaged", {}).values()))
    for key in ("gone", "absent", "notes"):
        lines += _some(key, report.get(key, []))
    return _printable("\n".join(lines) + "\n")


def _said(report: Report) -> str:
    """The state of a set or file in words."""
    state = report["state"]
    if report["ok"]:
        return f"ok, {state}"
    return state if state == "missing" and "dataset" in report else f"NOT OK, {state}"


def _printable(text: str) -> str:
    """Names of files that are no UTF-8 as escapes: standard output does not take them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _some(what: str, entries: list[str]) -> list[str]:
    rest = len(entries) - SHOWN
    lines = [f"  {what}: {len(entries)}"] * bool(entries) + [
        f"    {entry}" for entry in entries[:SHOWN]
    ]
    return lines + [f"    and {rest} more (--json names all)"] * (rest > 0)
