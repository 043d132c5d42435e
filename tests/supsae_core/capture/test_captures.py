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
from supsae.supsae_core.capture import captures, pads
from supsae.supsae_core.capture.captures import load_capture, start_capture, takes_capture
from supsae.supsae_core.capture.plan import text_bytes
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.fingerprints import PRECISION, SAME, distance
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.files import read_json, write_json
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
    """The real encoders, with every text counted."""

    def __init__(self, real):
        self.real, self.family, self.texts = real, real.family, []

    def counts(self, words):
        return self.real.counts(words)

    def encode(self, texts):
        self.texts += texts
        return self.real.encode(texts)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(captures, "SHARD", SHARD)


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
    made, (clip, t5) = Counting(host), host.family.encoders
    cut = (replace(clip, layout=Chunked(48, cut=True)), replace(t5, layout=Padded(48, cut=True)))
    made.family = replace(host.family, encoders=cut)
    return made


LONG = prompts.Wording(others=("very " * 60 + "old",))
"""Prompts of more than 60 words each, or of few without what is about other things."""


def test_what_has_no_room_is_drawn_anew_and_counted_once(cutting):
    table = parse_table("hair: {red: [red hair, ginger hair], black: black hair}\nhat: [no hat, top hat]")
    used, rng = [0] * 5, np.random.default_rng(0)

    def make(wording, share):
        drawn = prompts.draw_prompt(table, rng, wording=wording, mention=share, used=used)
        return [capture._entry(cutting, drawn, "fit")]

    entries = [one for _ in range(9) for one in capture._with_room(cutting, make, LONG, 1.0, used)]
    written = [mention.phrase for entry in entries for mention in entry.prompt.mentions]
    assert used == [written.count(phrase) for phrase in range(5)] and sum(used) == 18  # two categories in nine prompts
    assert all("old" not in entry.prompt.words for entry in entries)


def test_plan_is_reproducible(host, plan):
    assert plan == capture.plan_text(TABLE, host, CONFIG, captions.WORDING)
    assert [entry.set for entry in plan.entries] == ["fit"] * 12 + ["calibration", "rewrite"] * 4
    held_out = frozenset(frozenset(pair) for pair in plan.held_out)
    assert held_out == prompts.hold_out_pairs(TABLE, 0.1, 1)
    assert not any(prompts.has_pair(entry.prompt.support(TABLE), held_out) for entry in plan.entries)


