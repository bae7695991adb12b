"""The verb that measures how fast and how large the parts of this project are on this machine."""

from pathlib import Path
from typing import Annotated

from typer import Option

from pstl import checkout
from pstl.commands import options


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
        Option(metavar="N", help="Clips a step, where a method's own do not fit into memory."),
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
    scale: Annotated[
        int | None,
        Option(metavar="CLIPS", min=100, help="Instead: splits and memory of so many clips."),
    ] = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Measure speed and peak memory at the papers' shapes.

    example:
      python -m pstl bench --method pstl --device cpu --json bench.json
    """
    command = checkout.benchmarks("command")
    asked = command.Options(
        params=params,
        method=method,
        device=device,
        json=json,
        steps=steps,
        suite=suite,
        batch_size=batch_size,
        probes=probes,
        search=search,
        data=data,
        files=files,
        jobs=jobs,
        scale=scale,
    )
    command.run(asked)
