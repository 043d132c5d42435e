"""The texts that programs write into PNG pictures: read without decoding the picture, and no more than so much of them.

A PNG is a signature and chunks: length, kind, data, check sum (www.w3.org/TR/png-3). Texts are in tEXt, zTXt and iTXt.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from .files import DamagedError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNK = 8 * 1024 * 1024
"""Bytes of a text at most, unpacked; workflows of hundreds of nodes have less than one."""
MOST_TEXTS = 24 * 1024 * 1024
"""Bytes of all texts of a picture."""
MOST_CHUNKS = 100_000
"""Chunks of a picture: one of a gigabyte in chunks of 8 kB has as many."""
KINDS = (b"tEXt", b"zTXt", b"iTXt")


def read_texts(path: Path) -> dict[str, str]:
    """Return keyword → text of a PNG; of two texts of one keyword the first.

    Raises:
        DamagedError: if it is no PNG, is cut, or holds more text than is read.
        OSError: if it cannot be read.
    """
    found, total = dict[str, str](), 0
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise DamagedError("is not a PNG picture")
        for _ in range(MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                raise DamagedError("is not a whole PNG picture")
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"IEND":
                return found
            if kind not in KINDS:
                file.seek(length + 4, 1)
                continue
            keyword, text = _text(kind, _data(file, length))
            total += len(text)
            if total > MOST_TEXTS:
                raise DamagedError(f"holds more than {MOST_TEXTS >> 20} MB of text")
            found.setdefault(keyword, text)
    raise DamagedError(f"has more than {MOST_CHUNKS} chunks")


def _data(file: BinaryIO, length: int) -> bytes:
    if length > MOST_CHUNK:
        raise DamagedError(f"holds a text of more than {MOST_CHUNK >> 20} MB")
    data, check = file.read(length), file.read(4)
    if len(data) < length or len(check) < 4:
        raise DamagedError("is not a whole PNG picture")
    return data


def _text(kind: bytes, data: bytes) -> tuple[str, str]:
    """Return keyword and text of a chunk's data."""
    keyword, _, rest = data.partition(b"\0")
    name = keyword[:79].decode("latin-1")
    if kind == b"tEXt":
        return name, _decoded(rest)
    if kind == b"zTXt":
        return name, _decoded(_unpacked(rest[1:]))
    packed, rest = rest[:1] == b"\1", rest[2:]
    for _ in range(2):  # the language, and the keyword in it
        rest = rest.partition(b"\0")[2]
    return name, _decoded(_unpacked(rest) if packed else rest)


def _decoded(data: bytes) -> str:
    """Return a text; programs write UTF-8 where the format says Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unpacked(data: bytes) -> bytes:
    """Return what was deflated, if it is not more than is read."""
    engine = zlib.decompressobj()
    try:
        found = engine.decompress(data, MOST_CHUNK)
    except zlib.error as error:
        raise DamagedError("holds a packed text that cannot be unpacked") from error
    if engine.unconsumed_tail:
        raise DamagedError(f"holds a packed text of more than {MOST_CHUNK >> 20} MB")
    return found
