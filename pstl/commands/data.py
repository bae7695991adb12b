"""Verbs from a data set's files to arrays, and to the lists of labelled clips."""

from pathlib import Path
from typing import Annotated

from typer import Option

from pstl.commands import options
from pstl.commands.options import OutFile, OutFolder


def fetch(
    dataset: options.Dataset,
    out: OutFolder,
    archives: options.Archives = None,
    accept_unknown: Annotated[
        bool,
        Option(
            "--accept-unknown",
            help="Use a download though its checksum is not a known one.",
        ),
    ] = False,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Obtain a data set's files: from folders you name, else by download.

    example:
      python -m pstl fetch nwucla --archives ~/archives --out data/raw/nwucla
    """
    from pstl import config
    from pstl.data.fetch import fetch

    settings = config.load(params)
    folders = [*(archives or []), *map(Path, settings.archives)]
    fetch(dataset, settings.dataset(dataset), out, folders, accept_unknown)


def parse(
    dataset: options.Dataset,
    raw: Annotated[Path, Option(metavar="FOLDER", help="Made by `fetch`.")],
    out: OutFolder,
    untrimmed: Annotated[
        bool,
        Option(
            "--untrimmed",
            help="Whole recordings with timed labels instead of clips, where there are any.",
        ),
    ] = False,
    jobs: options.Jobs = None,
    skip_damaged: Annotated[
        bool | None,
        Option("--skip-damaged", help="Leave damaged files out and record them."),
    ] = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Read raw files into sequences at native length, counts checked.

    example:
      python -m pstl parse nwucla --raw data/raw/nwucla --out data/sequences/nwucla
    """
    from pstl import config
    from pstl.data import parse

    read = parse.parse_untrimmed if untrimmed else parse.parse
    read(dataset, config.load(params).dataset(dataset), raw, out, jobs, skip_damaged)


def prepare(
    dataset: options.Dataset,
    recipe: Annotated[str, Option(metavar="NAME", help="A name, or JSON with its settings.")],
    sequences: options.Sequences,
    out: OutFolder,
    jobs: options.Jobs = None,
    _params: options.UnreadParams = None,
) -> None:
    """Turn sequences into one recipe's array.

    example:
      python -m pstl prepare nwucla --recipe resize50 \\
        --sequences data/sequences/nwucla --out data/arrays/nwucla/resize50
    """
    from pstl.data.prepare import prepare, recipe_settings

    prepare(dataset, recipe_settings(recipe), sequences, out, jobs)


def leakage(
    array: options.ArrayFolder,
    split: options.Split,
    out: OutFile,
    _params: options.UnreadParams = None,
) -> None:
    """Make sure that no test clip is a training clip.

    example:
      python -m pstl leakage --array data/arrays/nwucla/resize50 --split xview \\
        --out leakage.json
    """
    from pstl.data.prepare import check_leakage

    check_leakage(array, split, out)


def labels(
    dataset: options.Dataset,
    sequences: options.Sequences,
    split: options.Split,
    draw: Annotated[int, Option(metavar="N", help="Which draw of labels, from 0.")],
    out: OutFile,
    rule: Annotated[
        str,
        Option(metavar="NAME", help="Whose: psp, per_class_round, random or per_class_7."),
    ] = "psp",
    _params: options.UnreadParams = None,
) -> None:
    """Rank the training clips, for every fraction of labels of one rule and draw.

    example:
      python -m pstl labels nwucla --sequences data/sequences/nwucla \\
        --split xview --rule psp --draw 0 --out data/labels/nwucla/xview/psp/d0.json
    """
    from pstl.data.labels import draw_labels

    draw_labels(dataset, sequences, split, draw, out, rule)
