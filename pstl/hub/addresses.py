"""Weights from the net, whose content is known before they are fetched: a URL with its checksum, or
what a hub of Hugging Face has by a name.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from pstl import environment
from pstl.data.connection import check_scheme
from pstl.data.download import downloaded
from pstl.errors import UserError
from pstl.hub.weights import WEIGHTS

ADDRESS = re.compile(r"https?://[^/]+/.*[^/]")
SHA256 = re.compile(r"[0-9a-f]{64}")
SHA256_WORD = "#sha256="  # between a URL and its checksum, as pip has it
HUGGING_FACE = "hf://"
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
LONGEST = 160  # characters of a reason that a library gives


def is_address(name: str) -> bool:
    """Whether this says where weights are on the net."""
    return "://" in name


def fetched(name: str) -> Path:
    """The file that is at an address, from the cache if it has been fetched before.

    name: URL#sha256=HEX, or hf://OWNER/NAME with @REVISION behind it or not.
    Raises: UserError for another address, a file that does not come, or comes changed.
    """
    return _from_hugging_face(name) if name.startswith(HUGGING_FACE) else _from_url(name)


def _from_url(name: str) -> Path:
    url, _, written = name.partition(SHA256_WORD)
    sha256 = written.lower()
    if not ADDRESS.fullmatch(url):
        expected = "http(s)://HOST/FILE#sha256=HEX or hf://OWNER/NAME"
        raise UserError(f"{name}: not an address of weights; expected {expected}")
    check_scheme(url, plain=True)
    if not SHA256.fullmatch(sha256):
        problem = f"no SHA-256 is {written!r}" if written else "nothing says which file is meant"
        asked = f"put the file's SHA-256 behind it, {url}{SHA256_WORD}64 hexadecimal digits"
        raise UserError(f"{name}: {problem}; {asked}")
    store = Path(environment.cache_folder()) / "weights"
    file = urlsplit(url).path.rpartition("/")[2]
    return downloaded(url, sha256, store / sha256[:16] / (file or WEIGHTS))


def _from_hugging_face(name: str) -> Path:
    """Its library keeps the cache, as for everything else that comes from there."""
    told = REPOSITORY.fullmatch(name.removeprefix(HUGGING_FACE))
    if not told:
        raise UserError(f"{name}: expected hf://OWNER/NAME, or hf://OWNER/NAME@REVISION")
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError:
        needed = "needs huggingface_hub, which is not installed here"
        raise UserError(f"{name}: {needed}; run: pip install 'pstl[hub]'") from None
    try:
        return Path(hf_hub_download(repo_id=told[1], filename=WEIGHTS, revision=told[2]))
    except Exception as error:  # its own, those of its client, of the network and of the disk
        reason = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        expected = f"expected {WEIGHTS} in it, as 'pstl export' writes it"
        raise UserError(f"{name}: {reason}; {expected}") from None
