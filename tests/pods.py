"""A stand-in for a Kubernetes cluster: its API on loopback, each of whose jobs is a process in an
empty folder, without this one's files.

It answers what snakemake-executor-plugin-kubernetes asks for and nothing else; there is no image,
no node and no limit behind it.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: none}}}}]
contexts: [{{name: it, context: {{cluster: here, user: me}}}}]
current-context: it
"""


class Cluster(ThreadingHTTPServer):
    """jobs: the containers that were asked for, by the name of their job."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Api)
        self.folder, self.lock = folder, threading.Lock()
        self.secrets: dict[str, dict[str, str]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, container: dict[str, Any]) -> None:
        """One pod: nothing but the path to this Python, and the secrets it names."""
        place = self.folder / name
        place.mkdir()
        given = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in container.get("env") or []}
        secrets = {
            variable: base64.b64decode(self.secrets[ref["name"]][ref["key"]]).decode()
            for variable, ref in given.items()
        }
        plain = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(place),
            "OMP_NUM_THREADS": "1",
        }
        with open(self.folder / f"{name}.log", "wb") as log:
            command = [*container["command"], *container["args"]]
            self.jobs[name] = container
            self.processes[name] = subprocess.Popen(
                command, cwd=place, env=plain | secrets, stdout=log, stderr=log
            )


class Api(BaseHTTPRequestHandler):
    server: Cluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def content(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(
            self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
        )
        return read

    def answer(self, code: int, content: dict[str, Any] | bytes) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header(
            "Content-Type", "text/plain" if isinstance(content, bytes) else "application/json"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        content = self.content()
        name = content["metadata"]["name"]
        with self.server.lock:
            if self.path.endswith("/secrets"):
                self.server.secrets[name] = content["data"]
            else:
                self.server.start(name, content["spec"]["template"]["spec"]["containers"][0])
        self.answer(201, content)

    def do_DELETE(self) -> None:
        self.content()
        self.answer(200, {"kind": "Status", "status": "Success"})

    def do_GET(self) -> None:
        url = urlparse(self.path)
        parts = url.path.split("/")
        if parts[-1] == "log":
            return self.answer(200, (self.server.folder / f"{parts[-2]}.log").read_bytes())
        listed = parts[-1] == "pods"
        name = (
            parse_qs(url.query)["labelSelector"][0].partition("=")[2]
            if listed
            else parts[parts.index("jobs") + 1]
        )
        code = self.server.processes[name].poll()
        if not listed:
            state = "active" if code is None else "failed" if code else "succeeded"
            return self.answer(
                200,
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"name": name},
                    "status": {state: 1},
                },
            )
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        container = {
            "name": "snakemake",
            "image": "",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": state,
        }
        status = {"containerStatuses": [container]}
        pod = {
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "snakemake"}]},
            "status": status,
        }
        return self.answer(
            200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]}
        )


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """The stand-in at work.

    `folder` holds its pods, their logs and `config`, which tells clients where it is.
    """
    with Cluster(folder) as server:
        (folder / "config").write_text(KUBECONFIG.format(port=server.server_address[1]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            for process in server.processes.values():
                process.kill()
                process.wait()
