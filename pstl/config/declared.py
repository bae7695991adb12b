"""Data sets that settings declare, without a module of their own: `NAME: {kind: KIND, ...}`, under
`datasets` of params.yaml or of a suite."""

from collections.abc import Iterator, Mapping
from typing import Any

from pstl.config.cells import NAME
from pstl.config.document import Document
from pstl.config.validation import Where, known, shortened
from pstl.errors import UserError
from pstl.registry import names

Documents = Mapping[str, Document]  # "" -> params.yaml, suite -> its file
KIND = "kind"
TAKEN = ("archives",)  # folders of data/raw that hold something else


def section_of(documents: Documents, name: str) -> Mapping[str, Any] | None:
    """What declares the data set of this name: in params.yaml, else in the first suite; or None."""
    return next((section for _, other, section in _every(documents) if other == name), None)


def names_of(documents: Documents) -> list[str]:
    """Every data set that is declared."""
    return sorted({name for _, name, _ in _every(documents)})


def check_declared(documents: Documents, suite: str) -> None:
    """Check what one file declares. Raises: UserError that names the place.

    suite: whose file; "": params.yaml.
    """
    if suite not in documents:
        return
    for name, section in _datasets(documents[suite]).items():
        place = Where("", ((documents[suite], ()),)).below("datasets", name)
        if not isinstance(section, dict) or KIND not in section:
            if suite:
                only = "only params.yaml has settings of the data sets that there are"
                raise UserError(f"{place.text()}: no {KIND}; {only}")
            continue
        if not isinstance(name, str) or not NAME.fullmatch(name):
            expected = "letters, digits and _ . + - (the first a letter or digit)"
            raise UserError(f"{place.text()}: {shortened(name)} is no name; expected {expected}")
        if name in names("data.datasets"):
            raise UserError(f"{place.text()}: {name} is a data set that there is; rename yours")
        if name.lower() in TAKEN:
            raise UserError(f"{place.text()}: data/raw/{name} is the folder of archives; rename it")
        known(section[KIND], names("data.kinds"), "kind of data set", place.below(KIND))
        others = [file for file, other, _ in _every(documents) if other == name and file != suite]
        if suite and others:
            other = documents[others[0]].path
            raise UserError(f"{place.text()}: {other} declares {name} already; rename one")


def _every(documents: Documents) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(suite, name, section) of every declared data set, those of params.yaml first.

    Files are read one after the other, as they are asked for; one that cannot be read declares
    nothing, and stops whoever asks for its suite.
    """
    for suite in documents:
        try:
            datasets = _datasets(documents[suite])
        except UserError:
            continue
        for name, section in datasets.items():
            if isinstance(section, dict) and KIND in section:
                yield suite, name, section


def _datasets(document: Document) -> Mapping[str, Any]:
    content = document.content if isinstance(document.content, dict) else {}
    datasets = content.get("datasets")
    return datasets if isinstance(datasets, dict) else {}
