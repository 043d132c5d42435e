"""The door for folders and JSON: whole or not at all, one process at a time, checked."""

import os
import stat
import subprocess
import sys
import time

import pytest
import torch

from supsae.supsae_core import files
from supsae.supsae_core.files import BusyError, DamagedError, alone_in, read_json, write_json, write_text
from supsae.supsae_core.tensor_files import TensorFile, write_tensors


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
    with alone_in(tmp_path), alone_in(tmp_path, wait=1):  # a job in a job
        assert str(os.getpid()) in (tmp_path / files.OWNER).read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == [files.LOCKED]


def test_a_folder_without_locks_is_worked_in_all_the_same(tmp_path, monkeypatch):
    def acquire(lock, timeout):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(files.FileLock, "acquire", acquire)
    with alone_in(tmp_path):
        write_text(tmp_path / "a", "b")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_umask_applies_and_a_replaced_file_keeps_its_mode(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "one")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
        (tmp_path / "a").chmod(0o604)
        write_tensors(tmp_path / "a", {"a": torch.ones(3)})
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
