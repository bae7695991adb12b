"""Verbs for who has weights, or clips, of their own or of somebody else."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from pstl.commands import options
from pstl.commands.options import OutFile
from pstl.commands.verb import say
from pstl.errors import UserError


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
    run: Annotated[
        str | None,
        Argument(metavar="RUN", help="suite/dataset/split/method/stream/s<seed> of results/."),
    ] = None,
    encoder: Annotated[
        Path | None, Option(metavar="FILE", help="Made by `pretrain`, in place of a run.")
    ] = None,
    out: Annotated[Path | None, Option(metavar="FOLDER", help="Folder to write.")] = None,
    array: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Of an encoder by its file: recalibrate the batch norms on its training clips "
            "first, as the headline numbers do. A run's own are found.",
        ),
    ] = None,
    classifier: Annotated[
        str,
        Option(metavar="TASK", help="Of a run: fit this one, `probe`, to the training clips."),
    ] = "",
    half: Annotated[
        bool, Option("--half", help="Of a run: store matrices in 16 bits, half the size.")
    ] = False,
    hub: Annotated[
        str | None,
        Option(metavar="NAME", help="Write hub/NAME of this checkout, e.g. nwucla/simclr."),
    ] = None,
    params: options.Params = Path("params.yaml"),
) -> None:
    """Write an encoder for others: safetensors and a model card.

    Of a run, `RUN --classifier probe --half --hub nwucla/simclr` also fits what names classes, and
    measures the file as it is written.

    example:
      python -m pstl export --encoder encoder.pt \\
        --array data/arrays/nwucla/resize50 --out released/pstl-nwucla
    """
    from pstl.hub.export import Wanted, export, export_run

    target = _target(out, hub)
    if run is None and encoder is None:
        raise UserError("name a run, or a file with --encoder")
    if encoder is not None:
        if run is not None or classifier or half:
            raise UserError("--encoder goes without a run, --classifier and --half, which need one")
        card = export(encoder, target, array)
    else:
        from pstl import config

        if array is not None:
            raise UserError("--array goes with --encoder; a run's own array is found")
        settings = config.load(params)
        wanted = Wanted(classifier, half, hub or "")
        card = export_run(settings, settings.run(str(run)), target, wanted).card
    say(f"{target}: {card.method}, {card.skeleton}, batch norm {card.provenance['batch_norm']}")


def _target(out: Path | None, hub: str | None) -> Path:
    """Where an encoder is exported to. Raises: UserError unless it is one place."""
    if (out is None) == (hub is None):
        raise UserError("name one place: --out FOLDER, or --hub NAME")
    if out is not None:
        return out
    from pstl.hub.places import place_in_hub

    return place_in_hub(str(hub))


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
