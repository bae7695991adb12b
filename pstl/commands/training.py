"""Verbs that train, and that look at what training has left behind."""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from pstl.commands import options
from pstl.commands.options import ArrayFolder, OutFile
from pstl.files import has_ending

TRACED = ["knn", "linear"]


def pretrain(
    context: Context,
    run: options.Run,
    array: ArrayFolder,
    out: OutFile,
    labels: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Which clips are labelled, where the method's entry names a fraction.",
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        Option(
            metavar="FOLDER...",
            help="Arrays of the other data sets that the method's entry is trained on.",
        ),
    ] = None,
    device: options.Device = "auto",
    gpus: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Take N free GPUs, and wait for them; more than one: as many processes, "
            "under torchrun.  [default: see all, take none]",
        ),
    ] = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Train one run's method and write its encoder; resumes by itself.

    example:
      python -m pstl pretrain --run nwucla/nwucla/xview/pstl/joint/s0 \\
        --array data/arrays/nwucla/resize50 --out encoder.pt
    """
    from pstl import config
    from pstl.train.hardware import device_of_job
    from pstl.train.launch import run_as_processes
    from pstl.train.pretrain import pretrain

    if run_as_processes(context.obj, gpus):
        return
    settings = config.load(params)
    trained = settings.run(run)
    pretrain(settings, trained, array, out, device_of_job(device), labels, corpus or ())


def trace(
    run: options.Run,
    snapshots: Annotated[Path, Option(metavar="FILE", help="snapshots.zip of the run.")],
    array: ArrayFolder,
    out: OutFile,
    tasks: Annotated[
        list[str], Option(metavar="TASK...", help="Tasks that probe each snapshot.")
    ] = TRACED,
    plot: Annotated[Path | None, Option(metavar="PNG", help="Also draw the curves.")] = None,
    device: options.Device = "auto",
    params: options.Params = Path("params.yaml"),
) -> None:
    """Probe every snapshot of a run: accuracy against steps.

    example:
      python -m pstl trace --run nwucla/nwucla/xview/pstl/joint/s0 \\
        --snapshots FILE --array data/arrays/nwucla/resize50 \\
        --out t.json --plot t.png
    """
    from pstl import config
    from pstl.files import write_json
    from pstl.hub.trace import trace
    from pstl.train.hardware import device_of_job

    if plot:  # what it needs may not be installed, which is better known before hours of work
        from pstl.report import plots
    has_ending(plot, ".png")
    settings = config.load(params)
    rows = trace(settings, settings.run(run), snapshots, array, tasks, device_of_job(device))
    write_json(out, rows)
    if plot:
        plots.trace(plot, rows)
