"""Options that several verbs share, so that they mean and say the same everywhere."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

Params = Annotated[Path, Option(metavar="FILE", help="Settings.")]
# The workflow's rules hand --params to every verb; one with this option reads no settings.
UnreadParams = Annotated[Path | None, Option("--params", hidden=True)]
Dataset = Annotated[str, Argument(metavar="DATASET", help="Name of a data set.")]
Suite = Annotated[str, Option(metavar="NAME", help="Name of a suite, or its file.")]
Run = Annotated[str, Option(metavar="RUN", help="suite/dataset/split/method/stream/s<seed>")]
Task = Annotated[str, Option(metavar="NAME", help="Name of a task.")]
Split = Annotated[str, Option(metavar="NAME", help="Name of a split.")]
BatchNorm = Annotated[Literal["released", "recalibrated"], Option(help="Batch-norm statistics.")]

Pooling = Annotated[
    str,
    Option(
        metavar="clip|joints|timeN",
        help="What a clip's feature is: the encoder's own, one for each joint, or for each of N "
        "parts of the time.",
    ),
]
Share = Annotated[
    float | None, Option(metavar="0.1", help="Of the labels, for a task that draws some.")
]
Source = Annotated[
    str, Option(metavar="DATASET/SPLIT", help="Of the run whose encoder is used, if another.")
]
Protocol = Annotated[
    str,
    Option(
        metavar="own|common|METHOD",
        help="The task as the method's paper has it, as all methods share it, or as the paper of "
        "another method has it (of floors).",
    ),
]

OutFile = Annotated[Path, Option("--out", metavar="FILE", help="File to write.")]
OutFolder = Annotated[Path, Option("--out", metavar="FOLDER", help="Folder to write.")]
ArrayFolder = Annotated[Path, Option("--array", metavar="FOLDER", help="Made by `prepare`.")]
Sequences = Annotated[Path, Option(metavar="FOLDER", help="Made by `parse`.")]
Archives = Annotated[
    list[Path] | None, Option(metavar="FOLDER...", help="Folders searched at any depth.")
]
Json = Annotated[
    str | None,
    Option("--json", metavar="[FILE]", help="JSON, to standard output or to a file."),
]

Bench = Annotated[Path, Option(metavar="FILE", help="Made by `bench --json`.")]
Device = Annotated[str, Option(metavar="NAME", help="auto, cpu, cuda or cuda:N")]
Gpus = Annotated[
    int | None,
    Option(metavar="N", help="Take N free GPUs, and wait for them.  [default: see all, take none]"),
]
Jobs = Annotated[int | None, Option(metavar="N", help="Processes.  [default: one per core]")]
Skeleton = Annotated[
    str, Option(metavar="NAME", help="Whose joints these are, where nothing else says so.")
]
