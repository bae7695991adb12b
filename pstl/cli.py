"""The command line: every verb is a file-to-file function of the library. Progress goes to stderr, results to files."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pstl.errors import UserError

Verb = Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb. A UserError is one line on stderr and exit code 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        args.verb(args)
    except UserError as error:
        sys.exit(_say(f"pstl {args.command}: {error}", 2))
    except KeyboardInterrupt:
        sys.exit(_say(f"pstl {args.command}: interrupted; run the same command again to go on", 130))
    except BrokenPipeError:
        sys.exit(1)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pstl", description=__doc__)
    verbs = parser.add_subparsers(dest="command", required=True, metavar="VERB")

    def add(name: str, verb: Verb, summary: str, example: str, *options: tuple[Any, ...]) -> None:
        sub = verbs.add_parser(
            name, help=summary, description=summary, epilog=f"example:\n  python -m pstl {name} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.add_argument("--params", default="params.yaml", help="settings file (default: %(default)s)")
        for flags, settings in options:
            sub.add_argument(*flags.split(), **settings)
        sub.set_defaults(verb=verb)

    required: dict[str, Any] = {"required": True}
    device = ("--device", {"default": "auto", "help": "auto, cpu or cuda (default: %(default)s)"})
    run, out, array = (
        ("--run", {**required, "help": "suite/dataset/split/method/stream/s<seed>"}),
        ("--out", required),
        ("--array", required),
    )
    norm = ("--batch-norm", {**required, "choices": ["released", "recalibrated"]})
    dataset = ("dataset", {"metavar": "DATASET"})

    add(
        "fetch",
        fetch,
        "obtain a data set's files: from folders you name, else by download",
        "nwucla --archives ~/archives --out data/raw/nwucla",
        dataset,
        out,
        ("--archives", {"nargs": "*", "default": []}),
    )
    add(
        "parse",
        parse,
        "read raw files into sequences at native length, counts checked",
        "nwucla --raw data/raw/nwucla --out data/sequences/nwucla",
        dataset,
        ("--raw", required),
        out,
    )
    add(
        "prepare",
        prepare,
        "turn sequences into one recipe's array",
        "nwucla --recipe resize50 --sequences data/sequences/nwucla --out data/arrays/nwucla/resize50",
        dataset,
        ("--recipe", {**required, "help": "a name, or JSON with its settings"}),
        ("--sequences", required),
        out,
    )
    add(
        "leakage",
        leakage,
        "make sure that no test clip is a training clip",
        "--array data/arrays/nwucla/resize50 --split xview --out leakage.json",
        array,
        ("--split", required),
        out,
    )
    add(
        "pretrain",
        pretrain,
        "train one run's method and write its encoder; resumes by itself",
        "--run nwucla/nwucla/xview/pstl/joint/s0 --array data/arrays/nwucla/resize50 --out encoder.pt",
        run,
        array,
        out,
        device,
    )
    add(
        "features",
        features,
        "encode both sides of a split once",
        "--encoder encoder.pt --array data/arrays/nwucla/resize50 --split xview --batch-norm recalibrated --out features.npz",
        ("--encoder", required),
        array,
        ("--split", required),
        norm,
        out,
        device,
    )
    add(
        "evaluate",
        evaluate,
        "run one task on frozen features",
        "--run nwucla/nwucla/xview/pstl/joint/s0 --task knn --batch-norm recalibrated --features features.npz --out knn.json",
        run,
        ("--task", required),
        norm,
        ("--features", required),
        out,
        ("--scores", {"help": "also write the test scores here"}),
        device,
    )
    add(
        "fuse",
        fuse,
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
        "track",
        track,
        "import a suite's runs into MLflow; importing twice changes nothing",
        "--suite builtin --out results/builtin/mlflow.json",
        ("--suite", required),
        out,
    )
    add(
        "report",
        report,
        "build a suite's tables, ours beside the published numbers",
        "--suite builtin --out results/builtin/tables",
        ("--suite", required),
        ("--from", {"choices": ["files", "mlflow"], "default": "files", "dest": "source"}),
        out,
    )
    add(
        "import-weights",
        import_weights,
        "convert a checkpoint of released code",
        "--source pstl official.pt encoder.pt",
        ("--source", required),
        ("official", {"metavar": "OFFICIAL"}),
        ("out", {"metavar": "OUT"}),
    )
    add(
        "embed",
        embed,
        "turn an array of clips (N, 3, T, V, M) into features (N, D)",
        "--weights encoder.pt --input x.npy --output f.npy --stream bone --drop-joints 0,4,5",
        ("--weights", required),
        ("--input", required),
        ("--output", required),
        ("--stream", {"help": "joint, bone or motion (default: as trained)"}),
        ("--drop-joints", {"default": "", "metavar": "J,J,..."}),
        device,
    )
    add(
        "bench",
        bench,
        "measure training and encoding speed and peak memory at the papers' shapes",
        "--method pstl --device cpu --json bench.json",
        ("--method", {"action": "append", "help": "default: every method with an encoder of its own"}),
        device,
        ("--json", {"metavar": "FILE"}),
        ("--steps", {"type": int, "default": 5}),
    )
    add("check", check, "check params.yaml, plug-ins included", "--suite builtin", ("--suite", {"help": "default: every suite"}))
    add("list", list_plugins, "show every plug-in and where it comes from", "")
    return parser  # fmt: skip


def fetch(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.data.fetch import fetch

    params = config.load(args.params)
    fetch(args.dataset, params.dataset(args.dataset), args.out, [*args.archives, *params.archives])


def parse(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.data.prepare import parse

    parse(args.dataset, config.load(args.params).dataset(args.dataset), args.raw, args.out)


def prepare(args: argparse.Namespace) -> None:
    from pstl.config import Plugin, validated
    from pstl.data.prepare import prepare

    section = _json(args.recipe, "--recipe") if args.recipe.startswith("{") else {"name": args.recipe}
    prepare(args.dataset, validated(Plugin, section, "--recipe"), args.sequences, args.out)  # type: ignore[arg-type]


def leakage(args: argparse.Namespace) -> None:
    from pstl.data.prepare import check_leakage

    check_leakage(args.array, args.split, args.out)


def pretrain(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.train.pretrain import choose_device, pretrain

    pretrain(config.load(args.params), config.Run.parse(args.run), args.array, args.out, choose_device(args.device))


def features(args: argparse.Namespace) -> None:
    from pstl.tasks._features import extract
    from pstl.train.pretrain import choose_device

    extract(args.encoder, args.array, args.split, args.batch_norm, args.out, choose_device(args.device))


def evaluate(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.tasks._run import evaluate
    from pstl.train.pretrain import choose_device

    run, device = config.Run.parse(args.run), choose_device(args.device)
    evaluate(config.load(args.params), run, args.task, args.batch_norm, args.features, args.out, args.scores, device)


def fuse(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.tasks._run import fuse

    params, run = config.load(args.params), config.Run.parse(args.run)
    files = dict(item.partition("=")[::2] for item in args.scores)
    fuse(run, args.task, args.batch_norm, files, params.fusion_weights(run, args.batch_norm, args.task), args.out, args.scores_out)


def track(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.tracking import import_runs

    import_runs(config.load(args.params), args.suite, Path(args.out))


def report(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.report import build

    build(config.load(args.params), args.suite, Path(args.out), args.source)


def import_weights(args: argparse.Namespace) -> None:
    from pstl.tasks._embed import import_weights

    card = import_weights(args.source, args.official, args.out)
    _say(f"{args.out}: {card.method} encoder {card.encoder}, {card.skeleton}, {card.frames} frames")


def embed(args: argparse.Namespace) -> None:
    from pstl.tasks._embed import embed
    from pstl.train.pretrain import choose_device

    try:
        dropped = [int(j) for j in args.drop_joints.split(",") if j.strip()]
    except ValueError:
        raise UserError(f"--drop-joints {args.drop_joints!r}: expected joint numbers separated by commas, e.g. 0,4,5") from None
    shape = embed(args.weights, args.input, args.output, args.stream, dropped, choose_device(args.device))
    _say(f"{args.output}: {shape[0]} clips, {shape[1]} features")


def bench(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.bench import bench, table
    from pstl.data.store import write_json
    from pstl.train.pretrain import choose_device

    rows = bench(config.load(args.params), args.method, choose_device(args.device), args.steps)
    if args.json:
        write_json(args.json, rows)
    sys.stdout.write(table(rows))


def check(args: argparse.Namespace) -> None:
    from pstl import config

    params = config.load(args.params)
    for suite in [args.suite] if args.suite else params.suites:
        config.check_plugins(params, suite)
        _say(f"{args.params}: suite {suite} is sound: {len(params.runs(suite))} runs, {len(params.cells(suite))} cells")


def list_plugins(args: argparse.Namespace) -> None:
    from pstl.registry import KINDS, load, names

    for kind in KINDS:
        sys.stdout.write(f"{kind.split('.')[-1]}\n")
        for name in names(kind):
            sys.stdout.write(f"  {name:<14}{(load(kind, name).__doc__ or '').strip().splitlines()[0]}\n")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} {text!r}: not JSON: {error}") from None


def _say(text: str, code: int = 0) -> int:
    sys.stderr.write(text + "\n")
    return code
