"""Members of a zip archive inflated by the system's libdeflate, where there is one: in half the
time that zlib takes."""

import ctypes
import struct
import zipfile
import zlib
from functools import cache

LIBRARIES = ("libdeflate.so.0", "libdeflate.so", "libdeflate.0.dylib", "libdeflate.dll")
HEADER = struct.Struct(
    "<4s22xHH"
)  # of a member: mark, lengths of its name and of what else stands before its bytes


def inflated(bundle: zipfile.ZipFile, name: str) -> bytes | None:
    """The bytes of a member whose size and CRC are as declared; None where the standard library has
    to look at it."""
    library, info = _library(), bundle.getinfo(name)
    if (
        library is None
        or bundle.fp is None
        or info.compress_type != zipfile.ZIP_DEFLATED
        or info.flag_bits & 0x1
        or not info.file_size
    ):
        return None
    bundle.fp.seek(info.header_offset)
    header = bundle.fp.read(HEADER.size)
    if len(header) < HEADER.size or not header.startswith(b"PK\x03\x04"):
        return None
    _, name_length, extra_length = HEADER.unpack(header)
    bundle.fp.seek(name_length + extra_length, 1)
    packed, content = bundle.fp.read(info.compress_size), bytearray(info.file_size)
    target = (ctypes.c_char * len(content)).from_buffer(content)
    # Without a place to say how much came, anything but the declared size is an error.
    failed = library.libdeflate_deflate_decompress(
        _decompressor(), packed, len(packed), target, len(content), None
    )
    return None if failed or zlib.crc32(content) != info.CRC else bytes(content)


@cache
def _library() -> ctypes.CDLL | None:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        library.libdeflate_deflate_decompress.argtypes = [
            pointer,
            ctypes.c_char_p,
            size,
            pointer,
            size,
            pointer,
        ]
        return library
    return None


@cache
def _decompressor() -> int:
    """One a process, never freed: it has no thread and no file."""
    found: int = _library().libdeflate_alloc_decompressor()  # type: ignore[union-attr]
    return found
