"""The workflow on object storage and in pods: nothing but what lies in the bucket passes from
machine to machine.

pip install -e '.[kubernetes]' 'moto[server]' && pytest -m integration tests/test_storage.py
"""

import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from builtin_suite import encoders, tables
from pods import cluster
from snakemake_calls import TINY, command, environment, write

pytestmark = pytest.mark.integration
KEYS = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An object store on loopback that speaks S3's protocol. Gives: its address."""
    for module, extra in (
        ("snakemake_storage_plugin_s3", "-e '.[kubernetes]'"),
        ("moto", "'moto[server]'"),
    ):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed; pip install {extra}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import sys; from moto.server import main; main(sys.argv[1:])"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            assert server.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def held(store: str, bucket: str) -> dict[str, bytes]:
    """Everything in a bucket, by path."""
    import boto3

    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    objects = boto3.resource("s3", endpoint_url=store, **keys).Bucket(bucket).objects.all()
    return {entry.key: entry.get()["Body"].read() for entry in objects}


def same_as_one_machine(found: dict[str, bytes], finished: Path) -> None:
    import torch

    names = [*tables(finished, "tiny"), "per_class.csv", "confusion.csv", "paired.csv"]
    for path in [f"results/tiny/tables/{name}" for name in names if name != "comparison.md"]:
        assert found[path] == (finished / path).read_bytes(), path
    for run, state in encoders(finished, "tiny").items():
        suite, rest = run.split("/", 1)
        theirs = torch.load(
            io.BytesIO(found[f"results/{suite}/runs/{rest}/encoder.pt"]), weights_only=True
        )["state"]
        assert all(torch.equal(state[key], theirs[key]) for key in state), run


def test_machines_that_share_a_bucket_make_the_tables_of_one(
    root: Path, tmp_path: Path, finished: Path, store: str
) -> None:
    """One folder makes the array, another, which never had it, everything else.

    The bucket holds what one machine would have made.
    """
    options = [
        "--default-storage-provider",
        "s3",
        "--default-storage-prefix",
        "s3://two",
        "--storage-s3-endpoint-url",
        store,
    ]
    for name, target in (("first", ["data/arrays/synthetic/resize50/meta.json"]), ("second", [])):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, TINY)
        done = subprocess.run(
            command(root, *target, *options),
            cwd=folder,
            env={**environment(), **KEYS},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-4000:]
    same_as_one_machine(held(store, "two"), finished)


def test_pods_make_the_tables_of_one_machine(
    root: Path, tmp_path: Path, finished: Path, store: str
) -> None:
    """The profile for Kubernetes: each pod has the sources and what the bucket holds, and asks for
    memory, cores and a GPU to train on.
    """
    if find_spec("snakemake_executor_plugin_kubernetes") is None:
        pytest.skip("the plugin for Kubernetes is not installed; pip install -e '.[kubernetes]'")
    clone, pods = tmp_path / "clone", tmp_path / "pods"
    pods.mkdir()
    subprocess.run(
        ["git", "clone", "--quiet", str(root), str(clone)], check=True
    )  # what git knows is what pods get
    write(clone, TINY)
    command = [
        sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/kubernetes",
        "--default-storage-prefix", "s3://pods", "--storage-s3-endpoint-url", store,
        "--container-image", "none", "--jobs", "2", "--cores", "2",
    ]  # fmt: skip
    keys = {f"SNAKEMAKE_STORAGE_S3_{name}": "any" for name in ("ACCESS_KEY", "SECRET_KEY")}
    with cluster(pods) as api:
        there = {
            **environment(),
            **KEYS,
            **keys,
            "KUBECONFIG": str(pods / "config"),
            "PYTHONPATH": "",
        }
        done = subprocess.run(command, cwd=clone, env=there, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:] + "".join(
        log.read_text()[-1000:] for log in pods.glob("*.log")
    )
    same_as_one_machine(held(store, "pods"), finished)
    training = [
        job["resources"]["limits"] for job in api.jobs.values() if "pretrain" in job["args"][1]
    ]
    assert training
    assert all(limits["nvidia.com/gpu"] == "1" and limits["memory"] for limits in training)
