"""One clip in a window: endless, until the window is closed. Needs a screen and tkinter."""

from collections.abc import Callable
from itertools import cycle, product
from typing import Any

from pstl.errors import UserError
from pstl.report.clip_drawing import ClipDrawing

WIDTH = 3  # of a bone, in pixels


def show(
    clip: ClipDrawing, fps: int, title: str, until: Callable[[Any], None] | None = None
) -> None:
    """Play a clip.

    until: called with the window before it is shown, e.g. to close it after a while.
    Raises: UserError if there is no screen, or Python came without tkinter.
    """
    try:
        import tkinter
    except ImportError:
        raise UserError(
            "this Python has no tkinter (on Debian: apt install python3-tk); "
            "draw a file instead: --out clip.gif"
        ) from None
    try:
        window = tkinter.Tk()
    except tkinter.TclError as error:
        raise UserError(
            f"no window can be opened here ({error}); draw a file instead: --out clip.gif"
        ) from None
    window.title(title)
    canvas = tkinter.Canvas(
        window, width=clip.side, height=clip.side, background="white", highlightthickness=0
    )
    canvas.pack()
    bones = []
    for m, bone in product(range(clip.poses.shape[2]), clip.bones):
        bones.append((m, *bone, canvas.create_line(0, 0, 0, 0, width=WIDTH)))
    times = cycle(range(len(clip.poses)))

    def step() -> None:
        """Draw the next frame, and ask to be called for the one after it."""
        t = next(times)
        for m, child, parent, tone, line in bones:
            ends = clip.poses[t, [child, parent], m].ravel().tolist()
            canvas.coords(line, *ends)
            canvas.itemconfigure(
                line, fill=tone, state="normal" if clip.present[t, m] else "hidden"
            )
        window.after(round(1000 / fps), step)

    step()
    if until:
        until(window)
    window.mainloop()
