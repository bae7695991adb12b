"""The verb that measures how fast and how large the parts of this project are on this machine."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from pstl.commands import options
from pstl.files import write_json


def bench(
    method: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="[default: every method with an encoder of its own, then the probes]",
        ),
    ] = None,
    device: options.Device = "auto",
    json: Annotated[Path | None, Option(metavar="FILE", help="Also write the rows here.")] = None,
    steps: Annotated[int, Option(metavar="N", help="Steps that are timed.")] = 5,
    suite: Annotated[
        str | None,
        Option(metavar="NAME", help="As this suite trains them.  [default: the papers' sizes]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Clips a step, where a method's own batch does not fit into memory.",
        ),
    ] = None,
    probes: Annotated[
        bool,
        Option("--probes", help="Instead, or with --method too: tasks that read features."),
    ] = False,
    search: Annotated[
        tuple[int, int] | None,
        Option(
            metavar="GALLERY QUERIES",
            help="Instead: kNN and retrieval (or one of them, as --method) among so many clips.",
        ),
    ] = None,
    data: Annotated[
        bool, Option("--data", help="Instead: reading and normalising, beside plain Python.")
    ] = False,
    files: Annotated[int, Option(metavar="N", help="Files to read with --data.")] = 3000,
    jobs: options.Jobs = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Measure speed and peak memory at the papers' shapes.

    example:
      python -m pstl bench --method pstl --device cpu --json bench.json
    """
    from pstl import config
    from pstl.bench import bench, table
    from pstl.bench_data import bench_data
    from pstl.bench_data import table as data_table
    from pstl.bench_probes import bench_probes
    from pstl.bench_probes import table as probes_table
    from pstl.bench_search import bench_search
    from pstl.bench_search import table as search_table
    from pstl.train.hardware import choose_device

    rows: list = []
    if data:
        rows = bench_data(files, jobs)
        sys.stdout.write(data_table(rows))
    elif search:
        rows = bench_search(*search, choose_device(device), method)
        sys.stdout.write(search_table(rows))
    else:
        chosen = choose_device(device)
        if method or not probes:
            rows = bench(config.load(params), method, chosen, steps, batch_size, suite)
            sys.stdout.write(table(rows))
        if probes or not method:
            timed = bench_probes(chosen)
            sys.stdout.write(probes_table(timed))
            rows = [*rows, *timed]
    if json:
        write_json(json, rows)
