"""A data set with other addresses than its own, and the server at them."""

import dataclasses
import threading

import pytest
from data.published_archive import Server, write_zip

from pstl.data.datasets import nwucla
from pstl.data.spec import Remote


@pytest.fixture
def dataset(monkeypatch):
    """A function that gives nwucla other remotes, so that no test knows a real address."""

    def remotes(*remotes, **changes):
        spec = dataclasses.replace(nwucla.DATASET.spec, remotes=remotes, **changes)
        monkeypatch.setattr(nwucla.DATASET, "spec", spec)
        return spec

    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    remotes(Remote("a.zip", members=r"clip\d\.txt"))
    return remotes


@pytest.fixture
def server(tmp_path, dataset):
    server = Server(write_zip(tmp_path / "published" / "a.zip").read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    dataset(Remote("a.zip", url=server.url, members=r"clip\d\.txt"))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
