"""What is here, what is missing, what is damaged: said before hours are spent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pstl.config import validated
from pstl.contracts import Dataset
from pstl.data import archives, members, parse, pool
from pstl.data.describe import Report, state_of
from pstl.data.fetch import Source, meant
from pstl.data.out_folder import KEPT
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError, trouble
from pstl.records import DatasetConfig
from pstl.registry import load_dataset

SHOWN = 20  # files named in text; --json names all
# missing: not all of it is here.   not fetched: whole, and `fetch` was not run.
# truncated: shorter than it says, or than it was.   damaged: other than it was.
# incomplete: whole files, other counts than the literature's.   ambiguous: two copies of a file.
FINE = ("whole", "not fetched")
HARMLESS = (*FINE, "missing")  # of sets that nobody asked for by name
WORST_FIRST = ("truncated", "damaged", "ambiguous", "missing", "incomplete", "not fetched", "whole")


@dataclass
class Examination:
    """One data set under examination.

    raw: the folder that `fetch` makes.   archives: folders searched where nothing was fetched.
    report: what was found out so far, see examine().
    """

    dataset: Dataset
    cfg: DatasetConfig
    raw: Path
    archives: tuple[Path, ...]
    jobs: int
    report: Report


def examine(
    name: str, settings: dict[str, Any], raw: Path, folders: Sequence[Path], jobs: int | None = None
) -> Report:
    """Read every file of a data set and count: {dataset, ok, state, found, missing, ...}.

    raw: the folder that `fetch` makes; when it was made, it and what it points at are judged, else
    what lies in `folders`.   found: remote -> where.   missing: [remote, ...].   how_to_get: it.
    damaged: file -> reason.   gone: files that were fetched.
    Of files that could be read: files, clips, frames, clips_by_bodies, absent (what a complete set
    has besides, where that can be told), splits (found beside expected), notes.
    Nothing that is wrong with a file is an error.
    """
    report: Report = {"dataset": name, "ok": False, "state": "missing", "found": {}, "missing": []}
    report |= {"how_to_get": "", "damaged": {}, "gone": [], "notes": []}
    try:
        dataset = load_dataset(name)
        cfg = validated(dataset.Config, settings, f"datasets.{name}")
        places = [] if is_fetched(raw) else [*folders, raw.parent / KEPT]
        present = tuple(place for place in places if place.exists())
        cores = jobs or pool.cores()
        states = _states(Examination(dataset, cfg, raw, present, cores, report))
    except (UserError, OSError) as error:
        damage = trouble(error, raw) if isinstance(error, OSError) else str(error)
        report["damaged"] = report["damaged"] | {name: damage}
        states = [state_of(error)]
    report["state"] = next(state for state in WORST_FIRST if state in states)
    report["ok"] = report["state"] in FINE
    return report


def _states(this: Examination) -> list[str]:
    """Every state that something of the set is in. Fills the report."""
    spec, report = this.dataset.spec, this.report
    fetched = is_fetched(this.raw)
    if not spec.remotes and not fetched:
        report["how_to_get"] = f"python -m pstl fetch {spec.name} --out {this.raw}"
        place = this.dataset.place()
        if place is None:
            return ["not fetched"]
        report["found"] = {spec.name: str(place)}
        return ["not fetched", *_counted(this, members.DatasetFiles(spec, place))]
    states = _changed_since(this) if fetched else _located(this)
    if not set(states) - {*FINE, "incomplete"}:
        states += _read(this)
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


def _located(this: Examination) -> list[str]:
    """Where the files of every remote lie that nobody has fetched, and whether its archive
    opens."""
    spec, report = this.dataset.spec, this.report
    states, lacking = ["not fetched"], []
    for remote in spec.remotes:
        try:
            location = _location(remote, this.archives)
        except archives.Foreign as error:
            report["notes"].append(str(error))
            location = None
        except UserError as error:
            report["damaged"][remote.filename] = str(error)
            states.append(state_of(error))
            continue
        if location is None:
            report["missing"].append(remote.filename + " (optional)" * remote.optional)
            lacking += [] if remote.optional else [remote]
        elif location.file:
            report["found"][remote.filename] = str(location.file)
        else:
            loose = location.loose
            report["found"][remote.filename] = f"{len(loose)} files in {loose[0].parent}"
    if lacking:
        states.append("missing")
        links = [remote.url for remote in lacking if remote.url and not spec.on_request]
        report["how_to_get"] = " or ".join(filter(None, [*links, spec.how_to_get]))
    return states


def _location(remote: Remote, folders: Sequence[Path]) -> members.Location | None:
    """Where one remote is.

    Raises: UserError if its archives are all broken, or differ and none is known.
    """
    location = members.locate(remote, folders) if folders else None
    if not isinstance(location, list):
        return location
    path = location[0] if len(location) == 1 else meant(remote, location)[0]
    archived = members.Location(file=path)
    if remote.in_place:
        archived.members(remote)  # each file by its name, so none may be there twice
    elif path.suffix in archives.SUFFIXES:
        archives.check(path, remote)
    return archived


def _changed_since(this: Examination) -> list[str]:
    """What of a fetched set is not any more as `fetch` left it.

    Files by their sizes, archives that are read where they lie.
    """
    spec, report, raw = this.dataset.spec, this.report, this.raw
    manifest = members.manifest(raw)
    again = f"run 'python -m pstl fetch {spec.name} --out {raw}' again"
    sources = {source["file"]: source["from"] for source in manifest.get("sources", [])}
    report["found"] = sources or {spec.name: str(raw)}
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


def _read(this: Examination) -> list[str]:
    """Read all files, archives that are not read in place from a folder they are unpacked to."""
    spec = this.dataset.spec
    if not this.archives or _reads_in_place(spec):
        return _counted(this, members.DatasetFiles(spec, this.raw, this.archives))
    with TemporaryDirectory() as folder:
        for remote in spec.remotes:
            location = _location(remote, this.archives)
            if location and location.file and location.file.suffix in archives.SUFFIXES:
                damaged = this.report["damaged"]
                archives.unpack(location.file, Path(folder), remote, damaged)
            elif location:
                source = Source(remote, "", location.file, loose=location.loose)
                source.copy_into(Path(folder))
        if this.report["damaged"]:
            return ["damaged"]
        return _counted(this, members.DatasetFiles(spec, Path(folder)))


def _reads_in_place(spec: DatasetSpec) -> bool:
    return any(remote.in_place for remote in spec.remotes)


def _counted(this: Examination, places: members.DatasetFiles) -> list[str]:
    """Clips, frames and bodies of all files, and both sides of every split beside the expected."""
    dataset, report, spec = this.dataset, this.report, this.dataset.spec
    sides: dict[str, Counter[str]] = {split: Counter() for split in spec.splits}
    frames, bodies, files = list[int](), Counter[int](), list[str]()
    for outcome in parse.outcomes(dataset, places, this.jobs, remarks=report["notes"]):
        files.append(outcome.member.file)
        if outcome.damage:
            report["damaged"][outcome.member.file] = outcome.damage
        for clip in outcome.clips:
            frames.append(len(clip.xyz))
            bodies[clip.xyz.shape[2] if clip.xyz.any() else 0] += 1
            for split, rule in spec.splits.items():
                sides[split][rule(clip)] += 1
    if report["damaged"] and not _reads_in_place(spec):
        return ["damaged"]
    report |= {
        "files": len(files),
        "clips": len(frames),
        "frames": sum(frames),
        "shortest": min(frames, default=0),
        "longest": max(frames, default=0),
        "clips_by_bodies": dict(sorted(bodies.items())),
        "absent": dataset.absent(files),
    }
    expected = dataset.expected(this.cfg)
    report["splits"] = splits = {}
    for split, side in sides.items():
        counts = [side["train"], side["test"]]
        splits[split] = {"found": counts, "expected": list(expected.get(split, ()))}
    if report["damaged"]:
        return ["damaged"]
    wrong = [counts["expected"] not in ([], counts["found"]) for counts in splits.values()]
    return ["incomplete"] if any(wrong) else []


def text(report: Report) -> str:
    """A report as lines a person reads."""
    title = report.get("dataset") or report["file"]
    lines = [f"{title}: {_state_in_words(report)}"]
    if "damage" in report:
        return _printable(f"{lines[0]}: {report['damage']}\n")
    lines += [f"  {name}: {where}" for name, where in report.get("found", {}).items()]
    lines += [f"  {name}: missing" for name in report.get("missing", [])]
    if report.get("how_to_get"):
        lines.append(f"  get it: {report['how_to_get']}")
    special = {"dataset", "file", "ok", "state", "found", "missing", "how_to_get"}
    special |= {"damaged", "gone", "absent", "splits", "notes"}
    for key, value in report.items():
        if key not in special:
            lines.append(f"  {key.replace('_', ' ')}: {value}")
    for split, counts in report.get("splits", {}).items():
        found, expected = (_both_sides(counts[key]) for key in ("found", "expected"))
        otherwise = f", expected {expected}" * (bool(expected) and expected != found)
        lines.append(f"  {split}: {found} clips{otherwise}")
    lines += _first_ones("wrong", list(report.get("damaged", {}).values()))
    for key in ("gone", "absent", "notes"):
        lines += _first_ones(key, report.get(key, []))
    return _printable("\n".join(lines) + "\n")


def _both_sides(counts: Sequence[int]) -> str:
    return " + ".join(f"{count:,}" for count in counts)


def _state_in_words(report: Report) -> str:
    """The state of a set or file."""
    state: str = report["state"]
    if report["ok"]:
        return f"ok, {state}"
    return state if state == "missing" and "dataset" in report else f"NOT OK, {state}"


def _printable(text: str) -> str:
    """Names of files that are no UTF-8 as escapes: standard output does not take them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _first_ones(title: str, entries: list[str]) -> list[str]:
    """How many there are, and the first of them."""
    if not entries:
        return []
    rest = len(entries) - SHOWN
    lines = [f"  {title}: {len(entries)}", *(f"    {entry}" for entry in entries[:SHOWN])]
    return [*lines, f"    and {rest} more (--json names all)"] if rest > 0 else lines
