"""How long some cells of a suite take on the device that was benched, alone."""

from collections.abc import Iterable
from dataclasses import replace

from pstl import graph
from pstl.config import Cell, Params, Run
from pstl.plan import hours
from pstl.plan.sizes import Figures, facts, figure


def hours_of_cells(params: Params, cells: Iterable[Cell], figures: Figures) -> float | None:
    """Hours from arrays to these cells: their encoders, features and tasks, each once.

    Returns: None if an encoder of theirs has no figure.
    """
    own = {part for cell in cells for part in streams_of(params, cell)}
    encoders = {params.encoder_run(cell.run, cell.source) for cell in own}
    seconds = 0.0
    for run in encoders:
        row = figure(params, run.suite, run.method, figures)
        if not row:
            return None
        seconds += hours.pretraining_of(params, run, row)
    encoded = set()
    for cell in own:
        if graph.inputs(params, cell).features:
            pooling = params.task_of(cell).pooling
            encoded.add((cell.run, cell.batch_norm, cell.source, pooling))
        seconds += sum(hours.task_seconds(params, cell.run.suite, cell, figures).values())
    for run, batch_norm, *_ in encoded:
        train, test = facts(run.dataset).split(run.split)
        passes = train + test + train * (batch_norm == "recalibrated")
        row = figure(params, run.suite, run.method, figures)
        seconds += passes / row["encode_clips_per_second"]
    return seconds / 3600


def streams_of(params: Params, cell: Cell) -> list[Cell]:
    """The cells that a cell is made of: of a fused one those of its streams, else itself."""
    if not cell.fused:
        return [cell]
    parts = []
    for stream in cell.fused:
        run = Run.model_validate({**cell.run.model_dump(), "stream": stream})
        parts.append(replace(cell, run=run, fused=None))
    return parts
