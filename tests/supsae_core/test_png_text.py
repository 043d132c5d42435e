"""Texts in PNG pictures: all three kinds, as Pillow writes them, and nothing that grows without end."""

import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from supsae.supsae_core import png_text
from supsae.supsae_core.files import DamagedError
from supsae.supsae_core.png_text import SIGNATURE, read_texts


def chunk(kind, data, length=None):
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def written(path, *chunks):
    path.write_bytes(b"".join([SIGNATURE, *chunks, chunk(b"IEND", b"")]))
    return path


def test_texts_that_pillow_writes_are_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", '{"1": {}}')
    info.add_text("packed", "é" * 1000, zip=True)
    info.add_itxt("wide", "赤い髪", "ja", "x")
    info.add_itxt("wide and packed", "赤い髪" * 100, zip=True)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png", pnginfo=info)
    wanted = {"prompt": '{"1": {}}', "packed": "é" * 1000, "wide": "赤い髪", "wide and packed": "赤い髪" * 100}
    assert read_texts(tmp_path / "a.png") == wanted


def test_utf8_where_latin1_belongs_and_the_first_of_two(tmp_path):
    chunks = [chunk(b"tEXt", "a\0赤".encode()), chunk(b"tEXt", b"a\0b"), chunk(b"tEXt", b"c\0\xe9")]
    assert read_texts(written(tmp_path / "a.png", *chunks)) == {"a": "赤", "c": "é"}


bomb = zlib.compress(bytes(png_text.MOST_CHUNK + 1))
big = b"a\0" + b"b" * (png_text.MOST_CHUNK - 2)
REFUSED = {
    "no picture": (b"GIF89a", "is not a PNG picture"),
    "empty": (b"", "is not a PNG picture"),
    "cut in a chunk": (SIGNATURE + chunk(b"tEXt", b"a\0b", 99), "is not a whole PNG picture"),
    "cut between chunks": (SIGNATURE + chunk(b"tEXt", b"a\0b"), "is not a whole PNG picture"),
    "a jump behind its end": (SIGNATURE + chunk(b"IDAT", b"", 2**32 - 1), "is not a whole PNG picture"),
    "a long text": (SIGNATURE + chunk(b"tEXt", b"", 2**31), "holds a text of more than 8 MB"),
    "a bomb": (SIGNATURE + chunk(b"zTXt", b"a\0\0" + bomb), "holds a packed text of more than 8 MB"),
    "an international bomb": (SIGNATURE + chunk(b"iTXt", b"a\0\1\0\0\0" + bomb), "packed text of more than 8 MB"),
    "no deflated text": (SIGNATURE + chunk(b"zTXt", b"a\0\0abc"), "cannot be unpacked"),
    "many texts": (SIGNATURE + chunk(b"tEXt", big) * 4, "holds more than 24 MB of text"),
    "many chunks": (SIGNATURE + chunk(b"IDAT", b"") * 100_001, "has more than 100000 chunks"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_or_holds_too_much_is_refused(tmp_path, name):
    data, why = REFUSED[name]
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DamagedError, match=why):
        read_texts(tmp_path / "a.png")


@pytest.mark.parametrize("data", [b"", b"a", b"a\0", b"a\0\0", b"a\0\1", b"a\0\0\0", b"\0" * 9])
def test_short_chunks_are_texts_or_refused(tmp_path, data):
    for kind in png_text.KINDS:
        try:
            assert all(isinstance(one, str) for one in read_texts(written(tmp_path / "a.png", chunk(kind, data))))
        except DamagedError as error:
            assert "cannot be unpacked" in str(error)