def test_rewrites_differ_in_one_concept(plan):
    # calibration i asks for concept i, so that every concept has its turn
    pairs = zip(plan.entries[12::2], plan.entries[13::2], strict=True)
    for index, (entry, rewrite) in enumerate(pairs):
        before, after = entry.prompt.support(TABLE), rewrite.prompt.support(TABLE)
        ((old, new),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert new == index and TABLE.category_of[old] == TABLE.category_of[new]


def test_calibration_ends_even_if_every_prompt_meets_a_held_out_pair():
    # Two categories, always both written: with (x1, y2) and (x2, y1) held out, an x1 next to y1 cannot become an x2.
    table = parse_table("x: [x1, x2]\ny: [y1, y2]")
    held_out = frozenset({frozenset({0, 3}), frozenset({1, 2})})
    before, after = capture.calibration_pair(table, np.random.default_rng(0), 1, prompts.PLAIN, 1.0, held_out)
    assert (before.support(table), after.support(table)) == ((0,), (1,))


def test_round_trip_to_half_precision(host, plan, made):
    rows = list(made.read())
    assert [row.entry for row in rows] == list(plan.entries) and load_capture(made.folder) == made
    for row, cond, pooled in zip(rows, *host.encode([row.entry.prompt.text for row in rows]), strict=True):
        # another batch adds up in another order: at most one half-precision step
        torch.testing.assert_close(row.cond, cond.half().float(), rtol=2**-10, atol=2**-10)
        torch.testing.assert_close(row.pooled, pooled.half().float(), rtol=2**-10, atol=2**-10)


def test_written_and_read_bit_for_bit(plan, tmp_path):
    torch.manual_seed(0)
    conds, pooled = [torch.randn(40 + i % 4, 192) for i in range(20)], list(torch.randn(20, 128))
    folder = start_capture(tmp_path, plan)
    for shard in range(3):
        own = slice(SHARD * shard, SHARD * (shard + 1))
        folder.write(shard, conds[own], pooled[own])
    for row, cond, vector in zip(folder.read(), conds, pooled, strict=True):
        assert torch.equal(row.cond, cond.half().float()) and torch.equal(row.pooled, vector.half().float())


def test_some_sets_and_some_rows_are_those_of_all(plan, made):
    # 12 prompts to fit on lie in the first two shards of 8; then a prompt to calibrate on and its rewrite in turn
    every = list(made.read())
    for sets in (("fit",), ("calibration", "rewrite")):
        wanted = [row for row in every if row.entry.set in sets]
        found = list(made.read(*sets))
        rows = [[0, 1, 2, 20, len(row.cond) - 1][: number % 6] for number, row in enumerate(wanted)]
        parts = list(made.excerpts(rows, *sets))
        assert len(found) == len(parts) == len(wanted)
        for one, part, row, index in zip(found, parts, wanted, rows, strict=True):
            assert one.entry is part.entry is row.entry
            assert torch.equal(one.cond, row.cond) and torch.equal(part.cond, row.cond[index])
            assert torch.equal(one.pooled, row.pooled) and torch.equal(part.pooled, row.pooled)


def test_an_interrupted_capture_goes_on(host, plan, tmp_path):
    seen, second, third = [], Counting(host), Counting(host)

    def stop(done, total):
        seen.append((done, total))
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture.capture_text(host, tmp_path, plan, progress=stop)
    assert seen == [(0, 20), (8, 20)] and load_capture(tmp_path).missing() == [1, 2]
    with pytest.raises(ValueError, match="is not finished .2 of 3 parts missing.*Run Capture again"):
        list(load_capture(tmp_path).read())
    done = capture.capture_text(second, tmp_path, plan, batch=8)
    capture.capture_text(third, tmp_path, plan)
    assert second.texts == [entry.prompt.text for entry in plan.entries[8:]] and third.texts == []
    assert len(list(done.read())) == 20


def multiplied(plan, factor, beside=0.0):
    return {site: tuple(factor * v + beside for v in values) for site, values in plan.fingerprint.items()}


OTHERS = {
    "table": lambda plan: {"table": ConceptTable(tuple(reversed(plan.table.concepts)))},
    "seed": lambda plan: {"seed": 9},
    "set of held-out pairs": lambda plan: {"held_out": plan.held_out[1:]},
    "text encoder": lambda plan: {"fingerprint": multiplied(plan, 1.1)},
    "number or wording of prompts": lambda plan: {"entries": plan.entries[:-1]},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_folder_of_another_plan_is_refused_and_kept(plan, made, what):
    before = sorted((file.name, file.stat().st_mtime_ns) for file in made.folder.iterdir())
    other = replace(plan, **OTHERS[what](plan))
    with pytest.raises(ValueError, match=f"holds a capture of another {what}. Choose another folder, or delete it"):
        start_capture(made.folder, other)
    assert not takes_capture(made.folder, other)
    assert before == sorted((file.name, file.stat().st_mtime_ns) for file in made.folder.iterdir())


def test_a_folder_takes_its_own_capture_and_no_parts_of_nobody_knows_what(plan, made, tmp_path):
    assert takes_capture(tmp_path / "new", plan) and takes_capture(made.folder, plan)
    rounded = replace(plan, fingerprint=multiplied(plan, 1, 1e-5))  # the same encoder in another rounding
    assert start_capture(made.folder, rounded) == made
    (made.folder / "capture.json").unlink()
    assert not takes_capture(made.folder, plan)
    with pytest.raises(ValueError, match="parts of a capture whose capture.json is gone"):
        start_capture(made.folder, plan)


def rewritten(**change):
    """Damage: tensors that replace some of a shard's, made of what it holds, without hashes."""
    return lambda file: save_file(load_file(file) | {key: of(load_file(file)[key]) for key, of in change.items()}, file)


def swapped_bytes(file):
    """Change a number of a row, and nothing of the header."""
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(content)


DAMAGE = {
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is damaged .*Delete it and run Capture"),
    "another number": (swapped_bytes, "is damaged .was changed since it was written.*Delete it and run Capture"),
    "too few": (rewritten(lengths=lambda old: old[:-1]), "does not fit its capture. Delete it"),
    "other width": (
        rewritten(**{"rows.clip": lambda old: old[:, :100].contiguous()}),
        "does not fit its capture. Delete it",
    ),
    "rows of nobody": (rewritten(index=lambda old: old + 1000), "does not fit its capture. Delete it"),
    "foreign": (lambda file: save_file({"weight": torch.zeros(3)}, file), "does not fit its capture. Delete it"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_shard_is_named_and_encoded_anew(host, plan, made, damage, message):
    file, again = made.folder / "shard-00001.safetensors", Counting(host)
    damage(file)
    with pytest.raises(ValueError, match=f"shard-00001.safetensors {message}"):
        list(made.read())
    file.unlink()
    capture.capture_text(again, made.folder, plan)
    assert again.texts == [entry.prompt.text for entry in plan.entries[8:16]] and len(list(made.read())) == 20


def without_hash(text, old, new):
    """Return a plan as an older SupSAE would have written it, changed."""
    data = json.loads(text)
    del data["sha256"]
    return json.dumps(data).replace(old, new)


DAMAGED_PLANS = {
    "changed": (lambda text: text.replace('"seed": ', '"seed": 1'), "was changed since it was written"),
    "truncated": (lambda text: text[:-50], "is damaged"),
    "not a capture": (lambda text: "[]", "is damaged"),
    "unknown family": (lambda text: without_hash(text, '"portraits"', '"sd9"'), "is damaged .*sd9"),
    "newer": (
        lambda text: without_hash(text, '"format_version": 2', '"format_version": 3'),
        "version 3; this SupSAE reads up to 2",
    ),
    "odd entries": (lambda text: json.dumps(json.loads(text) | {"entries": [3]}), "is damaged"),
    "none": (None, "There is no capture in .*Run Capture first"),
}


@pytest.mark.parametrize(("change", "message"), DAMAGED_PLANS.values(), ids=DAMAGED_PLANS)
def test_a_damaged_plan_is_refused(made, change, message):
    file = made.folder / "capture.json"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8") if change else file.unlink()
    with pytest.raises(ValueError, match=message):
        load_capture(made.folder)


def test_the_size_is_stated_before_it_is_taken_and_one_too_large_never_starts(plan, made, tmp_path):
    # Shards of eight prompts have headers that count; of 64 they are 1 % of Portraits', nothing of SD3's.
    written = sum(file.stat().st_size for file in made.folder.glob("shard-*"))
    assert written <= 1.1 * text_bytes(plan) <= 1.2 * 1.1 * written
    with pytest.raises(ValueError, match=r"needs \d\.\d\d GB and may take 0.00 GB"):
        start_capture(tmp_path / "new", plan, limit=text_bytes(plan) - 1)
    assert not list((tmp_path / "new").iterdir())
    assert start_capture(tmp_path / "new", plan, limit=text_bytes(plan)).missing() == [0, 1, 2]


def test_long_runs_of_pads_are_told_by_a_few_unless_all_are_wanted(host, plan, tmp_path, monkeypatch):
    monkeypatch.setattr(pads, "LONG", 100)  # Portraits' runs are shorter than what is thinned
    few, every = (
        capture.capture_text(host, tmp_path / str(whole), replace(plan, whole=whole)) for whole in (False, True)
    )
    assert load_capture(every.folder).plan.whole and not load_capture(few.folder).plan.whole
    for row, full in zip(few.read(), every.read(), strict=True):
        runs = pads.long_runs(plan.family, row.entry.tokens)
        kept = torch.ones(len(row.cond), dtype=torch.bool)
        for run in runs.values():
            assert len(row.cond[run].unique(dim=0)) == pads.KEPT
            torch.testing.assert_close(row.cond[run].mean(0), full.cond[run].mean(0), rtol=2**-10, atol=2**-10)
            kept[run] = False
        assert torch.equal(row.cond[kept], full.cond[kept]) and torch.equal(row.pooled, full.pooled)
    assert few.size() < every.size() and text_bytes(few.plan) < text_bytes(every.plan)


def as_format_1(capture, shards):
    """Rewrite a capture's plan, and some of its shards, as the first format had them."""
    file = capture.folder / "capture.json"
    write_json(file, read_json(file) | {"format_version": 1})
    for shard in shards:
        rows = list(capture.read_shard(shard))
        conds, vectors = [row.cond for row in rows], [row.pooled for row in rows]
        lengths = torch.tensor(list(map(len, conds)))
        key = f"shard-{shard:05d}"
        old = {"cond": torch.cat(conds).half(), "lengths": lengths, "pooled": torch.stack(vectors).half()}
        capture.store.write(key, old)


def test_a_capture_of_the_first_format_is_read_and_gone_on_with(host, plan, made):
    wanted, file = list(made.read()), made.folder / "capture.json"
    as_format_1(made, [0, 1, 2])
    old = load_capture(made.folder)
    for row, one in zip(wanted, old.read(), strict=True):
        assert row.entry == one.entry and torch.equal(row.cond, one.cond) and torch.equal(row.pooled, one.pooled)
    assert all(torch.equal(old.pick([i])[0].cond, wanted[i].cond) for i in (0, 9, 19))
    assert old.rows() == [len(row.cond) for row in wanted] and not old.discard_damaged()
    capture.capture_text(host, made.folder, plan)
    assert read_json(file)["format_version"] == 1  # there was nothing to add
    old.store.remove("shard-00001")
    gone_on = capture.capture_text(host, made.folder, plan)
    assert read_json(file)["format_version"] == 2 and "index" in gone_on.store.read("shard-00001")
    assert all(torch.equal(row.cond, one.cond) for row, one in zip(wanted, gone_on.read(), strict=True))


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
    found, others = text_fingerprint(host), load_encoders()
    for layers in (others.causal.layers, others.bidirectional.layers):
        layers[0].up.weight.neg_()  # another model of the same shape
    assert {site: len(values) for site, values in found.items()} == {"cond": 64, "pooled": 64}
    assert found == text_fingerprint(host)
    assert distance(text_fingerprint(PortraitsText(others)), found) > PRECISION > SAME
