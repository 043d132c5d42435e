"""A capture on disk: written once, read back as written, gone on with after an interrupt, and never mixed up."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.portraits.text import load_encoders
from supsae.supsae_core.capture import captures
from supsae.supsae_core.capture.captures import load_capture, start_capture, takes_capture
from supsae.supsae_core.capture.plan import SETS, text_bytes
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.fingerprints import PRECISION, SAME, distance
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.host import text_fingerprint
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture
from supsae.training.capture import CaptureConfig

TABLE = captions.table()
CONFIG = CaptureConfig(prompts=12, calibration=4, held_out=0.1, seed=1)
"""12 + 2 · 4 = 20 prompts."""
SHARD = 8
"""Three shards: 8, 8 and 4 prompts."""


class Counting:
    """The real encoders, with every call counted; after ``limit`` prompts they fail as a lost machine would."""

    format = PortraitsText.family

    def __init__(self, real, limit=None):
        self.real, self.texts, self.limit = real, [], limit

    def counts(self, words):
        return self.real.counts(words)

    def encode(self, texts):
        if self.limit is not None and len(self.texts) + len(texts) > self.limit:
            raise RuntimeError("out of memory")
        self.texts += texts
        return self.real.encode(texts)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(captures, "SHARD", SHARD)
    monkeypatch.setattr(capture, "SHARD", SHARD)


@pytest.fixture(scope="module")
def host():
    return PortraitsText()


@pytest.fixture(scope="module")
def plan(host):
    return capture.plan_text(TABLE, host, CONFIG, captions.WORDING)


@pytest.fixture(scope="module")
def original(host, plan, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captures, "SHARD", SHARD)
        return capture.capture_text(host, tmp_path_factory.mktemp("original"), plan)


@pytest.fixture
def made(original, tmp_path):
    shutil.copytree(original.folder, tmp_path / "capture")
    return load_capture(tmp_path / "capture")


@pytest.fixture
def cutting(host):
    """The real encoders where 46 tokens fit and longer prompts are cut off."""
    made = Counting(host)
    clip, t5 = host.family.encoders
    cut = (replace(clip, layout=Chunked(48, cut=True)), replace(t5, layout=Padded(48, cut=True)))
    made.family = replace(host.family, encoders=cut)
    return made


LONG = prompts.Wording(others=("very " * 60 + "old",), other_rate=1.0)
"""Prompts of more than 60 words each, and of few without what is about other things."""


def test_what_has_no_room_is_drawn_anew_and_counted_once(cutting):
    table = parse_table("hair: {red: [red hair, ginger hair], black: black hair}\nhat: [no hat, top hat]")
    used, rng = [0] * 5, np.random.default_rng(0)

    def make(wording):
        return [
            capture._entry(cutting, prompts.draw_prompt(table, rng, wording=wording, mention=1.0, used=used), "fit")
        ]

    entries = [one for _ in range(9) for one in capture._with_room(cutting, make, LONG, used)]
    written = [mention.phrase for entry in entries for mention in entry.prompt.mentions]
    assert used == [written.count(phrase) for phrase in range(5)] and sum(used) == 18  # two categories in nine prompts
    assert all("old" not in entry.prompt.words for entry in entries)


def test_what_fails_otherwise_is_not_tried_again(cutting):
    tried = []

    def make(wording):
        tried.append(wording)
        raise ValueError("The table is wrong.")

    with pytest.raises(ValueError, match="The table is wrong"):
        capture._with_room(cutting, make, LONG, [])
    assert tried == [LONG]


def test_plan_is_reproducible(host, plan):
    assert plan == capture.plan_text(TABLE, host, CONFIG, captions.WORDING)
    assert [entry.set for entry in plan.entries] == ["fit"] * 12 + ["calibration", "rewrite"] * 4
    assert {entry.set for entry in plan.entries} == set(SETS)
    held_out = frozenset(frozenset(pair) for pair in plan.held_out)
    assert held_out == prompts.hold_out_pairs(TABLE, 0.1, 1)
    assert not any(prompts.has_pair(entry.prompt.support(TABLE), held_out) for entry in plan.entries)


def test_rewrites_differ_in_one_concept(plan):
    # calibration i asks for concept i, so that every concept has its turn
    for index in range(4):
        before, after = (plan.entries[12 + 2 * index + k].prompt.support(TABLE) for k in (0, 1))
        changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert [new for _, new in changed] == [index]
        assert TABLE.category_of[changed[0][0]] == TABLE.category_of[index]


def test_calibration_ends_even_if_every_prompt_meets_a_held_out_pair():
    # Two categories, always both written: with (x1, y2) and (x2, y1) held out, an x1 next to y1 cannot become an x2.
    table = parse_table("x: [x1, x2]\ny: [y1, y2]")
    held_out = frozenset({frozenset({0, 3}), frozenset({1, 2})})
    before, after = capture.calibration_pair(table, np.random.default_rng(0), 1, prompts.PLAIN, 1.0, held_out)
    assert (before.support(table), after.support(table)) == ((0,), (1,))


def test_round_trip_to_half_precision(host, plan, made):
    rows = list(made.read())
    assert [row.entry for row in rows] == list(plan.entries)
    for row, cond, pooled in zip(rows, *host.encode([row.entry.prompt.text for row in rows]), strict=True):
        # another batch adds up in another order: at most one half-precision step
        torch.testing.assert_close(row.cond, cond.half().float(), rtol=2**-10, atol=2**-10)
        torch.testing.assert_close(row.pooled, pooled.half().float(), rtol=2**-10, atol=2**-10)
    assert load_capture(made.folder) == made


def test_written_and_read_bit_for_bit(plan, tmp_path):
    torch.manual_seed(0)
    folder = start_capture(tmp_path, plan)
    conds = [torch.randn(40 + i, 192) for i in range(4)]
    pooled = [torch.randn(128) for _ in range(4)]
    for shard, count in enumerate((8, 8, 4)):
        folder.write(shard, (conds * 2)[:count], (pooled * 2)[:count])
    rows = list(folder.read())
    assert len(rows) == 20
    for i, row in enumerate(rows):
        assert torch.equal(row.cond, conds[i % 8 % 4].half().float())
        assert torch.equal(row.pooled, pooled[i % 8 % 4].half().float())


def test_the_size_is_stated_before_it_is_taken(plan, made):
    # every number is a half: the tensors of the shards without their lengths
    shards = [load_file(file) for file in made.folder.glob("*.safetensors")]
    assert text_bytes(plan) == sum(2 * (shard["cond"].numel() + shard["pooled"].numel()) for shard in shards)


def test_an_interrupted_capture_goes_on(host, plan, tmp_path):
    # Room for 12 prompts in batches of 8: shard 0 is written, shard 1 fails.
    first = Counting(host, limit=12)
    with pytest.raises(RuntimeError, match="out of memory"):
        capture.capture_text(first, tmp_path, plan, batch=8)
    assert load_capture(tmp_path).missing() == [1, 2] and len(first.texts) == 8
    with pytest.raises(ValueError, match="is not finished .2 of 3 parts missing.*Run Capture again"):
        list(load_capture(tmp_path).read())
    second = Counting(host)
    done = capture.capture_text(second, tmp_path, plan, batch=8)
    assert second.texts == [entry.prompt.text for entry in plan.entries[8:]]
    third = Counting(host)
    capture.capture_text(third, tmp_path, plan)
    assert third.texts == [] and len(list(done.read())) == 20


def test_progress_may_interrupt_and_nothing_written_is_lost(host, plan, tmp_path):
    class Stop(Exception):
        pass

    seen = []

    def progress(done, total):
        seen.append((done, total))
        if done >= 8:
            raise Stop

    with pytest.raises(Stop):
        capture.capture_text(Counting(host), tmp_path, plan, progress=progress)
    assert seen == [(0, 24), (8, 24)] and load_capture(tmp_path).missing() == [1, 2]


def other(plan, what):
    return {
        "table": lambda: replace(plan, table=ConceptTable(tuple(reversed(plan.table.concepts)))),
        "seed": lambda: replace(plan, seed=9),
        "set of held-out pairs": lambda: replace(plan, held_out=plan.held_out[1:]),
        "text encoder": lambda: replace(
            plan, fingerprint={site: tuple(1.1 * v for v in values) for site, values in plan.fingerprint.items()}
        ),
        "number or wording of prompts": lambda: replace(plan, entries=plan.entries[:-1]),
    }[what]()


@pytest.mark.parametrize(
    "what", ["table", "seed", "set of held-out pairs", "text encoder", "number or wording of prompts"]
)
def test_a_folder_of_another_plan_is_refused_and_kept(plan, made, what):
    before = sorted((file.name, file.stat().st_mtime_ns) for file in made.folder.iterdir())
    with pytest.raises(ValueError, match=f"holds a capture of another {what}. Choose another folder, or delete it"):
        start_capture(made.folder, other(plan, what))
    assert before == sorted((file.name, file.stat().st_mtime_ns) for file in made.folder.iterdir())


def test_a_folder_takes_its_own_capture_and_no_other(plan, made, tmp_path):
    assert takes_capture(tmp_path / "new", plan) and takes_capture(made.folder, plan)
    assert not takes_capture(made.folder, other(plan, "seed"))
    (made.folder / "capture.json").unlink()  # parts of nobody knows what
    assert not takes_capture(made.folder, plan)


def test_the_same_encoder_in_another_rounding_goes_on(plan, made):
    shaken = {site: tuple(v + 1e-5 for v in values) for site, values in plan.fingerprint.items()}
    assert start_capture(made.folder, replace(plan, fingerprint=shaken)) == made


def test_shards_without_their_plan_are_not_taken_over(plan, made):
    (made.folder / "capture.json").unlink()
    with pytest.raises(ValueError, match="parts of a capture whose capture.json is gone"):
        start_capture(made.folder, plan)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-100])


def shorten(file):
    tensors = load_file(file)
    save_file(tensors | {"lengths": tensors["lengths"][:-1]}, file)


def narrow(file):
    tensors = load_file(file)
    save_file(tensors | {"cond": tensors["cond"][:, :100].contiguous()}, file)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "is damaged .*Delete it and run Capture again"),
        (shorten, "does not fit its capture. Delete it"),
        (narrow, "does not fit its capture. Delete it"),
        (lambda file: save_file({"weight": torch.zeros(3)}, file), "does not fit its capture. Delete it"),
    ],
    ids=["truncated", "too few", "other width", "foreign"],
)
def test_a_damaged_shard_is_named_and_encoded_anew(host, plan, made, damage, message):
    file = made.folder / "shard-00001.safetensors"
    damage(file)
    with pytest.raises(ValueError, match=f"shard-00001.safetensors {message}"):
        list(made.read())
    file.unlink()
    again = Counting(host)
    capture.capture_text(again, made.folder, plan)
    assert again.texts == [entry.prompt.text for entry in plan.entries[8:16]] and len(list(made.read())) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-50], "is damaged"),
        (lambda text: "[]", "is damaged"),
        (lambda text: text.replace('"family": "portraits"', '"family": "sd9"'), "is damaged .*sd9"),
        (
            lambda text: json.dumps(json.loads(text) | {"format_version": 2}),
            "has format version 2; this SupSAE reads up to 1",
        ),
        (lambda text: json.dumps(json.loads(text) | {"entries": [3]}), "is damaged"),
    ],
    ids=["truncated", "not a capture", "unknown format", "newer", "damaged"],
)
def test_a_damaged_plan_is_refused(made, change, message):
    file = made.folder / "capture.json"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_capture(made.folder)


def test_no_capture(tmp_path):
    with pytest.raises(ValueError, match="There is no capture in .*Run Capture first"):
        load_capture(tmp_path / "none")


def test_too_large_a_capture_is_refused_before_it_starts(plan, tmp_path):
    with pytest.raises(ValueError, match=r"needs \d\.\d\d GB and may take 0.00 GB"):
        start_capture(tmp_path / "capture", plan, limit=text_bytes(plan) - 1)
    assert not list((tmp_path / "capture").iterdir())
    assert start_capture(tmp_path / "capture", plan, limit=text_bytes(plan)).missing() == [0, 1, 2]


def test_numbers_that_are_none_are_refused(plan, tmp_path):
    folder = start_capture(tmp_path, plan)
    with pytest.raises(ValueError, match="beyond half precision for prompts 8 on.*Load it in"):
        folder.write(1, [torch.full((96, 192), 1e5)] * 8, [torch.zeros(128)] * 8)
    assert folder.missing() == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": 9}, "at least 10 prompts and 4 calibration prompts, not 9 and 64"),
        ({"calibration": 3}, "not 300 and 3"),
        ({"mention": 0.0}, "mention rate must be above 0 and at most 1 .*not 0.0 and 0.0"),
        ({"held_out": 0.6}, "not 0.75 and 0.6"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        CaptureConfig(**options)


def test_fingerprints_tell_encoders_apart(host):
    found = text_fingerprint(host)
    assert found == text_fingerprint(host) and {site: len(values) for site, values in found.items()} == {
        "cond": 64,
        "pooled": 64,
    }
    changed = PortraitsText(other_encoders())
    assert distance(text_fingerprint(changed), found) > PRECISION > SAME
    assert distance(found, found) == 0


def other_encoders():
    """The encoders with one weight matrix of each negated: another model of the same shape."""
    encoders = load_encoders()
    for layers in (encoders.causal.layers, encoders.bidirectional.layers):
        layers[0].up.weight.neg_()
    return encoders


def test_unmentioned():
    # the second category is in every prompt
    table = parse_table("x: [x1, x2]\ny: [y1, y2]")
    assert capture.unmentioned(table, [(0, 2), (3,), (1, 2)]) == (True, False)
