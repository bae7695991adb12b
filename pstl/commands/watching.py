"""The verb that names what somebody does, before a camera or in a recorded stream of landmarks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from pstl.commands import options
from pstl.errors import UserError

if TYPE_CHECKING:
    from pstl.hub.live import Look


def live(
    weights: Annotated[
        str,
        Option(metavar="WEIGHTS", help="A name of `list --weights`, or whatever `embed` takes."),
    ],
    camera: Annotated[
        int | None, Option(min=0, metavar="N", help="Number of the camera.  [default: 0]")
    ] = None,
    stream: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Instead: recorded landmarks, a line of MediaPipe's JSON for every frame.",
        ),
    ] = None,
    save: Annotated[
        Path | None, Option(metavar="FILE", help="Write the camera's landmarks as such a stream.")
    ] = None,
    model: Annotated[
        Path, Option(metavar="FILE", help="MediaPipe's pose landmarker, for the camera.")
    ] = Path("pose_landmarker_full.task"),
    window: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="Frames that are looked at together.  [default: those of a training clip]",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Frames between looks.  [default: a quarter of a window]"),
    ] = None,
    top: Annotated[int, Option(min=1, metavar="N", help="Classes that are shown.")] = 3,
    device: options.Device = "auto",
    _params: options.UnreadParams = None,
) -> None:
    """Name what somebody does, while it is done: camera, MediaPipe, encoder, label.

    A camera needs the extra `live`; a recorded stream needs nothing more. Every look is a line on
    standard output, and on the picture where there is one; q or Ctrl-C ends it.

    example:
      python -m pstl live --weights synthetic/simclr --stream landmarks.jsonl
    """
    from pstl.hub import live as watching
    from pstl.hub.embedder import load
    from pstl.hub.labels import Sliding

    if stream is not None and (camera is not None or save is not None):
        raise UserError("--stream needs no camera: leave out --camera and --save, or --stream")
    sliding = Sliding(window or 0, stride or 0)
    if stream is not None:
        lines = watching.lines_of(stream)
        for look in watching.play(watching.Live(load(weights, device), sliding, top), lines):
            _say(look)
        return
    from pstl.hub.camera import Camera, watch

    embedder = load(weights, device)
    watched = watching.Live(embedder, sliding, top)
    with Camera(camera or 0, model, embedder.card.people) as opened:
        watch(watched, opened, _say, save)


def _say(look: "Look") -> None:
    sys.stdout.write(f"frame {look.frame}: {look.text()}\n")
    sys.stdout.flush()
