"""What `python -m pstl bench` does: measure what is asked for, print it, keep it as JSON."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pstl.files import write_json
from pstl.train.hardware import device_of_job


@dataclass(frozen=True)
class Options:
    """The flags of `bench`, under their names."""

    params: Path = Path("params.yaml")
    method: Sequence[str] | None = None
    device: str = "auto"
    json: Path | None = None
    steps: int = 5
    suite: str | None = None
    batch_size: int | None = None
    probes: bool = False
    search: Sequence[int] | None = None
    data: bool = False
    files: int = 3000
    jobs: int | None = None
    scale: int | None = None


def run(options: Options) -> None:
    """Print the tables of what is asked for; by default of methods and probes."""
    if options.scale:
        rows = on_scale(options.scale)
    elif options.data:
        rows = on_data(options)
    elif options.search:
        rows = on_search(options)
    else:
        rows = on_methods(options)
        if options.probes or not options.method:
            rows += on_probes(options)
    if options.json:
        write_json(options.json, rows)


def on_data(options: Options) -> list[dict[str, Any]]:
    from benchmarks import data

    rows = data.bench_data(options.files, options.jobs)
    sys.stdout.write(data.table(rows))
    return rows


def on_scale(clips: int) -> list[dict[str, Any]]:
    from benchmarks import scale

    rows = scale.bench_scale(clips)
    sys.stdout.write(scale.table(rows))
    return rows


def on_search(options: Options) -> list[dict[str, Any]]:
    from benchmarks import search

    assert options.search is not None
    gallery, queries = options.search
    rows = search.bench_search(gallery, queries, device_of_job(options.device), options.method)
    sys.stdout.write(search.table(rows))
    return rows


def on_methods(options: Options) -> list[dict[str, Any]]:
    """Nothing where only probes are asked for."""
    from benchmarks import methods
    from pstl import config

    if options.probes and not options.method:
        return []
    device, params = device_of_job(options.device), config.load(options.params)
    rows = methods.bench(
        params, options.method, device, options.steps, options.batch_size, options.suite
    )
    sys.stdout.write(methods.table(rows))
    return rows


def on_probes(options: Options) -> list[dict[str, Any]]:
    from benchmarks import probes

    rows = probes.bench_probes(device_of_job(options.device))
    sys.stdout.write(probes.table(rows))
    return rows
