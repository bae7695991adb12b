"""Simulated people written as people write files of their own."""

import json
from pathlib import Path

import numpy as np

from pstl.data.datasets.synthetic import Synthetic, clip_names, simulate
from pstl.simulator.sensor import Noise
from pstl.skeletons import load
from pstl.skeletons.mapping import joints_of

QUIET = Noise(**dict.fromkeys(Noise.model_fields, 0.0))


def settings(**changes):
    return Synthetic.Config(performers=2, cameras=1, repetitions=1, noise=QUIET, **changes)


def people(body="kinect_v2", action=0, persons=1):
    """(T, recorded, M, 3) metres as a file of the body has them: its joints, nothing derived."""
    cfg = settings()
    names = [name for name in clip_names(cfg) if name.performer == 1]
    xyz = simulate(cfg, names[action]).xyz[:, :, :1].astype(np.float64)
    if persons > 1:
        xyz = np.concatenate([xyz, xyz + np.array([2.0, 0, 0])], axis=2)
    joints = list(joints_of(body, "kinect_v2"))[: load(body).recorded]
    return xyz[:, joints]


def pixels(xyz):
    """What a camera sees of it, without perspective: x to the right, y down."""
    return 320 - 150 * xyz[..., :2]


def column(name, axis):
    return f"{name.replace(' ', '_')}_{axis}"


def write_csv(path, body, xyz, persons=False, score=False):
    """Named columns, one row a person."""
    names = load(body).names[: xyz.shape[1]]
    axes = "xyz"[: xyz.shape[-1]]
    header = ["frame", *(["person"] if persons else [])]
    header += [column(name, axis) for name in names for axis in axes]
    header += [column(name, "score") for name in names] if score else []
    rows = [",".join(header)]
    for time, frame in enumerate(xyz):
        for person in range(xyz.shape[2]):
            row = [time, *([f"p{person}"] if persons else [])]
            row += [repr(float(v)) for v in frame[:, person].ravel()]
            row += [0.9] * len(names) if score else []
            rows.append(",".join(map(str, row)))
    Path(path).write_text("\n".join(rows) + "\n")


def flat(frame):
    """x, y, confidence of every joint, one after the other."""
    return np.concatenate([frame, np.full((len(frame), 1), 0.8)], axis=1).ravel().tolist()


