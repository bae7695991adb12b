"""What must hold between suites: encoders that one takes from another, and who trained them."""

from collections.abc import Collection, Mapping

from pstl.config.params import Params, entries_of
from pstl.config.suites import Suite
from pstl.config.validation import Where, known
from pstl.errors import UserError


def check_reuse(name: str, suite: Suite, suites: Mapping[str, Suite], where: Where) -> None:
    """The suite whose encoders are used trains them. Raises: UserError naming it."""
    reused = suite.reuse_encoders_from
    if not reused:
        return
    place = where.below("reuse_encoders_from")
    known(reused, suites, f"suite in {name}.reuse_encoders_from", place)
    if suites[reused].reuse_encoders_from:
        raise UserError(
            f"{place.text()}: {reused} uses the encoders of another suite itself; "
            "name the one that trains them"
        )


def check_same_encoders(params: Params, suite: str) -> None:
    """What a suite reuses must be what it would train itself. Raises: UserError."""
    reused = params.suite_named(suite).reuse_encoders_from
    for method in dict.fromkeys(run.method for run in params.runs(suite) if run.suite != suite):
        here, there = params.method(suite, method), params.method(reused, method)
        if here.model_dump() != there.model_dump():
            place = entries_of(params, suite).where("methods", method).text()
            raise UserError(
                f"{place}: has other settings than in {reused}, whose encoders are used; "
                "make them equal"
            )


def check_imported(params: Params, suites: Collection[str]) -> None:
    """One rule makes the encoders of an entry, whatever the suite: it is told by its name.

    Raises: UserError for an entry that is trained in one of the suites and imported in another.
    """
    trained: dict[str, str] = {}
    imported: dict[str, str] = {}
    for suite in suites:
        for name, method in params.grids[suite].methods.items():
            (imported if method.weights else trained)[name] = suite
    for name in sorted(trained.keys() & imported.keys()):
        place = entries_of(params, imported[name]).where("methods", name).below("weights")
        raise UserError(
            f"{place.text()}: {name} is trained in the suite {trained[name]} and others' weights "
            f"in {imported[name]}; call one of the two otherwise, with 'base: {name}'"
        )
