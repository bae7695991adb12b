"""Verbs for who has weights, or clips, of their own or of somebody else."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from pstl.commands import options
from pstl.commands.options import OutFile, OutFolder
from pstl.commands.verb import say


def import_weights(
    source: Annotated[
        str, Option(metavar="METHOD", help="Whose code: aimclr, pstl, scdnet, umurl, hitrs, psp.")
    ],
    official: Annotated[
        Path,
        Argument(
            metavar="OFFICIAL", help="A checkpoint, its names wrapped and prefixed as they may be."
        ),
    ],
    out: Annotated[Path, Argument(metavar="OUT", help="File to write.")],
    skeleton: Annotated[
        str,
        Option(metavar="NAME", help="Body it was trained on.  [default: the released code's]"),
    ] = "",
    stream: Annotated[
        str,
        Option(
            metavar="NAME",
            help="What it was trained on, which no file says; of a file with an encoder for each, "
            "the one that is taken.  [default: joint, or the only one]",
        ),
    ] = "",
    dataset: Annotated[
        str, Option(metavar="NAME", help="What it was trained on, whose classes a head knows.")
    ] = "",
    part: Annotated[
        str,
        Option(metavar="PREFIX", help="What stands in front, where a file has several encoders."),
    ] = "",
    _params: options.UnreadParams = None,
) -> None:
    """Convert a checkpoint of released code.

    example:
      python -m pstl import-weights --source aimclr --dataset ntu60 \\
        actclr_ntu60_xview_joint.pt encoder.pt
    """
    from pstl.hub.import_weights import Told, import_weights

    card = import_weights(source, official, out, Told(skeleton, stream, dataset, part))
    encoder = f"{card.method} encoder {card.encoder}, stream {card.stream}"
    say(f"{out}: {encoder}, {card.skeleton}, {card.frames} frames")


def import_run(
    run: options.Run,
    out: OutFile,
    archives: options.Archives = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Obtain the weights that a run's method entry names, and write its encoder.

    example:
      python -m pstl import-run --run nwucla_released/ntu60/xview/actclr/joint/s0 \\
        --archives ~/archives --out encoder.pt
    """
    from pstl import config
    from pstl.hub.import_run import import_run

    settings = config.load(params)
    folders = [*(archives or []), *map(Path, settings.archives)]
    card = import_run(settings, settings.run(run), out, folders)
    say(f"{out}: {card.provenance['weights']}, {card.method} encoder of {run}")


def export(
    encoder: Annotated[Path, Option(metavar="FILE", help="Made by `pretrain`.")],
    out: OutFolder,
    array: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Recalibrate the batch norms on its training clips first, as the headline "
            "numbers do.",
        ),
    ] = None,
    _params: options.UnreadParams = None,
) -> None:
    """Write an encoder for others: safetensors and a model card.

    example:
      python -m pstl export --encoder encoder.pt \\
        --array data/arrays/nwucla/resize50 --out released/pstl-nwucla
    """
    from pstl.hub.export import export

    card = export(encoder, out, array)
    say(f"{out}: {card.method}, {card.skeleton}, batch norm {card.provenance['batch_norm']}")


def embed(
    weights: Annotated[
        str, Option(metavar="WEIGHTS", help="encoder.pt, an exported folder, or a run's name.")
    ],
    input: Annotated[
        Path,
        Option(
            metavar="CLIPS",
            help="Folder of `prepare` or `parse`, a .npy as a recipe makes it, or raw clips: "
            "one, or a folder.",
        ),
    ],
    output: Annotated[
        Path, Option(metavar="FILE", help=".npy: features; .npz: features and names.")
    ],
    stream: Annotated[
        str | None,
        Option(metavar="NAME", help="joint, bone, motion, other.  [default: as trained]"),
    ] = None,
    drop_joints: Annotated[str, Option(metavar="J,J,...", help="Joints taken as unseen.")] = "",
    skeleton: options.Skeleton = "",
    units: Annotated[Literal["m", "cm", "mm"], Option(help="Of raw .npy clips.")] = "m",
    device: options.Device = "auto",
    _params: options.UnreadParams = None,
) -> None:
    """Turn clips into the features (N, D) of the tables (docs/own-data.md).

    Clips are an array (N, 3, T, V, M) as `prepare` makes it, or raw ones.

    example:
      python -m pstl embed --weights encoder.pt --input x.npy --output f.npy \\
        --stream bone --drop-joints 0,4,5
    """
    from pstl.hub.embed_arrays import Source, embed, joint_numbers
    from pstl.train.hardware import device_of_job

    dropped = joint_numbers(drop_joints)
    source = Source(input, skeleton, units)
    shape = embed(weights, source, output, stream, dropped, device_of_job(device))
    say(f"{output}: {shape[0]} clips, {shape[1]} features")


def show(
    clip: Annotated[
        str,
        Argument(
            metavar="CLIP", help="A clip's file, or DATASET/NAME of recordings that were read."
        ),
    ],
    out: Annotated[
        Path | None, Option(metavar="GIF", help="File to write.  [default: open a window]")
    ] = None,
    fps: Annotated[int, Option(min=1, metavar="N", help="Frames per second.")] = 30,
    skeleton: options.Skeleton = "",
    _params: options.UnreadParams = None,
) -> None:
    """Draw one clip, in a window or as a GIF.

    example:
      python -m pstl show synthetic/S001C001P001R001A001 --out clip.gif
    """
    from pstl.report import clip_drawing, window

    if out is not None:
        clip_drawing.check_gif(out)
    drawn = clip_drawing.draw(clip, skeleton)
    if out is None:
        window.show(drawn, fps, f"{clip}: {drawn.summary()}")
    else:
        clip_drawing.write_gif(drawn, out, fps)
        say(f"{out}: {drawn.summary()}")
