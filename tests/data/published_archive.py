"""An archive as an owner of data publishes it, and a server that sends it as badly as any."""

import hashlib
import random
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEMBERS = {
    f"all/clip{i}.txt": random.Random(i).randbytes(40_000) for i in range(5)
}  # noise: an archive is as long as its content


def write_zip(path, members=MEMBERS):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "manifest.json"
    }


class Server(ThreadingHTTPServer):
    """Serves `content`; `cuts` are numbers of bytes after which the next connections break;
    `ranges` records what was asked."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges, self.obeys_range = content, [], [], True
        self.tag = '"one"'  # of this version of the content
        self.page = b""  # sent instead, until the address confirms

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/a.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content, asked = self.server.content, self.headers.get("Range")
        if self.server.page and "confirm=yes" not in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(self.server.page)
            return
        self.server.ranges.append(asked)
        start = (
            int(asked.removeprefix("bytes=").rstrip("-"))
            if asked and self.server.obeys_range
            else 0
        )
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("ETag", self.server.tag)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.wfile.write(
            content[start : start + self.server.cuts.pop(0)]
            if self.server.cuts
            else content[start:]
        )

    def log_message(self, *_):
        pass
