"""The page of licences, made of what is installed and of the data sets' facts.

python -m supply.licences docs/licences.md

A package of another system is not installed here: its row stays as it was read where it was.
"""

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pstl import registry
from supply import lock

UNREAD = "not read: it belongs to another system"
UNSTATED = "not stated"
NAMED = re.compile(r"MIT|BSD|Apache|GPL|MPL|EPL|ISC|PSF|ZPL|CC0|NVIDIA|Public Domain|Unlicense")
MIT_TEXT = "Permission is hereby granted, free of charge"
# What asks of others more than to be named, in the order in which it is told.
KINDS = {
    "GPL": re.compile(r"(?<![AL])GPL|GNU General Public"),
    "LGPL": re.compile(r"LGPL|GNU Lesser"),
    "MPL, EPL": re.compile(r"MPL|Mozilla|EPL|Eclipse"),
    "proprietary": re.compile(r"Proprietary|NVIDIA", re.IGNORECASE),
}
ROW = re.compile(r"^\| ([a-z0-9-]+) \| (\d\S*) \| (.*) \| (.*) \|$", re.MULTILINE)
TOP = """# Licences

Made by `make docs`; a test holds it to what is installed. This project is under the MIT licence
([LICENSE](../LICENSE)). It holds no code of others: what follows is what it needs, or reads.

## Data

What owners ask of those who use their recordings, as far as it could be found; no recording is part
of this project, and encoders trained on some are under the same terms ([hub](../hub)).
[datasets.md](datasets.md) says how to get each.

| data set | terms |
| --- | --- |
"""
PACKAGES = """
## Packages

All that `requirements.lock` and `requirements-cuda.lock` install, as its own metadata says.
`for`: the first of `base` (pretrain, evaluate, embed and predict need nothing else), `workflow`,
`test`, `docs` and `lock` that needs it; `CUDA`: only torch's CUDA build does.

"""
CAREFUL = """\
They are imported or started as they come; none of their code is part of this project or of its
wheel. An image made by the Dockerfile holds copies: who passes it on passes them on, and does what
these licences ask. Of the GPL family are {family}, {for_base} of them for `base`.
"""


def page(root: Path, before: str) -> str:
    """The whole page.   before: as it was, for rows of packages that are not installed here."""
    rows = package_rows(root, before)
    lines = [f"| `{name}` | {_cell(terms)} |" for name, terms in sorted(data_terms().items())]
    text = TOP + "\n".join(lines) + "\n" + PACKAGES + _careful(rows)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    head = "\n| package | version | licence | for |\n| --- | --- | --- | --- |\n"
    return text + head + "\n".join(lines) + "\n"


def data_terms() -> dict[str, str]:
    """Data set -> what its owners ask."""
    names = registry.names("data.datasets")
    return {name: registry.load_dataset(name).spec.licence for name in names}


def package_rows(root: Path, before: str) -> list[tuple[str, str, str, str]]:
    """Name, version, licence and what it is for, of every locked package."""
    common = lock.split((root / lock.LOCK).read_text())
    cuda = lock.split((root / lock.CUDA_LOCK).read_text())
    kept = {name: (licence, use) for name, _, licence, use in ROW.findall(before)}
    uses = used_for(root)
    rows = []
    for name, entry in sorted((common | cuda).items()):
        licence, use = kept.get(name, (UNREAD, "other systems"))
        licence = licence_of(name) or licence
        use = "CUDA" if name in cuda else uses.get(name, use)
        rows.append((name, lock.version(entry), licence, use))
    return rows


def licence_of(name: str) -> str | None:
    """What a package says its licence is; None: it is not installed."""
    try:
        about = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return None
    words = str(about.get("license_expression") or about.get("license") or "")
    if "\n" not in words and NAMED.search(words):
        return _cell(words)
    classifiers = about.get("classifier", [])
    last = [each.split(" :: ")[-1] for each in classifiers if each.startswith("License :: ")]
    stated = [each for each in last if each not in ("OSI Approved", "DFSG approved")]
    if stated:
        return _cell(", ".join(stated))
    return "MIT" if MIT_TEXT in _text_of_licence(name) else UNSTATED


def used_for(root: Path) -> dict[str, str]:
    """Package -> the first part of the project that needs it, of those that are installed."""
    uses: dict[str, str] = {}
    for part, requirements in lock.asked(root).items():
        waiting = list(requirements)
        seen: set[tuple[str, tuple[str, ...]]] = set()
        while waiting:
            requirement = waiting.pop()
            name, extras = plain_name(requirement), tuple(sorted(requirement.extras))
            if (name, extras) not in seen:
                seen.add((name, extras))
                uses.setdefault(name, part)
                waiting += needs(name, extras)
    return uses


def plain_name(requirement: Requirement) -> str:
    """A package's name as registries and the lock files write it."""
    return canonicalize_name(requirement.name)


def needs(name: str, extras: tuple[str, ...] = ()) -> list[Requirement]:
    """What an installed package needs on this system, with extras of it; nothing if it is not."""
    try:
        stated = [Requirement(line) for line in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return []
    return [
        each
        for each in stated
        if each.marker is None
        or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def _careful(rows: list[tuple[str, str, str, str]]) -> str:
    """Those whose licences ask more than to be named, plainly."""
    lines: list[str] = []
    family: list[str] = []  # what each of the GPL family is for
    for kind in KINDS:
        for name, _, licence, use in rows:
            if kind == kind_of(licence):
                lines.append(f"| {kind} | {name} | {licence} | {use} |")
                family += [use] if "GPL" in kind else []
    head = "| kind | package | licence | for |\n| --- | --- | --- | --- |\n"
    told = CAREFUL.format(family=len(family), for_base=family.count("base") or "none")
    return head + "\n".join(lines) + f"\n\n{told}"


def kind_of(licence: str) -> str:
    """The first kind of licence that asks more than to be named; empty: none."""
    return next((kind for kind, pattern in KINDS.items() if pattern.search(licence)), "")


def _text_of_licence(name: str) -> str:
    files = metadata.files(name) or []
    named = [file for file in files if file.name.upper().startswith(("LICEN", "COPYING"))]
    return "".join(file.read_text() for file in named[:1])


def _cell(words: str) -> str:
    """Words that stay in one cell of a table."""
    return " ".join(words.replace("|", "or").split())


def main() -> None:
    """The command line."""
    file = Path(sys.argv[1])
    file.write_text(page(lock.ROOT, file.read_text() if file.exists() else ""))


if __name__ == "__main__":
    main()
