"""Verbs that show a suite: tables, pages, and what the tracking store sees."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from pstl.commands import options
from pstl.commands.options import OutFile, OutFolder
from pstl.commands.verb import say


def report(
    suite: options.Suite,
    out: OutFolder,
    source: Annotated[
        Literal["files", "mlflow"], Option("--from", help="Where the numbers are read.")
    ] = "files",
    latex: Annotated[
        bool, Option("--latex", help="Also tables and figures for a paper, in the folder latex.")
    ] = False,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Build a suite's tables, ours beside the published numbers.

    With --latex also OUT/latex: booktabs tables, sources.bib, figures as PDF, and main.tex, which
    shows them all.

    example:
      python -m pstl report --suite builtin --out results/builtin/tables
    """
    from pstl import config
    from pstl.report.build import build

    settings, name = config.load_suite(params, suite)
    build(settings, name, out, source, for_paper=latex)


def page(
    out: OutFile,
    suite: options.Suite = "",
    kept: Annotated[
        Path | None, Option(metavar="FOLDER", help="Kept tables, in place of a suite.")
    ] = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Build a suite's report, one HTML file: what is best, tables, curves, maps, skeletons.

    Of kept tables (results/measured/), which have no runs, what their rows say.

    example:
      python -m pstl page --suite builtin --out results/builtin/report/index.html
      python -m pstl page --kept results/measured/nwucla-cpu --out nwucla.html
    """
    from pstl import config
    from pstl.errors import UserError
    from pstl.report import page

    if bool(suite) == bool(kept):
        raise UserError("expected one of --suite NAME and --kept FOLDER")
    if kept:
        page.build_kept(config.load(params), kept, out)
        return
    settings, name = config.load_suite(params, suite)
    page.build(settings, name, out)


def quote(
    pages: Annotated[list[Path], Argument(metavar="PAGE...", help="Markdown with marked places.")],
    _params: options.UnreadParams = None,
) -> None:
    """Put kept results into the marked places of pages: nobody types a number.

    example:
      python -m pstl quote README.md docs/results.md
    """
    from pstl.report.quote import quote

    for page in pages:
        say(f"{page}: {quote(page)} place(s) filled")


def index(
    out: OutFile,
    roots: Annotated[
        list[Path] | None,
        Argument(
            metavar="FOLDER...",
            help="Where tables of suites lie.  [default: results/measured results]",
        ),
    ] = None,
    _params: options.UnreadParams = None,
) -> None:
    """Make the page over every suite, kept or run: what each says, and what moved between them.

    example:
      python -m pstl index --out results/index.html
    """
    from pstl.report import kept
    from pstl.report.index import build

    for remark in build(roots or [Path(kept.KEPT), Path(kept.RUN)], out):
        say(remark)
    say(f"{out}: made")


def papers(
    out: OutFolder,
    roots: Annotated[
        list[Path] | None,
        Argument(
            metavar="FOLDER...", help="Where tables of suites lie.  [default: results/measured]"
        ),
    ] = None,
    bench: options.Bench = Path("results/measured/bench/cpu.json"),
    params: options.Params = Path("params.yaml"),
) -> None:
    """Write a page for each paper: what it prints, ours, or what would make it.

    With the command, the data and the hours that each missing number takes.

    example:
      python -m pstl papers results/measured results --out mine
    """
    from pstl import config
    from pstl.bench_figures import read_figures
    from pstl.report import kept, paper_pages

    settings, figures = config.load(params), read_figures(bench)
    tables = [kept.read(folder) for folder in kept.folders(roots or [Path(kept.KEPT)])]
    for page in paper_pages.write_all(settings, tables, figures, out):
        say(f"{page}: made")


def rebuild(
    folders: Annotated[list[Path], Argument(metavar="FOLDER...", help="Kept results.")],
    params: options.Params = Path("params.yaml"),
) -> None:
    """Make tables and pictures of kept results again, with today's published numbers.

    example:
      python -m pstl rebuild results/measured/nwucla-cpu
    """
    from pstl import config
    from pstl.report.rebuild import rebuild, redraw

    settings = config.load(params)
    for folder in folders:
        rebuild(settings, folder)
        redraw(settings, folder)
        say(f"{folder}: tables and pictures made again")


def track(
    suite: options.Suite,
    out: OutFile,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Import a suite's runs into MLflow; importing twice changes nothing.

    example:
      python -m pstl track --suite builtin --out results/builtin/mlflow.json
    """
    from pstl import config
    from pstl.tracking.importing import import_runs

    settings, name = config.load_suite(params, suite)
    import_runs(settings, name, out)


def watch(
    suite: options.Suite,
    every: Annotated[float, Option(metavar="SECONDS", help="Time between two looks.")] = 10.0,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Show a suite in MLflow while it runs, until Ctrl-C.

    Epochs so far appear as runs "at work", results as they come.

    example:
      python -m pstl watch --suite builtin --every 10
    """
    from pstl import config
    from pstl.tracking.live import watch

    settings, name = config.load_suite(params, suite)
    watch(settings, name, every)


def ui(
    suite: options.Suite,
    port: Annotated[int, Option(metavar="NUMBER", help="Of the address 127.0.0.1.")] = 5000,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Serve MLflow's pages on this machine and say where the suite's table is, until Ctrl-C.

    example:
      python -m pstl ui --suite builtin
    """
    from pstl import config
    from pstl.tracking.ui import serve

    settings, name = config.load_suite(params, suite)
    serve(settings, name, port)
