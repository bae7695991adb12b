"""A camera whose pictures MediaPipe turns into landmarks, and a window to show them in.

Needs the extra `live` (mediapipe, opencv-python), and MediaPipe's model, a file of its own.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pstl import environment
from pstl.errors import UserError
from pstl.files import write_text
from pstl.hub.live import Line, Live, Look

MODEL = "pose_landmarker_full.task"
WHERE = "ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker"
QUIET = {"OPENCV_LOG_LEVEL": "SILENT"}  # it says in ten lines that there is no camera
TITLE = "pstl live (q ends it)"
GREEN = (0, 200, 0)
QUIT = ord("q")


class Camera:
    """Use it in a `with`: it lets go of the camera and closes its window.

    number: of the camera, 0 is the first.   model: file of the pose landmarker.
    people: most that are looked for.
    Raises: UserError if there is no such camera or model; ModuleNotFoundError without the extra.
    """

    def __init__(self, number: int, model: Path, people: int) -> None:
        environment.set_defaults(QUIET)
        import cv2
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        if not model.is_file():
            raise UserError(f"{model}: no such file; get {MODEL} at {WHERE} and name it: --model")
        self.cv2, self.mediapipe, self.number = cv2, mediapipe, number
        self.capture = cv2.VideoCapture(number)
        if not self.capture.isOpened():
            remedy = "name another with --camera N, or play a recorded stream with --stream FILE"
            raise UserError(f"camera {number}: none that can be opened; {remedy}")
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=people,
        )
        self.landmarker = vision.PoseLandmarker.create_from_options(options)
        self.picture: Any = None

    def __enter__(self) -> "Camera":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.landmarker.close()
        self.capture.release()
        self.cv2.destroyAllWindows()

    def lines(self) -> Iterator[Line]:
        """The landmarks of picture after picture, until the camera gives no more."""
        began, number = time.monotonic(), 0
        while True:
            is_there, self.picture = self.capture.read()
            if not is_there:
                return
            image = self.mediapipe.Image(
                image_format=self.mediapipe.ImageFormat.SRGB,
                data=self.cv2.cvtColor(self.picture, self.cv2.COLOR_BGR2RGB),
            )
            passed = int(1000 * (time.monotonic() - began)) + number  # must grow by 1 at least
            result = self.landmarker.detect_for_video(image, passed)
            people = [[_numbers(point) for point in one] for one in result.pose_world_landmarks]
            line = json.dumps({"pose_world_landmarks": people})
            yield Line(line.encode(), f"picture {number} of camera {self.number}")
            number += 1

    def show(self, text: str) -> bool:
        """Show the last picture with words on it. Returns: whether to go on."""
        font = self.cv2.FONT_HERSHEY_SIMPLEX
        self.cv2.putText(self.picture, text, (10, 30), font, 0.8, GREEN, 2)
        self.cv2.imshow(TITLE, self.picture)
        return bool(self.cv2.waitKey(1) & 0xFF != QUIT)


def watch(live: Live, camera: Camera, say: Callable[[Look], None], save: Path | None) -> None:
    """Name what the camera sees until q, Ctrl-C or its end.

    say: is told every look.   save: file of the landmarks that were seen.
    """
    text, kept = "", []
    with suppress(KeyboardInterrupt):
        for line in camera.lines():
            kept += [line.data] if save else []
            if look := live.take(line):
                say(look)
                text = look.text()
            if not camera.show(text):
                break
    if save:
        write_text(save, "".join(f"{data.decode()}\n" for data in kept))


def _numbers(point: Any) -> dict[str, float | None]:
    """One landmark."""
    return {"x": point.x, "y": point.y, "z": point.z, "visibility": point.visibility}