def write_openpose(folder, xyz):
    """A folder with a file for every frame."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    for time, frame in enumerate(xyz):
        key = "pose_keypoints_2d" if xyz.shape[-1] == 2 else "pose_keypoints_3d"
        found = [{"person_id": [-1], key: flat(frame[:, m])} for m in range(frame.shape[1])]
        content = {"version": 1.3, "people": found}
        (folder / f"take_{time:012d}_keypoints.json").write_text(json.dumps(content))


def write_alphapose(path, xyz, tracked=False):
    results = []
    for time, frame in enumerate(xyz):
        for m in range(frame.shape[1]):
            one = {"image_id": f"{time}.jpg", "category_id": 1, "score": 2.5}
            one |= {"keypoints": flat(frame[:, m])} | ({"idx": [m]} if tracked else {})
            results.append(one)
    Path(path).write_text(json.dumps(results))


def write_mmpose(path, xyz):
    frames = []
    for time, frame in enumerate(xyz):
        instances = [
            {"keypoints": frame[:, m].tolist(), "keypoint_scores": [0.7] * len(frame)}
            for m in range(frame.shape[1])
        ]
        frames.append({"frame_id": time + 1, "instances": instances})
    Path(path).write_text(json.dumps({"meta_info": {}, "instance_info": frames}))


def landmarks(frame):
    return [{"x": float(x), "y": float(y), "z": float(z), "visibility": 0.99} for x, y, z in frame]


def write_mediapipe(path, xyz, key="pose_world_landmarks", several=False):
    """xyz: with y up; MediaPipe's y points down and its x to the picture's right."""
    turned = xyz * [-1, -1, 1]
    frames = []
    for frame in turned:
        bodies = [landmarks(frame[:, m]) for m in range(frame.shape[1])]
        frames.append({key: bodies if several else bodies[0]})
    Path(path).write_text(json.dumps(frames))


# A joint, what it hangs on, and its offset in centimetres: a person of 1.7 m.
TREE = {
    "Hips": ("", (0, 0, 0)),
    "LeftUpLeg": ("Hips", (-8.5, -3, 0)),
    "LeftLeg": ("LeftUpLeg", (0, -39, 0)),
    "LeftFoot": ("LeftLeg", (0, -38, 0)),
    "LeftToeBase": ("LeftFoot", (0, -6, 11)),
    "RightUpLeg": ("Hips", (8.5, -3, 0)),
    "RightLeg": ("RightUpLeg", (0, -39, 0)),
    "RightFoot": ("RightLeg", (0, -38, 0)),
    "RightToeBase": ("RightFoot", (0, -6, 11)),
    "Spine": ("Hips", (0, 15, 0)),
    "Spine1": ("Spine", (0, 15, 0)),
    "Spine2": ("Spine1", (0, 12, 0)),
    "Neck": ("Spine2", (0, 18, 0)),
    "Head": ("Neck", (0, 13, 2)),
    "LeftShoulder": ("Spine2", (-5, 10, 0)),
    "LeftArm": ("LeftShoulder", (-12, 1, 0)),
    "LeftForeArm": ("LeftArm", (0, -27, 0)),
    "LeftHand": ("LeftForeArm", (0, -24, 0)),
    "RightShoulder": ("Spine2", (5, 10, 0)),
    "RightArm": ("RightShoulder", (12, 1, 0)),
    "RightForeArm": ("RightArm", (0, -27, 0)),
    "RightHand": ("RightForeArm", (0, -24, 0)),
}


def bvh_text(angles=None, frames=3, order="ZXY", prefix=""):
    """A BVH of TREE. angles: (joint, axis) -> degrees in every frame (frames,)."""
    angles = angles or {}
    children = {name: [c for c, (parent, _) in TREE.items() if parent == name] for name in TREE}
    lines, rows = ["HIERARCHY"], []
    channels = []

    def node(name, depth):
        pad = "  " * depth
        lines.append(f"{pad}{'JOINT' if depth else 'ROOT'} {prefix}{name}")
        lines.append(pad + "{")
        lines.append(f"{pad}  OFFSET {' '.join(map(str, TREE[name][1]))}")
        turns = [f"{axis}rotation" for axis in order]
        places = ["Xposition", "Yposition", "Zposition"] if not depth else []
        lines.append(f"{pad}  CHANNELS {len(places) + 3} {' '.join([*places, *turns])}")
        channels.extend((name, channel) for channel in (*places, *turns))
        for child in children[name]:
            node(child, depth + 1)
        if not children[name]:
            lines.extend([f"{pad}  End Site", pad + "  {", f"{pad}    OFFSET 0 1 0", pad + "  }"])
        lines.append(pad + "}")

    node("Hips", 0)
    for time in range(frames):
        row = []
        for name, channel in channels:
            if channel.endswith("position"):
                row.append({"X": 10.0 + time, "Y": 90.0, "Z": 5.0}[channel[0]])
            else:
                row.append(float(angles.get((name, channel[0]), np.zeros(frames))[time]))
        rows.append(" ".join(map(str, row)))
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333", *rows]
    return "\n".join(lines) + "\n"


# What declares the folder that write_folder makes.
DECLARED = {
    "kind": "folder",
    "path": "mine",
    "splits": {"xsub": {"by": "performer", "train": ["anna"]}},
}


def write_folder(folder, write=None, ending=".csv", performers=("anna", "bo")):
    """A folder of clips of two performers who do two things twice, and a table of their labels.

    write: of one clip, (path, xyz); as csv with named columns of COCO's joints by default.
    """
    write = write or (lambda path, xyz: write_csv(path, "coco17", xyz))
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["clip,label,performer,camera"]
    for who, name in enumerate(performers):
        for action, label in enumerate(("wave", "clap")):
            for take in (1, 2):
                clip = f"{name}_{label}_{take}"
                xyz = people("coco17", action=action) + 0.01 * (take + 2 * who)
                write(folder / f"{clip}{ending}", xyz)
                rows.append(f"{clip}{ending},{label},{name},{take}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
