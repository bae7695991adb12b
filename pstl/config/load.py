"""params.yaml and the files of suites/ beside it, read and checked once."""

import os
from pathlib import Path
from typing import Any

from pstl.config.checks import check_name, check_names, check_references
from pstl.config.document import Document, read
from pstl.config.params import Params, Settings, assemble
from pstl.config.suites import Suite
from pstl.config.validation import Where, validated
from pstl.errors import UserError

FOLDER = "suites"  # beside params.yaml
ENDS = (".yaml", ".yml")
UPGRADE = "see 'Upgrading settings' in CHANGELOG.md"


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the settings and every suite.

    path: params.yaml; after it, behind colons, files of suites that do not lie in suites/.
    Raises: UserError naming file, line, key, what was found and what was expected.
    """
    main, *others = str(path).split(os.pathsep)
    document = read(main)
    settings: Settings = validated(Settings, _current(document), _where(document))
    files = [*_suite_files(Path(main).parent / FOLDER), *map(Path, others)]
    documents: dict[str, Document] = {}
    for file in files:
        name = suite_name(file)
        check_name(name, f"{file}: a suite is called like its file, and")
        if name in documents:
            raise UserError(f"{file}: {documents[name].path} is called so already; rename one")
        documents[name] = read(file)
    suites = {
        name: validated(Suite, each.content, _where(each)) for name, each in documents.items()
    }
    documents[""] = document
    return from_sections(settings, suites, documents)


def from_sections(
    settings: Settings, suites: dict[str, Suite], documents: dict[str, Document] | None = None
) -> Params:
    """Settings that were read, checked together. Raises: UserError as load() does."""
    documents = documents or {}
    check_references(settings, suites, documents)
    params = assemble(settings, suites, documents)
    check_names(params)
    return params


def suite_name(suite: str | Path) -> str:
    """Name of a suite that may be given as its file.

    >>> suite_name("mine/short.yaml"), suite_name("ntu60")
    ('short', 'ntu60')
    """
    path = Path(suite)
    return path.stem if path.suffix in ENDS else str(suite)


def load_suite(path: str | Path, suite: str) -> tuple[Params, str]:
    """Settings, and the name of a suite that may be given as its file.

    Raises: UserError as load() does.
    """
    return load(params_with(str(path), suite)), suite_name(suite)


def params_with(params: str, suite: str) -> str:
    """What load() is given for a suite that may be given as its file, and lie anywhere.

    Raises: UserError for a file that is not there.
    """
    path = Path(suite)
    own_folder = Path(params.split(os.pathsep)[0]).parent / FOLDER
    if path.suffix in ENDS and not path.is_file():
        raise UserError(f"{suite}: no such file; name a suite of {own_folder}/ or the file of one")
    if path.suffix not in ENDS or path.resolve().parent == own_folder.resolve():
        return params
    return os.pathsep.join([params, os.path.abspath(suite)])


def _suite_files(folder: Path) -> list[Path]:
    """The suites beside params.yaml; files that editors and file systems hide are none."""
    files = [file for file in sorted(folder.glob("*")) if not file.name.startswith(".")]
    for file in files:
        if file.suffix == ENDS[1]:
            raise UserError(f"{file}: suites there end in {ENDS[0]}; rename it")
    return [file for file in files if file.suffix == ENDS[0]]


def _current(document: Document) -> Any:
    """The content of params.yaml. Raises: UserError for one of the time before suites/."""
    content = document.content
    if isinstance(content, dict) and "suites" in content:
        line = document.lines[("suites",)]
        raise UserError(
            f"{document.path}, line {line}: suites are files now; move each suite to "
            f"{FOLDER}/NAME.yaml, {UPGRADE}"
        )
    return content


def _where(document: Document) -> Where:
    return Where("", ((document, ()),))
