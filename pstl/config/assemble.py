"""Settings and suites put together: each suite is read, spanned and checked when it is asked for.

So a mistake in one suite stops whoever asks for it, and nobody else.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from pstl.config.between_suites import check_imported
from pstl.config.checks import check_names, check_references, check_shared
from pstl.config.document import Document
from pstl.config.grid import Encoders, Grid, build_grid
from pstl.config.params import Params, Settings, entries_in_file
from pstl.config.suites import Suite

Value = TypeVar("Value")


class Lazily(Mapping[str, Value]):
    """Values by name, each made when it is first asked for.

    make: name -> value.   check: is told the name once the value can be looked up; a value that it
    refuses is not kept.
    """

    def __init__(
        self,
        names: Collection[str],
        make: Callable[[str], Value],
        check: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._names, self._make, self._check = tuple(names), make, check
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
            try:
                self._check(name)
            except BaseException:
                del self._made[name]
                raise
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def assemble(
    settings: Settings, suites: Mapping[str, Suite], documents: Mapping[str, Document]
) -> Params:
    """Settings with the grid of every suite, made when it is asked for.

    Raises: UserError for a mistake in what all suites share; of a suite, where it is asked for.
    """

    def grid(name: str) -> Grid:
        check_references(settings, name, suites, documents)
        suite = suites[name]
        reused = suite.reuse_encoders_from
        runs = frozenset(grids[reused].runs) if reused else frozenset()
        encoders = Encoders(reused, runs, suite.encoder_seeds)
        return build_grid(name, suite, entries_in_file(params, name), encoders)

    grids = Lazily(suites, grid, lambda name: check_names(params, name))
    content = {name: getattr(settings, name) for name in Settings.model_fields}
    params = Params(**content, suites=suites, documents=documents, grids=grids)
    check_shared(params)
    return params


def check_all(params: Params) -> None:
    """Every suite, alone and beside the others. Raises: UserError for the first mistake."""
    for suite in params.suites:
        params.grid(suite)
    check_imported(params, list(params.suites))
