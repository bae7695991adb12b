"""Verbs from an encoder to numbers, and between numbers."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pstl.commands import options
from pstl.commands.options import ArrayFolder, OutFile
from pstl.commands.verb import STANDARD_OUTPUT, say, write_record
from pstl.errors import UserError
from pstl.files import has_ending

Scores = Annotated[Path | None, Option(metavar="FILE", help="Also write the test scores here.")]


def features(
    encoder: Annotated[Path, Option(metavar="FILE", help="Made by `pretrain`.")],
    array: ArrayFolder,
    split: options.Split,
    batch_norm: options.BatchNorm,
    out: OutFile,
    pooling: options.Pooling = "clip",
    device: options.Device = "auto",
    gpus: options.Gpus = None,
    _params: options.UnreadParams = None,
) -> None:
    """Encode both sides of a split once.

    example:
      python -m pstl features --encoder encoder.pt \\
        --array data/arrays/nwucla/resize50 --split xview \\
        --batch-norm recalibrated --out features.npz
    """
    from pstl.encoding.features import Encoding, extract
    from pstl.train.devices import take
    from pstl.train.hardware import device_of_job

    take(gpus)
    has_ending(out, ".npz")
    encoding = Encoding(batch_norm, pooling)
    extract(encoder, array, split, encoding, out, device_of_job(device))


def evaluate(
    run: options.Run,
    task: options.Task,
    batch_norm: options.BatchNorm,
    out: OutFile,
    features: Annotated[
        Path | None, Option(metavar="FILE", help="For tasks that read cached features.")
    ] = None,
    encoder: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="For tasks that work on clips or recordings, with --array or --recordings.",
        ),
    ] = None,
    array: Annotated[Path | None, Option(metavar="FOLDER", help="Made by `prepare`.")] = None,
    recordings: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Made by `parse --untrimmed`, or by `parse` where there is nothing untrimmed.",
        ),
    ] = None,
    labels: Annotated[
        Path | None, Option(metavar="FILE", help="Which clips are labelled; made by `labels`.")
    ] = None,
    snapshots: Annotated[
        Path | None,
        Option(metavar="FILE", help="snapshots.zip beside the encoder, for its own classifier."),
    ] = None,
    scores: Scores = None,
    share: options.Share = None,
    source: options.Source = "",
    protocol: options.Protocol = "own",
    device: options.Device = "auto",
    gpus: options.Gpus = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Run one task, on cached features or, where it trains the encoder, on clips.

    example:
      python -m pstl evaluate --run nwucla/nwucla/xview/pstl/joint/s0 --task knn \\
        --batch-norm recalibrated --features features.npz --out knn.json
    """
    from pstl import config
    from pstl.evaluation.run import evaluate
    from pstl.graph import Inputs
    from pstl.train.devices import take
    from pstl.train.hardware import device_of_job

    take(gpus)
    has_ending(scores, ".npz")
    settings = config.load(params)
    cell = settings.cell(settings.run(run), batch_norm, task, share, source, protocol)
    inputs = Inputs(encoder, array, features, recordings, labels, snapshots)
    evaluate(settings, cell, inputs, out, scores, device_of_job(device))


def fuse(
    run: options.Run,
    task: options.Task,
    batch_norm: options.BatchNorm,
    scores: Annotated[
        list[str], Option(metavar="STREAM=FILE...", help="Test scores of each stream.")
    ],
    out: OutFile,
    scores_out: Scores = None,
    share: options.Share = None,
    source: options.Source = "",
    protocol: options.Protocol = "own",
    params: options.Params = Path("params.yaml"),
) -> None:
    """Sum the test scores of several streams.

    example:
      python -m pstl fuse --run nwucla/nwucla/xview/pstl/fused/s0 --task linear \\
        --batch-norm recalibrated --scores joint=A bone=B --out f.json
    """
    from pstl import config
    from pstl.evaluation.fuse import fuse

    has_ending(scores_out, ".npz")
    settings = config.load(params)
    cell = settings.cell(settings.run(run), batch_norm, task, share, source, protocol)
    settings.fusion_weights(cell)  # refuses a cell that the suite does not fuse
    files = dict(item.partition("=")[::2] for item in scores)
    fuse(cell, files, out, scores_out)


SIDE = (
    "suite/dataset/split/method/stream/s<seed>/batch_norm/task, s* for every seed; a scores file; "
    "or tables: SUITE, FOLDER, or COMMIT:FOLDER"
)


def compare(
    a: Annotated[str, Argument(metavar="A", help=SIDE)],
    b: Annotated[str, Argument(metavar="B", help="The same.")],
    draws: Annotated[int, Option(min=1, metavar="N", help="Resamples of the bootstrap.")] = 10_000,
    page: Annotated[
        Path | None, Option(metavar="FILE", help="Of two tables: an HTML page of what moved.")
    ] = None,
    json: options.Json = None,
    _params: options.UnreadParams = None,
) -> None:
    """Is one cell better than another, or what moved between two tables of two suites or commits?

    Cells by a paired bootstrap over test clips and seeds, tables by intervals over seeds. Says
    what the two were not computed alike in.

    example:
      python -m pstl compare \\
        'nwucla/nwucla/xview/pstl/joint/s*/recalibrated/linear' \\
        'nwucla/nwucla/xview/random_init/joint/s*/recalibrated/linear'
      python -m pstl compare HEAD~1:results/measured/nwucla-cpu results/measured/nwucla-cpu
    """
    from pstl.report import paired, shifts

    if shifts.is_table(a) or shifts.is_table(b):
        _compare_tables(a, b, page, json)
        return
    if page:
        raise UserError(f"--page {page}: a page is of two tables; name two folders with rows.csv")
    verdict, apart = paired.compare(a, b, draws), paired.computed_otherwise(a, b)
    if json:
        write_record({"a": a, "b": b, **verdict._asdict(), "computed_otherwise": apart}, json)
    if json != STANDARD_OUTPUT:
        sys.stdout.write(paired.text(a, b, verdict, apart))


def _compare_tables(a: str, b: str, page: Path | None, json: str | None) -> None:
    from pstl.report import shift_page, shifts

    moved = shifts.compare(a, b)
    if page:
        shift_page.build(moved, page)
    if json:
        write_record(shifts.as_record(moved), json)
    if json != STANDARD_OUTPUT:
        sys.stdout.write(shifts.text(moved))


def score_detections(
    truth: Annotated[Path, Argument(metavar="GROUND_TRUTH_DIR", help="One text per video.")],
    proposals: Annotated[Path, Argument(metavar="PROPOSALS_DIR", help="The same.")],
    theta: Annotated[
        float, Option(metavar="IOU", help="Overlap from which a proposal matches.")
    ] = 0.5,
    dataset: Annotated[
        str | None,
        Option(metavar="NAME", help="Whose classes the labels are, from 1 in its order."),
    ] = None,
    classes: Annotated[
        int | None,
        Option(metavar="N", help="Labels are 1 to this, where no data set here has them."),
    ] = None,
    json: options.Json = None,
    _params: options.UnreadParams = None,
) -> None:
    """Score anybody's detections: a line label,start,end,confidence per action.

    example:
      python -m pstl score-detections GROUND_TRUTH_DIR PROPOSALS_DIR \\
        --dataset pkummd1 --theta 0.5 --json
    """
    from pstl.hub import score_detections as detections

    count = detections.classes_of(dataset, classes)
    scores = detections.score_detections(truth, proposals, theta, count)
    for remark in detections.remarks(scores):
        say(remark)
    if json:
        write_record(scores, json)
    else:
        sys.stdout.write(detections.text(scores))
