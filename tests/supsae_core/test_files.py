"""The one door for files: whole or not at all, owned, checked."""

import json
import os
import stat
import struct
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from supsae.supsae_core import files
from supsae.supsae_core.files import (
    BusyError,
    DamagedError,
    TensorFile,
    alone_in,
    read_json,
    write_json,
    write_tensors,
    write_text,
)

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


def test_no_file_and_no_json_are_told_apart(tmp_path):
    for read in (TensorFile, read_json):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "gone")
        with pytest.raises(DamagedError, match="cannot be read"):
            read(tmp_path)
    for text in (b"{", b"\xff", b"[" * 100_000):
        (tmp_path / "a.json").write_bytes(text)
        with pytest.raises(DamagedError, match="is not whole JSON"):
            read_json(tmp_path / "a.json")


def test_json_is_held_against_its_hash(tmp_path):
    file, said = tmp_path / "a.json", {"name": "é的", "numbers": [1, 2.5, None], "b": {"z": 1, "a": True}}
    write_json(file, said)
    assert read_json(file) == said
    for old, new in (("2.5", "2.25"), ('"z"', '"y"'), ("é", "e"), ("true", "false")):
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        with pytest.raises(DamagedError, match="was changed since it was written"):
            read_json(file)
        write_json(file, said)
    file.write_text('{"name": "older"}', encoding="utf-8")
    assert read_json(file) == {"name": "older"}


@pytest.mark.parametrize("text", ["[1]", "null", '"text"'])
def test_json_of_ours_is_an_object(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedError, match="is not a JSON object"):
        read_json(tmp_path / "a.json")


HOLD = """
import sys
from pathlib import Path
from supsae.supsae_core.files import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_folder_is_worked_in_by_one_process_and_is_free_when_that_is_killed(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin and holder.stdout and holder.stdout.readline() == b"held\n"
    sentence = f"worked in by process {holder.pid} on .*Wait until that has ended"
    with pytest.raises(BusyError, match=sentence), alone_in(tmp_path):
        pytest.fail("both have it")
    holder.kill()
    holder.communicate()
    with alone_in(tmp_path), alone_in(tmp_path):  # a job in a job
        assert str(os.getpid()) in (tmp_path / files.OWNER).read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == [files.LOCKED]


def test_a_folder_without_locks_is_worked_in_all_the_same(tmp_path, monkeypatch):
    def acquire(lock):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(files.FileLock, "acquire", acquire)
    with alone_in(tmp_path):
        write_text(tmp_path / "a", "b")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_numbers_that_are_none_are_named():
    files.require_finite({"a": torch.tensor([1]), "b": torch.ones(2)})
    with pytest.raises(DamagedError, match="values in 'b' that are not finite"):
        files.require_finite({"b": torch.tensor([1.0, float("nan")])})


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_umask_applies_and_a_replaced_file_keeps_its_mode(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "one")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        (tmp_path / "a").chmod(0o604)
        write_tensors(tmp_path / "a", TENSORS)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604
    finally:
        os.umask(old)


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(RuntimeError, match="half way"), files.replacing(tmp_path / "a") as part:
        part.write_text("new")
        raise RuntimeError("half way")
    assert (tmp_path / "a").read_text() == "old" and [one.name for one in tmp_path.iterdir()] == ["a"]


FULL = "/dev/full"


@pytest.mark.skipif(not os.path.exists(FULL), reason="no device that is always full")
def test_a_full_disk_is_a_sentence(tmp_path):
    told = pytest.raises(OSError, match=r"a could not be written: No space left.*Free some disk space and run again")
    with told, files.replacing(tmp_path / "a"), open(FULL, "wb", buffering=0) as full:
        full.write(b"x")
    assert not list(tmp_path.iterdir())


def test_a_target_is_tried_before_the_work(tmp_path):
    files.require_writable(tmp_path / "new" / "a")
    assert not list((tmp_path / "new").iterdir())
    for wrong, why in ((tmp_path / "new", "Choose another name"), (tmp_path / "new" / ("x" * 300) / "a", "shorter")):
        with pytest.raises(OSError, match=f"could not be written: .*{why}"):
            files.require_writable(wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="could not be written"):
        files.require_writable(tmp_path / "file" / "a")


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path):
    for name in (".supsae-1.part", ".supsae-2.part", "mine.part"):
        (tmp_path / name).write_text("")
    for name in (".supsae-1.part", "mine.part"):
        os.utime(tmp_path / name, (time.time() - 2 * files.STALE,) * 2)
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    living = files.part_beside(tmp_path / "a")
    for part in (living, living.with_name(living.name.replace(str(os.getpid()), str(dead.pid)))):
        part.write_text("")
    files.sweep(tmp_path)
    files.sweep(tmp_path / "gone")
    assert living.exists()
    living.unlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == [".supsae-2.part", "mine.part"]
