"""The command line: every verb is a file-to-file function of the library. Progress goes to stderr, results to files."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pstl import verbs
from pstl.errors import UserError, trouble
from pstl.guard import follow_snakemake

PAUSE = 3.0  # seconds in which torchrun ends the other processes when one of them has failed
Verb = Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb. A UserError is one line on stderr and exit code 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    args.words = sys.argv[1:] if argv is None else list(argv)
    first = (
        os.environ.get("RANK", "0") == "0"
    )  # of several processes under torchrun one speaks for all
    logging.basicConfig(
        level=logging.INFO if first else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    try:
        follow_snakemake()
        args.verb(args)
    except UserError as error:
        if not first:
            time.sleep(PAUSE)  # the first one says the same
        sys.exit(verbs.say(f"pstl {args.command}: {error}", 2))
    except KeyboardInterrupt:
        sys.exit(
            verbs.say(f"pstl {args.command}: interrupted; run the same command again to go on", 130)
        )
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        sys.exit(verbs.say(f"pstl {args.command}: {trouble(error)}", 2))
    except ModuleNotFoundError as error:
        sys.exit(verbs.say(f"pstl {args.command}: {verbs.lacking(error)}", 2))
    except Exception:
        if "RANK" in os.environ:
            time.sleep(PAUSE)  # most likely another one has died, and what began them will say so
        raise


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pstl", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="VERB")

    def add(name: str, verb: Verb, summary: str, example: str, *options: tuple[Any, ...]) -> None:
        sub = commands.add_parser(
            name, help=summary, description=summary, epilog=f"example:\n  python -m pstl {name} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.add_argument(
            "--params", default="params.yaml", help="settings file (default: %(default)s)"
        )
        for flags, settings in options:
            sub.add_argument(*flags.split(), **settings)
        sub.set_defaults(verb=verb)

    required: dict[str, Any] = {"required": True}
    device = (
        "--device",
        {"default": "auto", "help": "auto, cpu, cuda or cuda:N (default: %(default)s)"},
    )
    gpus = (
        "--gpus",
        {
            "type": int,
            "metavar": "N",
            "help": "take N free GPUs, and wait for them (default: see all, take none)",
        },
    )
    run, out, array = (
        ("--run", {**required, "help": "suite/dataset/split/method/stream/s<seed>"}),
        ("--out", required),
        ("--array", required),
    )
    norm = ("--batch-norm", {**required, "choices": ["released", "recalibrated"]})
    dataset = ("dataset", {"metavar": "DATASET"})
    body = (
        "--skeleton",
        {
            "default": "",
            "metavar": "NAME",
            "help": "whose joints these are, where nothing else says so",
        },
    )
    units = (
        "--units",
        {
            "default": "m",
            "choices": ["m", "cm", "mm"],
            "help": "of raw .npy clips (default: %(default)s)",
        },
    )
    jobs = ("--jobs", {"type": int, "help": "processes (default: one per core)"})

    add(
        "fetch",
        verbs.fetch,
        "obtain a data set's files: from folders you name, else by download",
        "nwucla --archives ~/archives --out data/raw/nwucla",
        dataset,
        out,
        ("--archives", {"nargs": "*", "default": []}),
    )
    add(
        "parse",
        verbs.parse,
        "read raw files into sequences at native length, counts checked",
        "nwucla --raw data/raw/nwucla --out data/sequences/nwucla",
        dataset,
        ("--raw", required),
        out,
        (
            "--untrimmed",
            {
                "action": "store_true",
                "help": "whole recordings with timed labels instead of clips, where there are any",
            },
        ),
        jobs,
        (
            "--skip-damaged",
            {
                "action": "store_true",
                "default": None,
                "help": "leave damaged files out and record them",
            },
        ),
    )
    add(
        "prepare",
        verbs.prepare,
        "turn sequences into one recipe's array",
        "nwucla --recipe resize50 --sequences data/sequences/nwucla --out data/arrays/nwucla/resize50",
        dataset,
        ("--recipe", {**required, "help": "a name, or JSON with its settings"}),
        ("--sequences", required),
        out,
        jobs,
    )
    add(
        "leakage",
        verbs.leakage,
        "make sure that no test clip is a training clip",
        "--array data/arrays/nwucla/resize50 --split xview --out leakage.json",
        array,
        ("--split", required),
        out,
    )
    add(
        "labels",
        verbs.labels,
        "rank the training clips, for every fraction of labels of one rule and draw",
        "nwucla --sequences data/sequences/nwucla --split xview --rule psp --draw 0 --out data/labels/nwucla/xview/psp/d0.json",
        dataset,
        ("--sequences", required),
        ("--split", required),
        (
            "--rule",
            {
                "default": "psp",
                "help": "which paper's: psp, per_class_round, random or per_class_7 (default: %(default)s)",
            },
        ),
        ("--draw", {**required, "type": int}),
        out,
    )
    add(
        "pretrain",
        verbs.pretrain,
        "train one run's method and write its encoder; resumes by itself",
        "--run nwucla/nwucla/xview/pstl/joint/s0 --array data/arrays/nwucla/resize50 --out encoder.pt",
        run,
        array,
        out,
        (
            "--labels",
            {
                "metavar": "FILE",
                "help": "which clips are labelled, where the method's entry names a fraction",
            },
        ),
        device,
        (
            "--gpus",
            {
                **gpus[1],
                "help": "take N free GPUs, and wait for them; more than one: as many processes, under torchrun",
            },
        ),
    )
    add(
        "features",
        verbs.features,
        "encode both sides of a split once",
        "--encoder encoder.pt --array data/arrays/nwucla/resize50 --split xview --batch-norm recalibrated --out features.npz",
        ("--encoder", required),
        array,
        ("--split", required),
        norm,
        out,
        device,
        gpus,
    )
    add(
        "evaluate",
        verbs.evaluate,
        "run one task, on frozen features or, where it trains the encoder, on an encoder and an array",
        "--run nwucla/nwucla/xview/pstl/joint/s0 --task knn --batch-norm recalibrated --features features.npz --out knn.json",
        run,
        ("--task", required),
        norm,
        ("--features", {"help": "for tasks that read cached features"}),
        (
            "--encoder",
            {"help": "for tasks that work on clips or recordings, with --array or --recordings"},
        ),
        ("--array", {}),
        (
            "--recordings",
            {
                "help": "folder of `parse --untrimmed`, or of `parse` where there is nothing untrimmed"
            },
        ),
        ("--labels", {"help": "which clips are labelled, a file of `labels`"}),
        ("--snapshots", {"help": "snapshots.zip beside the encoder, for its own classifier"}),
        out,
        ("--scores", {"help": "also write the test scores here"}),
        device,
        gpus,
    )
    add(
        "trace",
        verbs.trace,
        "probe every snapshot of a run: accuracy against steps",
        "--run nwucla/nwucla/xview/pstl/joint/s0 --snapshots FILE --array data/arrays/nwucla/resize50 --out t.json --plot t.png",
        run,
        ("--snapshots", {**required, "metavar": "FILE", "help": "snapshots.zip of the run"}),
        array,
        ("--tasks", {"nargs": "+", "default": ["knn", "linear"]}),
        out,
        ("--plot", {"metavar": "PNG"}),
        device,
    )
    add(
        "fuse",
        verbs.fuse,
        "sum the test scores of several streams",
        "--run nwucla/nwucla/xview/pstl/3s/s0 --task linear --batch-norm recalibrated --scores joint=A bone=B --out f.json",
        run,
        ("--task", required),
        norm,
        ("--scores", {**required, "nargs": "+", "metavar": "STREAM=FILE"}),
        out,
        ("--scores-out", {}),
    )
    add(
        "compare",
        verbs.compare,
        "is one cell better than another? paired bootstrap over test clips and seeds",
        "'nwucla/nwucla/xview/pstl/joint/s*/recalibrated/linear' 'nwucla/nwucla/xview/random_init/joint/s*/recalibrated/linear'",
        (
            "a",
            {
                "metavar": "A",
                "help": "suite/dataset/split/method/stream/s<seed>/batch_norm/task, s* for every seed; or a scores file",
            },
        ),
        ("b", {"metavar": "B", "help": "the same"}),
        ("--draws", {"type": int, "default": 10_000, "help": "(default: %(default)s)"}),
        (
            "--json",
            {
                "nargs": "?",
                "const": "-",
                "metavar": "FILE",
                "help": "JSON, to standard output or to FILE",
            },
        ),
    )
    add(
        "track",
        verbs.track,
        "import a suite's runs into MLflow; importing twice changes nothing",
        "--suite builtin --out results/builtin/mlflow.json",
        ("--suite", required),
        out,
    )
    add(
        "watch",
        verbs.watch,
        "show a suite in MLflow while it runs: epochs so far, results as they come; until Ctrl-C",
        "--suite builtin --every 10",
        ("--suite", required),
        ("--every", {"type": float, "default": 10.0, "metavar": "SECONDS"}),
    )
    add(
        "report",
        verbs.report,
        "build a suite's tables, ours beside the published numbers",
        "--suite builtin --out results/builtin/tables",
        ("--suite", required),
        ("--from", {"choices": ["files", "mlflow"], "default": "files", "dest": "source"}),
        out,
    )
    add(
        "quote",
        verbs.quote,
        "put kept results into the marked places of pages, so that nobody types a number",
        "README.md docs/results.md",
        ("pages", {"nargs": "+", "metavar": "PAGE"}),
    )
    add(
        "rebuild",
        verbs.rebuild,
        "make the tables of kept results again from their rows.csv, with today's published numbers",
        "results/measured/nwucla-cpu",
        ("folders", {"nargs": "+", "metavar": "FOLDER"}),
    )
    add(
        "page",
        verbs.page,
        "build a suite's report: one HTML file with tables, curves, confusion matrices, maps and moving skeletons",
        "--suite builtin --out results/builtin/report/index.html",
        ("--suite", required),
        out,
    )
    add(
        "import-weights",
        verbs.import_weights,
        "convert a checkpoint of released code",
        "--source pstl official.pt encoder.pt",
        ("--source", required),
        (
            "official",
            {
                "metavar": "OFFICIAL",
                "help": "a checkpoint, its names wrapped and prefixed as they may be",
            },
        ),
        ("out", {"metavar": "OUT"}),
        (
            "--skeleton",
            {
                "default": "",
                "metavar": "NAME",
                "help": "the body it was trained on (default: the released code's)",
            },
        ),
        (
            "--stream",
            {
                "default": "joint",
                "help": "what it was trained on, which no file says (default: %(default)s)",
            },
        ),
        (
            "--dataset",
            {
                "default": "",
                "metavar": "NAME",
                "help": "what it was trained on, whose classes a head knows",
            },
        ),
        (
            "--part",
            {
                "default": "",
                "metavar": "PREFIX",
                "help": "what stands in front, where a file holds several encoders",
            },
        ),
    )
    add(
        "export",
        verbs.export,
        "write an encoder for others: safetensors and a model card",
        "--encoder encoder.pt --array data/arrays/nwucla/resize50 --out released/pstl-nwucla",
        ("--encoder", required),
        (
            "--array",
            {
                "help": "recalibrate the batch norms on its training clips first, as the headline numbers do"
            },
        ),
        out,
    )
    add(
        "show",
        verbs.show,
        "draw one clip, in a window or as a GIF",
        "synthetic/S001C001P001R001A001 --out clip.gif",
        (
            "clip",
            {
                "metavar": "CLIP",
                "help": "a clip's file, or DATASET/NAME of recordings that were read",
            },
        ),
        ("--out", {"metavar": "GIF", "help": "write a file (default: open a window)"}),
        ("--fps", {"type": int, "default": 30}),
        body,
    )
    add(
        "embed",
        verbs.embed,
        "turn clips into the features (N, D) of the tables: an array (N, 3, T, V, M), or raw clips (docs/own-data.md)",
        "--weights encoder.pt --input x.npy --output f.npy --stream bone --drop-joints 0,4,5",
        ("--weights", {**required, "help": "encoder.pt, an exported folder, or the name of a run"}),
        (
            "--input",
            {
                **required,
                "help": "folder of `prepare` or `parse`, a .npy as a recipe makes it, or raw clips: one, or a folder",
            },
        ),
        ("--output", {**required, "help": ".npy: features; .npz: features and names"}),
        ("--stream", {"help": "joint, bone or motion (default: as trained)"}),
        ("--drop-joints", {"default": "", "metavar": "J,J,..."}),
        body,
        units,
        device,
    )
    add(
        "score-detections",
        verbs.score_detections,
        "score anybody's detections: one text per video, a line label,start,end,confidence per action",
        "GROUND_TRUTH_DIR PROPOSALS_DIR --dataset pkummd1 --theta 0.5 --json",
        ("truth", {"metavar": "GROUND_TRUTH_DIR"}),
        ("proposals", {"metavar": "PROPOSALS_DIR"}),
        (
            "--theta",
            {
                "type": float,
                "default": 0.5,
                "help": "overlap from which a proposal matches (default: %(default)s)",
            },
        ),
        (
            "--dataset",
            {"metavar": "NAME", "help": "whose classes the labels are, from 1 in its order"},
        ),
        (
            "--classes",
            {
                "type": int,
                "metavar": "N",
                "help": "labels are 1 to this, where no data set here has them",
            },
        ),
        (
            "--json",
            {
                "nargs": "?",
                "const": "-",
                "metavar": "FILE",
                "help": "JSON, to standard output or to FILE",
            },
        ),
    )
    add(
        "bench",
        verbs.bench,
        "measure training and encoding speed and peak memory at the papers' shapes",
        "--method pstl --device cpu --json bench.json",
        (
            "--method",
            {
                "action": "append",
                "help": "default: every method with an encoder of its own, then the probes",
            },
        ),
        device,
        ("--json", {"metavar": "FILE"}),
        ("--steps", {"type": int, "default": 5}),
        (
            "--suite",
            {"metavar": "NAME", "help": "as this suite trains them (default: the papers' sizes)"},
        ),
        (
            "--batch-size",
            {
                "type": int,
                "metavar": "N",
                "help": "clips a step, where a method's own batch does not fit into memory",
            },
        ),
        (
            "--probes",
            {
                "action": "store_true",
                "help": "instead, or with --method too: tasks that read features",
            },
        ),
        (
            "--search",
            {
                "type": int,
                "nargs": 2,
                "metavar": ("GALLERY", "QUERIES"),
                "help": "instead: kNN and retrieval (or one of them, as --method) among so many clips",
            },
        ),
        (
            "--data",
            {
                "action": "store_true",
                "help": "instead: reading and normalising, beside plain Python",
            },
        ),
        (
            "--files",
            {
                "type": int,
                "default": 3000,
                "help": "files to read with --data (default: %(default)s)",
            },
        ),
        jobs,
    )
    add(
        "plan",
        verbs.plan,
        "say what a suite costs before it is run: jobs, hours of the benched device, disk",
        "ntu60 --bench bench.json",
        ("suite", {"metavar": "SUITE"}),
        (
            "--bench",
            {
                "metavar": "FILE",
                "default": "results/measured/bench/cpu.json",
                "help": "of `bench --json` (default: %(default)s)",
            },
        ),
    )
    add(
        "doctor",
        verbs.doctor,
        "say what is whole, not fetched, missing, truncated or damaged: of every data set, of some, or of single files",
        "ntu60 --archives ~/archives",
        (
            "targets",
            {
                "nargs": "*",
                "metavar": "DATASET|FILE",
                "help": "default: every data set; those that are here are read",
            },
        ),
        ("--archives", {"nargs": "*", "default": [], "help": "folders searched at any depth"}),
        ("--raw", {"help": "folder that fetch made (default: data/raw/DATASET)"}),
        jobs,
        ("--json", {"action": "store_true"}),
    )
    add(
        "check",
        verbs.check,
        "check params.yaml, plug-ins included",
        "--suite builtin",
        ("--suite", {"help": "default: every suite"}),
    )
    add("list", verbs.list_plugins, "show every plug-in and where it comes from", "")
    return parser  # fmt: skip
