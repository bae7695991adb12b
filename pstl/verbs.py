"""What each verb of the command line does: options in, one library call, files out. Imports wait until a verb runs, so --help is quick."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from pstl.errors import UserError
from pstl.files import by_ending

CORE = ("torch", "numpy", "yaml", "pydantic")  # what is installed without an extra


def fetch(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.data.fetch import fetch

    params = config.load(args.params)
    fetch(args.dataset, params.dataset(args.dataset), args.out, [*args.archives, *params.archives])


def parse(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.data.parse import parse, parse_untrimmed

    settings = config.load(args.params).dataset(args.dataset)
    read = parse_untrimmed if args.untrimmed else parse
    read(args.dataset, settings, args.raw, args.out, args.jobs, args.skip_damaged)


def prepare(args: argparse.Namespace) -> None:
    from pstl.config import Plugin, validated
    from pstl.data.prepare import prepare

    section = (
        _json(args.recipe, "--recipe") if args.recipe.startswith("{") else {"name": args.recipe}
    )
    prepare(
        args.dataset, validated(Plugin, section, "--recipe"), args.sequences, args.out, args.jobs
    )


def leakage(args: argparse.Namespace) -> None:
    from pstl.data.prepare import check_leakage

    check_leakage(args.array, args.split, args.out)


def labels(args: argparse.Namespace) -> None:
    from pstl.data.labels import draw_labels

    draw_labels(args.dataset, args.sequences, args.split, args.draw, args.out, args.rule)


def pretrain(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.train.devices import take
    from pstl.train.launch import launch, launched

    if not launched():
        processes = (
            len(take(args.gpus)) or args.gpus or 1
        )  # without GPUs: as many processes on the CPU
        if processes > 1:
            return launch(args.words, processes)
    from pstl.train.hardware import choose_device
    from pstl.train.pretrain import pretrain

    pretrain(
        config.load(args.params),
        config.Run.parse(args.run),
        args.array,
        args.out,
        choose_device(args.device),
        args.labels,
    )


def features(args: argparse.Namespace) -> None:
    from pstl.train.devices import take

    take(args.gpus)
    from pstl.encoding.features import extract
    from pstl.train.hardware import choose_device

    _named(args.out, ".npz")
    extract(
        args.encoder, args.array, args.split, args.batch_norm, args.out, choose_device(args.device)
    )


def evaluate(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.train.devices import take

    take(args.gpus)
    from pstl.evaluation.run import evaluate
    from pstl.train.hardware import choose_device

    run, device = config.Run.parse(args.run), choose_device(args.device)
    names = ("encoder", "array", "recordings", "labels", "snapshots")
    params, files = config.load(args.params), {name: getattr(args, name) for name in names}
    _named(args.scores, ".npz")
    evaluate(
        params,
        run,
        args.task,
        args.batch_norm,
        args.features,
        args.out,
        args.scores,
        device,
        **files,
    )


def trace(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.files import write_json
    from pstl.hub.trace import trace
    from pstl.train.hardware import choose_device

    if args.plot:
        from pstl.report import (
            plots,
        )  # what it needs may not be installed: found out before hours of work
    _named(args.plot, ".png")
    params, run = config.load(args.params), config.Run.parse(args.run)
    rows = trace(params, run, args.snapshots, args.array, args.tasks, choose_device(args.device))
    write_json(args.out, rows)
    if args.plot:
        plots.trace(Path(args.plot), rows)


def fuse(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.evaluation.run import fuse

    params, run = config.load(args.params), config.Run.parse(args.run)
    files = dict(item.partition("=")[::2] for item in args.scores)
    _named(args.scores_out, ".npz")
    fuse(
        run,
        args.task,
        args.batch_norm,
        files,
        params.fusion_weights(run, args.batch_norm, args.task),
        args.out,
        args.scores_out,
    )


def compare(args: argparse.Namespace) -> None:
    from pstl.files import write_json
    from pstl.report import paired

    if args.draws < 1:
        raise UserError(f"--draws {args.draws}: expected at least 1")
    found = paired.compare(args.a, args.b, args.draws)
    record = {"a": args.a, "b": args.b, **found._asdict()}
    if args.json and args.json != "-":
        write_json(args.json, record)
    sys.stdout.write(
        json.dumps(record, indent=1) + "\n"
        if args.json == "-"
        else paired.text(args.a, args.b, found)
    )


def track(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.tracking import import_runs

    import_runs(config.load(args.params), args.suite, Path(args.out))


def watch(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.tracking.live import watch

    params = config.load(args.params)
    params.suite_named(args.suite)
    if not args.every > 0:
        raise UserError(f"--every {args.every:g}: expected seconds above 0")
    say(f"watching suite {args.suite}; look at it with 'make ui', stop with Ctrl-C")
    watch(params, args.suite, args.every)


def report(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.report import build

    build(config.load(args.params), args.suite, Path(args.out), args.source)


def quote(args: argparse.Namespace) -> None:
    from pstl.report.quote import quote

    for page in args.pages:
        say(f"{page}: {quote(page)} place(s) filled")


def rebuild(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.report.rebuild import rebuild

    params = config.load(args.params)
    for folder in args.folders:
        rebuild(params, folder)
        say(f"{folder}: tables made again")


def page(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.report.html import build

    build(config.load(args.params), args.suite, args.out)


def import_weights(args: argparse.Namespace) -> None:
    from pstl.hub.import_weights import Told, import_weights

    told = Told(args.skeleton, args.stream, args.dataset, args.part)
    card = import_weights(args.source, args.official, args.out, told)
    say(
        f"{args.out}: {card.method} encoder {card.encoder}, stream {card.stream}, {card.skeleton}, {card.frames} frames"
    )


def embed(args: argparse.Namespace) -> None:
    from pstl.hub.embed_arrays import Source, embed
    from pstl.train.hardware import choose_device

    try:
        dropped = [int(j) for j in args.drop_joints.split(",") if j.strip()]
    except ValueError:
        raise UserError(
            f"--drop-joints {args.drop_joints!r}: expected joint numbers separated by commas, e.g. 0,4,5"
        ) from None
    device = choose_device(args.device)
    source = Source(args.input, args.skeleton, args.units)
    shape = embed(args.weights, source, args.output, args.stream, dropped, device)
    say(f"{args.output}: {shape[0]} clips, {shape[1]} features")


def score_detections(args: argparse.Namespace) -> None:
    from pstl.files import write_json
    from pstl.hub.score_detections import classes_of, score_detections

    classes = classes_of(args.dataset, args.classes)
    found = score_detections(args.truth, args.proposals, args.theta, classes)
    if missing := found["videos_without_proposals"]:
        say(
            f"{len(missing)} of {found['videos']} videos have no proposal file and count as empty: {', '.join(missing)}"
        )
    if count := found["proposals_of_equal_confidence"]:
        say(
            f"{count} of {found['proposals']} proposals share their confidence with another: PKU-MMD's numbers then depend on "
            "the order of files (here by name) and of their lines, greedy ones on neither"
        )
    if args.json and args.json != "-":
        write_json(args.json, found)
    elif args.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        lines = [("PKU-MMD", k, found[k]) for k in ("f1", "ap", "map_action", "map_video", "ap_2d")]
        lines += [("greedy", k, value) for k, value in found["greedy"].items()]
        sys.stdout.write(
            "".join(f"{protocol:<8} {k:<11}{value:.4f}\n" for protocol, k, value in lines)
        )


def export(args: argparse.Namespace) -> None:
    from pstl.hub.export import export

    card = export(args.encoder, args.out, args.array)
    say(f"{args.out}: {card.method}, {card.skeleton}, batch norm {card.provenance['batch_norm']}")


def show(args: argparse.Namespace) -> None:
    from pstl.report import gif, window
    from pstl.report.clip_drawing import draw

    if args.fps < 1:
        raise UserError(f"--fps {args.fps}: expected 1 or more frames per second")
    if args.out is not None:
        gif.check(args.out)
    clip = draw(args.clip, args.skeleton)
    frames, bodies = len(clip.poses), int(clip.there.any(0).sum())
    said = f"{frames} {'frame' if frames == 1 else 'frames'}, {bodies} {'body' if bodies == 1 else 'bodies'}"
    if args.out is None:
        return window.show(clip, args.fps, f"{args.clip}: {said}")
    gif.write(clip, args.out, args.fps)
    say(f"{args.out}: {said}")


def bench(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.bench import bench, table
    from pstl.bench_probes import bench_probes
    from pstl.bench_probes import table as probes_table
    from pstl.files import write_json
    from pstl.train.hardware import choose_device

    if args.data:
        from pstl.bench_data import bench_data
        from pstl.bench_data import table as data_table

        rows = bench_data(args.files, args.jobs)
        if args.json:
            write_json(args.json, rows)
        sys.stdout.write(data_table(rows))
        return
    if args.search:
        from pstl.bench_search import bench_search
        from pstl.bench_search import table as search_table

        gallery, queries = args.search
        rows = bench_search(gallery, queries, choose_device(args.device), args.method)
        if args.json:
            write_json(args.json, rows)
        sys.stdout.write(search_table(rows))
        return
    device, rows, probes = choose_device(args.device), [], []
    if args.method or not args.probes:
        params = config.load(args.params)
        rows = bench(params, args.method, device, args.steps, args.batch_size, args.suite)
        sys.stdout.write(table(rows))
    if args.probes or not args.method:
        probes = bench_probes(device)
        sys.stdout.write(probes_table(probes))
    if args.json:
        write_json(args.json, [*rows, *probes])


def plan(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.bench_figures import read_figures
    from pstl.plan import text

    params = config.load(args.params)
    figures = read_figures(args.bench)
    params.suite_named(args.suite)
    sys.stdout.write(text(params, args.suite, figures))


def doctor(args: argparse.Namespace) -> None:
    from pstl import config, paths
    from pstl.data.describe import examine_file
    from pstl.data.doctor import HARMLESS, examine, text
    from pstl.registry import names

    params, known = config.load(args.params), names("data.datasets")
    folders = [Path(folder).expanduser() for folder in [*args.archives, *params.archives]]
    if absent := [folder for folder in folders if not folder.exists()]:
        raise UserError(
            f"no such folder of archives: {absent[0]}; correct --archives (or archives: in params.yaml)"
        )
    if args.raw and not (len(args.targets) == 1 and args.targets[0] in known):
        raise UserError(
            f"--raw {args.raw}: the folder of one data set; name the data set, too: {', '.join(known)}"
        )
    strangers = [
        target for target in args.targets if target not in known and not os.path.lexists(target)
    ]
    reports = []
    for target in args.targets or known:
        if target not in strangers:
            raw = Path(args.raw or paths.raw(target))
            found = (
                examine(target, params.dataset(target), raw, folders, args.jobs)
                if target in known
                else examine_file(Path(target))
            )
            reports.append(found)
            if not args.json:
                sys.stdout.write(text(found))
                sys.stdout.flush()
    if args.json:
        sys.stdout.write(json.dumps(reports, indent=1) + "\n")
    if strangers:
        raise UserError(
            f"{strangers[0]}: neither a data set nor a file; data sets: {', '.join(known)}"
        )
    fine = [
        report["ok"] or (not args.targets and report["state"] in HARMLESS) for report in reports
    ]
    if not all(fine):
        sys.exit(1)


def check(args: argparse.Namespace) -> None:
    from pstl import config
    from pstl.check import check_contracts

    params = config.load(args.params)
    check_contracts()
    for suite in [args.suite] if args.suite else params.suites:
        config.check_plugins(params, suite)
        say(
            f"{args.params}: suite {suite} is sound: {len(params.runs(suite))} runs, {len(params.cells(suite))} cells"
        )


def list_plugins(args: argparse.Namespace) -> None:
    from pstl.registry import KINDS, load, names

    for kind in KINDS:
        sys.stdout.write(f"{kind.split('.')[-1]}\n")
        for name in names(kind):
            sys.stdout.write(
                f"  {name:<14}{(load(kind, name).__doc__ or '').strip().splitlines()[0]}\n"
            )


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} {text!r}: not JSON: {error}") from None


def lacking(error: ModuleNotFoundError) -> str:
    """What to install, where a package is not there. Raises: the error itself if the package is this one."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "pstl"):
        raise error
    extra = "" if package in CORE else "[workflow]"
    return f"needs {package}, which is not installed here; run: pip install 'pstl{extra}'"


def _named(path: str | None, ending: str) -> None:
    """Before hours of work: an output that is asked for is called what it will be. Raises: UserError."""
    if path is not None:
        by_ending(path, {ending: None})


def say(text: str, code: int = 0) -> int:
    """One line to stderr. Returns: the exit code to leave with."""
    sys.stderr.write(text + "\n")
    return code
