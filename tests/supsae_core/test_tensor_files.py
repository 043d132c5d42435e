"""The door for tensor files: whole, to the bit, owned, and held against hashes."""

import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from supsae.supsae_core.files import DamagedError
from supsae.supsae_core.tensor_files import TensorFile, require_finite, write_tensors

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(3, 2),
    "whole": torch.tensor([1, -2, 3]),
    "brain": torch.tensor([[0.5]], dtype=torch.bfloat16),
    "yes": torch.tensor([True, False]),
    "one": torch.tensor(2.5),
    "none": torch.zeros(0, 4),
}


@pytest.fixture
def written(tmp_path):
    write_tensors(tmp_path / "a.safetensors", TENSORS, {"kind": "test", "text": "é的"})
    return tmp_path / "a.safetensors"


def test_what_is_written_is_read_to_the_bit_here_and_by_the_library(written):
    for found in (TensorFile(written).read(), load_file(written)):
        assert set(found) == set(TENSORS)
        assert all(torch.equal(found[name], one) and found[name].dtype == one.dtype for name, one in TENSORS.items())
    assert TensorFile(written).metadata["text"] == "é的"


def test_the_same_tensors_make_the_same_bytes_and_lie_aligned(written, tmp_path):
    write_tensors(tmp_path / "b", dict(reversed(TENSORS.items())), {"text": "é的", "kind": "test"})
    assert (tmp_path / "b").read_bytes() == written.read_bytes()
    (length,) = struct.unpack("<Q", written.read_bytes()[:8])
    header = json.loads(written.read_bytes()[8 : 8 + length])
    assert length % 8 == 0
    for name, tensor in TENSORS.items():
        assert header[name]["data_offsets"][0] % tensor.element_size() == 0


def test_files_of_the_library_are_read_though_they_have_no_hash(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "b.safetensors")
    assert torch.equal(TensorFile(tmp_path / "b.safetensors").read()["a"], torch.ones(2))


def test_rows_are_read_alone(written):
    file = TensorFile(written)
    assert file.shape("half") == (3, 2)
    assert torch.equal(file.rows("half", 1, 3), TENSORS["half"][1:]) and file.rows("half", 1, 1).shape == (0, 2)
    for first, last in ((0, 4), (-1, 2), (2, 1)):
        with pytest.raises(DamagedError, match="has no rows"):
            file.rows("half", first, last)
    for some in ([], [0], [0, 2], [1, 2], [0, 1, 2]):
        assert torch.equal(file.some_rows("half", some), TENSORS["half"][some])
    for some in ([-1], [1, 3]):
        with pytest.raises(DamagedError, match="has not all of the rows"):
            file.some_rows("half", some)
    with pytest.raises(DamagedError, match="holds no tensor 'gone'"):
        file.tensor("gone")


def test_what_is_loaded_outlives_its_file(written):
    file, found = TensorFile(written), TensorFile(written).read()
    written.write_bytes(b"")  # of a mapped file the next look would kill the process
    assert all(torch.equal(found[name], one) for name, one in TENSORS.items())
    with pytest.raises(DamagedError, match="was cut while it was read"):
        file.tensor("half")


def test_every_flipped_byte_is_noticed(written):
    whole = written.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    assert len(whole) - start == 12 + 24 + 2 + 2 + 4  # bytes of the tensors
    for place in range(start, len(whole)):
        written.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedError, match="was changed since it was written"):
            TensorFile(written).read()


def test_another_text_in_the_header_is_noticed(written):
    written.write_bytes(written.read_bytes().replace(b'"test"', b'"tess"'))
    with pytest.raises(DamagedError, match="was changed since it was written"):
        TensorFile(written).read()


def test_every_cut_is_noticed(written):
    whole = written.read_bytes()
    for size in range(len(whole)):
        written.write_bytes(whole[:size])
        with pytest.raises(DamagedError, match="is not a whole safetensors file"):
            TensorFile(written)


def header(said, data=b"\0" * 8):
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


DAMAGED = {
    "a list": (header([]), "no object"),
    "nested": (header(b"[" * 100_000), "header cannot be read"),
    "no UTF-8": (header(b'{"a\xff": {}}'), "header cannot be read"),
    "a name twice": (header(b'{"a": {}, "a": {}}'), "header cannot be read"),
    "numbers in the metadata": (header({"__metadata__": {"a": 1}}, b""), "metadata are no texts"),
    "unknown type": (header(entry("C64")), "'a' is described wrongly"),
    "no object": (header({"a": 3}), "'a' is described wrongly"),
    "shape as text": (header({"a": {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]}}), "described wrongly"),
    "a negative side": (header(entry(shape=(-2,))), "described wrongly"),
    "true as a side": (header(entry(shape=(True, 2))), "described wrongly"),
    "a huge side": (header(entry(shape=(2**60, 2**60))), "described wrongly"),
    "backwards": (header(entry(offsets=(8, 0))), "described wrongly"),
    "too few bytes": (header(entry(offsets=(0, 4))), "described wrongly"),
    "a gap": (header(entry(offsets=(4, 12)), b"\0" * 12), "overlap or have gaps"),
    "overlap": (header(entry() | {"b": entry()["a"]}), "overlap or have gaps"),
    "more than its tensors": (header(entry(), b"\0" * 9), r"\(\d+ bytes instead of \d+\)"),
    "a header longer than the file": (struct.pack("<Q", 2**62) + b"{}", "is not a whole"),
}


@pytest.mark.parametrize(("content", "sentence"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_a_sentence(tmp_path, content, sentence):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DamagedError, match=sentence):
        TensorFile(tmp_path / "a")


def test_numbers_that_are_none_are_named():
    require_finite({"a": torch.tensor([1]), "b": torch.ones(2)})
    with pytest.raises(DamagedError, match="values in 'b' that are not finite"):
        require_finite({"b": torch.tensor([1.0, float("nan")])})
