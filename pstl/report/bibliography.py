"""sources.bib: where printed numbers stand, and the papers whose methods and data are used."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pstl.files import Kind, reading
from pstl.report.paper import WORK
from pstl.report.tex import escaped, url

CITED = Kind("list of citations", "take it from git again")
CITATION = Path("CITATION.cff")  # of the checkout that one stands in
SEPARATOR = " ; "  # between the sources of one number
PREPRINT = re.compile(r"arXiv (\d{4}\.\d{4,5})")


class Bibliography:
    """Entries by their keys; a work that is named twice has one entry."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def keys(self, source: str) -> list[str]:
        """Keys of the works that a source of a published number names."""
        named = []
        for part in source.split(SEPARATOR):
            work = WORK.search(part)
            if work:
                key = key_of(work[0])
                self.entries.setdefault(key, _of_work(key, work[0], part))
                named.append(key)
        return list(dict.fromkeys(named))

    def add(self, references: Iterable[Mapping[str, Any]]) -> None:
        """Entries of a CITATION.cff."""
        for reference in references:
            key = _key_of_reference(reference)
            self.entries.setdefault(key, _of_reference(key, reference))

    def __str__(self) -> str:
        return "\n\n".join(self.entries.values()) + "\n" if self.entries else ""


def references(path: Path = CITATION) -> list[dict[str, Any]]:
    """What a CITATION.cff names; nothing where there is none."""
    if not path.is_file():
        return []
    with reading(path, CITED):
        content = yaml.safe_load(path.read_text("utf-8"))
        return list(content.get("references", []))


def key_of(work: str) -> str:
    """A key for an arXiv number, doi or address.

    >>> key_of("arXiv 2609.35444"), key_of("https://github.com/a/B_c")
    ('arXiv:2609.35444', 'github.com/a/B-c')
    """
    work = work.removeprefix("https://").removeprefix("doi:").replace("arXiv ", "arXiv:")
    return re.sub(r"[^A-Za-z0-9:./+-]+", "-", work).strip("-./")


def _of_work(key: str, work: str, source: str) -> str:
    """source: the words around the work: who printed it, and in which table."""
    who = source.replace(work, "").split("(")[0].strip(" ,;") or key
    fields = {"title": f"{{{escaped(who)}}}"}
    preprint = PREPRINT.fullmatch(work)
    if preprint:
        fields |= {"eprint": preprint[1], "archiveprefix": "arXiv"}
        work = f"https://arxiv.org/abs/{preprint[1]}"
    elif work.startswith("doi:"):
        work = f"https://doi.org/{work.removeprefix('doi:')}"
    return _entry("misc", key, {**fields, "howpublished": url(work)})


def _key_of_reference(reference: Mapping[str, Any]) -> str:
    """First author, year and first word of the title."""
    author = reference["authors"][0]
    name = author.get("family-names") or author.get("name", "")
    words = re.findall(r"[A-Za-z0-9]+", f"{name}")
    title = re.findall(r"[A-Za-z0-9]{4,}", reference["title"])
    parts = [*words[:1], str(reference.get("year", "")), *title[:1]]
    return "".join(parts).lower()


def _of_reference(key: str, reference: Mapping[str, Any]) -> str:
    names = []
    for author in reference["authors"]:
        family, given = author.get("family-names", ""), author.get("given-names", "")
        whole = f"{{{escaped(author.get('name', ''))}}}"
        names.append(f"{escaped(family)}, {escaped(given)}" if family else whole)
    fields = {"author": " and ".join(names), "title": f"{{{escaped(reference['title'])}}}"}
    where = reference.get("conference", {}).get("name") or reference.get("journal", "")
    kind = "inproceedings" if where else "misc"
    if where:
        fields["booktitle"] = escaped(where)
    if "year" in reference:
        fields["year"] = str(reference["year"])
    return _entry(kind, key, fields)


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
