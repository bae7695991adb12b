"""Verbs that say what is here, what is wrong with it and what a suite will cost."""

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from pstl.commands import options
from pstl.commands.verb import say


def check(
    suite: Annotated[
        str | None, Option(metavar="NAME", help="Name of a suite.  [default: every suite]")
    ] = None,
    schema: Annotated[
        bool, Option("--schema", help="Print a JSON schema of all settings, for editors, instead.")
    ] = False,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Check params.yaml and suites/, plug-ins included.

    example:
      python -m pstl check --suite builtin
    """
    from pstl import config
    from pstl.check import check_contracts
    from pstl.config.schema import json_schema
    from pstl.registry import dataset_names, is_declared, load_dataset

    if schema:
        sys.stdout.write(json_module.dumps(json_schema(), indent=1) + "\n")
        return
    settings, chosen = config.load_suite(params, suite or "")
    if not suite:
        config.check_all(settings)
    check_contracts()
    names = [chosen] if suite else list(settings.suites)
    for name in names:
        config.check_plugins(settings, name)
    for name in names:  # said at last: where one is wrong nothing is called sound before
        counts = f"{len(settings.runs(name))} runs, {len(settings.cells(name))} cells"
        say(f"{params}: suite {name} is sound: {counts}")
    used = {run.dataset for run in settings.runs(chosen)} if suite else dataset_names()
    for name in sorted(filter(is_declared, used)):
        for line in load_dataset(name).remarks():
            say(f"datasets.{name}: {line}")


def list_plugins(
    weights: Annotated[
        bool, Option("--weights", help="Trained encoders by name, and what they reach.")
    ] = False,
    _params: options.UnreadParams = None,
) -> None:
    """Show every plug-in and where it comes from, or trained encoders by name.

    example:
      python -m pstl list --weights
    """
    if weights:
        from pstl.hub.places import listing

        sys.stdout.write(listing())
        return
    from pstl.registry import catalogue

    sys.stdout.write(catalogue())


def doctor(
    targets: Annotated[
        list[str] | None,
        Argument(
            metavar="DATASET|FILE...",
            help="Default: every data set; those that are here are read.",
        ),
    ] = None,
    archives: options.Archives = None,
    raw: Annotated[
        Path | None,
        Option(metavar="FOLDER", help="Made by `fetch`.  [default: data/raw/DATASET]"),
    ] = None,
    jobs: options.Jobs = None,
    json: Annotated[bool, Option("--json", help="JSON, to standard output.")] = False,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Say what is whole, not fetched, missing, truncated or damaged.

    Of every data set, of some, or of single files. Exit code 1: something is wrong.

    example:
      python -m pstl doctor ntu60 --archives ~/archives
    """
    from pstl import config
    from pstl.data import checkup
    from pstl.data.doctor import text

    settings, asked = config.load(params), targets or []
    reports = []
    for report in checkup.reports(settings, asked, archives or [], raw, jobs):
        reports.append(report)
        if not json:
            sys.stdout.write(text(report))
            sys.stdout.flush()
    if json:
        sys.stdout.write(json_module.dumps(reports, indent=1) + "\n")
    checkup.refuse_strangers(asked)
    if not all(checkup.is_well(report, by_name=bool(asked)) for report in reports):
        raise Exit(1)


def plan(
    suite: Annotated[str, Argument(metavar="SUITE", help="Name of a suite.")],
    bench: options.Bench = Path("results/measured/bench/cpu.json"),
    params: options.Params = Path("params.yaml"),
) -> None:
    """Say what a suite costs before it is run: jobs, hours, disk.

    example:
      python -m pstl plan ntu60 --bench bench.json
    """
    from pstl import config
    from pstl.bench_figures import read_figures
    from pstl.plan.bill import text

    settings, name = config.load_suite(params, suite)
    figures = read_figures(bench)
    sys.stdout.write(text(settings, name, figures))
