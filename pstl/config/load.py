"""params.yaml and the files of suites/ beside it, read and checked once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pstl import environment
from pstl.config import declared
from pstl.config.assemble import Lazily, assemble, check_all
from pstl.config.checks import check_name
from pstl.config.document import Document, read
from pstl.config.params import Params, Settings
from pstl.config.suites import Suite
from pstl.config.validation import Where, validated
from pstl.errors import UserError
from pstl.registry import declare_by

FOLDER = "suites"  # beside params.yaml
ENDS = (".yaml", ".yml")
UPGRADE = "see 'Upgrading settings' in CHANGELOG.md"


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check the settings; a suite is read, and checked, when it is asked for.

    path: params.yaml; after it, behind colons, files of suites that do not lie in suites/.
    Raises: UserError naming file, line, key, what was found and what was expected.
    """
    documents = documents_of(path)
    document = documents[""]
    settings: Settings = validated(Settings, _current(document), _where(document))

    def suite(name: str) -> Suite:
        content: Suite = validated(Suite, documents[name].content, _where(documents[name]))
        return content

    environment.name_settings(str(path))
    _READ[_settings()] = documents
    suites = Lazily([name for name in documents if name], suite)
    return assemble(settings, suites, documents)


def documents_of(path: str | Path) -> Mapping[str, Document]:
    """The files of the settings, "" params.yaml and each suite by its name, read when asked for.

    path: as load() takes it.   Raises: UserError for two suites of one name.
    """
    main, *others = str(path).split(os.pathsep)
    document = read(main)
    files: dict[str, Path] = {}
    for file in (*_suite_files(Path(main).parent / FOLDER), *map(Path, others)):
        name = suite_name(file)
        check_name(name, f"{file}: a suite is called like its file, and")
        if name in files:
            raise UserError(f"{file}: {files[name]} is called so already; rename one")
        files[name] = file

    return Lazily(("", *files), lambda name: read(files[name]) if name else document)


# The settings that this process knows: their files -> what was read of them.
_READ: dict[str, Mapping[str, Document]] = {}


def documents_here() -> Mapping[str, Document]:
    """The settings of this process, whoever named them: load(), the command line, or the process
    that started this one. {}: there are none."""
    files = _settings()
    if files not in _READ:
        is_there = os.path.isfile(files.split(os.pathsep)[0])
        _READ[files] = documents_of(files) if is_there else {}
    return _READ[files]


def _settings() -> str:
    return os.pathsep.join(environment.settings_files())


declare_by(
    lambda name: declared.section_of(documents_here(), name),
    lambda: declared.names_of(documents_here()),
)


def from_sections(settings: Settings, suites: dict[str, Suite]) -> Params:
    """Settings that were read, every suite checked. Raises: UserError as load() does."""
    params = assemble(settings, suites, {})
    check_all(params)
    return params


def suite_name(suite: str | Path) -> str:
    """Name of a suite that may be given as its file.

    >>> suite_name("mine/short.yaml"), suite_name("ntu60")
    ('short', 'ntu60')
    """
    path = Path(suite)
    return path.stem if path.suffix in ENDS else str(suite)


def load_suite(path: str | Path, suite: str) -> tuple[Params, str]:
    """Settings, and the name of a suite that may be given as its file and is checked; "" is none.

    Raises: UserError as load() does, and for what is wrong with the suite.
    """
    params, name = load(params_with(str(path), suite)), suite_name(suite)
    if name:
        params.grid(name)
    return params, name


def params_with(params: str, suite: str) -> str:
    """What load() is given for a suite that may be given as its file, and lie anywhere.

    Raises: UserError for a file that is not there.
    """
    path = Path(suite)
    own_folder = Path(params.split(os.pathsep)[0]).parent / FOLDER
    is_file, is_name = path.suffix in ENDS, os.sep not in suite
    if (is_file and not path.is_file()) or not (is_file or is_name):
        reason = f"a suite's file ends in {ENDS[0]}" if path.is_file() else "no such file"
        raise UserError(f"{suite}: {reason}; name a suite of {own_folder}/ or the file of one")
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
