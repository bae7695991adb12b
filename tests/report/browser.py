"""A real browser, headless, spoken to over a pipe in Chrome's DevTools protocol.

Only for tests of the page.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
DOMAINS = ("Page", "Runtime", "Log", "Network")


def found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab.

    `complaints` are errors and warnings of the console, `asked` the addresses it wanted.
    """

    def __init__(self, send: int, receive: int) -> None:
        self.send, self.receive = os.fdopen(send, "wb", buffering=0), os.fdopen(receive, "rb")
        self.number, self.session, self.left = 0, "", b""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in DOMAINS:
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.send.close()
        self.receive.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; what happens meanwhile is noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.send.write(
            json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode()
            + b"\0"
        )
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Show a file at a screen width in CSS pixels; below 600 as on a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Page.navigate", url=page.absolute().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, whole: bool = True) -> bytes:
        """PNG of the page."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        )

    def printed(self) -> bytes:
        """PDF of the page on A4."""
        answer = self.call(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69
        )
        return base64.b64decode(answer["data"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.left:
            part = os.read(self.receive.fileno(), 1 << 20)
            assert part, "the browser is gone"
            self.left += part
        text, _, self.left = self.left.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method", ""), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" or (
            method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning")
        ):
            self.complaints.append(json.dumps(params))


@contextmanager
def started(path: str, profile: Path) -> Iterator[Browser]:
    """A browser that cannot reach anything, with a profile of its own; gone afterwards."""
    to_it, from_us = os.pipe()
    from_it, to_us = os.pipe()
    command = [
        path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--remote-debugging-pipe",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
    ]  # fmt: skip
    # The protocol's two ends are file descriptors 3 and 4 by definition.
    shell = ["bash", "-c", f'exec "$@" 3<&{to_it} 4>&{to_us}', "browser", *command]
    process = subprocess.Popen(
        shell, pass_fds=[to_it, to_us], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_it)
    os.close(to_us)
    tab = Browser(from_us, from_it)
    try:
        yield tab
    finally:
        tab.close()
        process.terminate()
        process.wait()
