"""The verb that says what clips show."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from pstl.commands import options
from pstl.commands.verb import STANDARD_OUTPUT, say
from pstl.files import by_ending, write_json, write_text

if TYPE_CHECKING:
    from pstl.hub.embedder import Embedder
    from pstl.hub.predict import Prediction

GIFS = "predicted"  # folder of GIFs that nobody has named
FPS = 30
Window = Annotated[
    int | None,
    Option(
        min=1,
        metavar="N",
        help="Frames of windows that slide over every clip.  [default: over recordings of "
        "more than 600 frames, as long as a training clip]",
    ),
]
Stride = Annotated[
    int | None,
    Option(min=1, metavar="N", help="Frames between windows.  [default: a quarter of one]"),
]


def predict(
    clips: Annotated[
        Path,
        Argument(
            metavar="CLIPS", help="What `embed` reads: a clip's file, a folder of them, an array."
        ),
    ],
    weights: Annotated[
        str,
        Option(metavar="WEIGHTS", help="A name of `list --weights`, or whatever `embed` takes."),
    ],
    top: Annotated[int, Option(min=1, metavar="N", help="Classes that are shown.")] = 5,
    out: Annotated[
        Path | None,
        Option(metavar="FILE", help=".json, .csv or .html.  [default: lines to standard output]"),
    ] = None,
    gif: Annotated[
        str | None,
        Option(
            metavar="[FOLDER]",
            help=f"A GIF of every clip with its label.  [without a value: {GIFS}]",
        ),
    ] = None,
    window: Window = None,
    stride: Stride = None,
    skeleton: options.Skeleton = "",
    units: Annotated[Literal["m", "cm", "mm"], Option(help="Of raw .npy clips.")] = "m",
    device: options.Device = "auto",
    _params: options.UnreadParams = None,
) -> None:
    """Say what clips show: labels with chances, and what happens when in untrimmed recordings.

    The classes are those of the clips that the weights were trained on (docs/use-weights.md).

    example:
      python -m pstl predict clips --weights synthetic/simclr --top 3 --gif
    """
    from pstl.hub import predict as prediction
    from pstl.hub.embed_arrays import Source
    from pstl.hub.embedder import load
    from pstl.hub.labels import Sliding

    if out is not None:
        by_ending(out, dict.fromkeys((".json", ".csv", ".html")))
    embedder = load(weights, device)
    sliding = Sliding(window or 0, stride or 0) if window or stride else None
    listed = prediction.predict(embedder, Source(clips, skeleton, units), top, sliding)
    if out is None:
        sys.stdout.write(prediction.text(listed))
    else:
        _write(out, weights, embedder, listed)
        say(f"{out}: {len(listed)} clips")
    if gif is not None:
        from pstl.report.predictions import write_gifs

        folder = GIFS if gif == STANDARD_OUTPUT else gif
        say(f"{folder}: {len(write_gifs(folder, listed, FPS))} GIFs")


def _write(out: Path, weights: str, embedder: "Embedder", listed: "list[Prediction]") -> None:
    """Write predictions as the file's ending says."""
    from pstl.hub import predict as prediction

    if out.suffix == ".json":
        write_json(out, prediction.record(weights, embedder, listed))
    elif out.suffix == ".csv":
        write_text(out, prediction.table(listed))
    else:
        from pstl.report.predictions import write_page

        write_page(out, weights, prediction.about(embedder), listed)
