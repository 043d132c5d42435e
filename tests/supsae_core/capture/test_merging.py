"""Merged captures are one, and only captures of one kind are merged or gone on with."""

import errno
import os
import shutil
from dataclasses import fields, replace

import pytest
import torch

from supsae.portraits import captions
from supsae.supsae_core.capture import activations
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import load_capture, start_capture
from supsae.supsae_core.capture.merging import merge_captures, merged_plan
from supsae.supsae_core.capture.plan import TextPlan
from supsae.supsae_core.capture.statistics import Statistics
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.training import capture
from supsae.training.capture import CaptureConfig

pytestmark = pytest.mark.slow

TABLE = captions.table()


@pytest.mark.parametrize("folded", [(), (0,), (0, 1)])
def test_merged_captures_are_one(recorded, other_recorded, tmp_path, folded):
    folders = [shutil.copytree(one.folder, tmp_path / str(i)) for i, one in enumerate((recorded, other_recorded))]
    pair = list(map(load_capture, folders))
    for index in folded:
        load_activations(pair[index]).fold()
    merged = merge_captures(*pair, tmp_path / "merged")
    whole, one, two = map(load_activations, (merged, *pair))
    assert merged.plan.entries == recorded.plan.entries + other_recorded.plan.entries and not whole.missing
    assert len(list(merged.read())) == 36
    for name in recorded.plan.sampling.parts(recorded.plan.family):
        for got, a, b in zip(whole.sums(name), one.sums(name), two.sums(name), strict=True):
            tokens = got.token.shape[2]
            wanted = a.lengthened(tokens) + b.lengthened(tokens)
            for field in fields(Statistics):  # added in another order: float64
                found = [getattr(some, field.name) for some in (got, wanted)]
                torch.testing.assert_close(*found, rtol=1e-10, atol=1e-10)
    cut = {key: merged.store.file(key).read_bytes() for key in merged.store.keys("activations")[:1]}
    for key in cut:
        merged.store.remove(key)
    again = load_activations(merge_captures(*pair, tmp_path / "merged"))
    assert not again.missing and again.batches() == whole.batches()
    assert torch.equal(whole.rows(28, Site("img", 3)), two.rows(10, Site("img", 3)))


def test_captures_of_text_merge_too(models, tmp_path):
    config = CaptureConfig(prompts=10, calibration=4, held_out=0.3)
    plans = [capture.plan_text(TABLE, models.host, replace(config, seed=seed), captions.WORDING) for seed in (1, 2)]
    both = [capture.capture_text(models.host, tmp_path / str(i), plan) for i, plan in enumerate(plans)]
    merged = merge_captures(*both, tmp_path / "merged")
    assert [row.entry for row in merged.read()] == [entry for plan in plans for entry in plan.entries]
    assert {*merged.plan.held_out} == {*plans[0].held_out} & {*plans[1].held_out}
    whole = [row.cond for row in merged.read()]
    assert all(map(torch.equal, whole, [row.cond for one in both for row in one.read()]))
    first = merged.store.file("shard-00000")
    assert [file.stat().st_nlink for file in merged.folder.glob("shard-*")] == [2, 2]  # one disk: no second copy
    first.unlink()
    first.write_bytes(b"")  # as if the merge had been cut off, or the disk were bad
    again = merge_captures(*both, tmp_path / "merged")
    assert all(torch.equal(row.cond, one) for row, one in zip(again.read(), whole, strict=True))


def test_shards_are_copied_where_they_cannot_be_linked_and_merged_captures_merge(models, tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    config = CaptureConfig(prompts=10, calibration=4)
    plans = [capture.plan_text(TABLE, models.host, replace(config, seed=seed), captions.WORDING) for seed in (1, 2, 3)]
    three = [capture.capture_text(models.host, tmp_path / str(i), plan) for i, plan in enumerate(plans)]
    pair = merge_captures(*three[:2], tmp_path / "two")
    every = merge_captures(pair, three[2], tmp_path / "three")
    assert every.plan.runs == (18, 18, 18) and every.shards == 3 and load_capture(every.folder) == every
    wanted = [row.cond for one in three for row in one.read()]
    assert all(map(torch.equal, wanted, [row.cond for row in every.read()]))
    assert {file.stat().st_nlink for file in every.folder.glob("shard-*")} == {1}
    assert torch.equal(every.pick([40])[0].cond, wanted[40])


def test_a_merge_that_the_first_format_began_is_gone_on_with(models, tmp_path):
    config = CaptureConfig(prompts=10, calibration=4)
    plans = [capture.plan_text(TABLE, models.host, replace(config, seed=seed), captions.WORDING) for seed in (1, 2)]
    both = [capture.capture_text(models.host, tmp_path / str(i), plan) for i, plan in enumerate(plans)]
    begun = replace(merged_plan(*plans), runs=())
    start_capture(tmp_path / "merged", begun)
    merged = merge_captures(*both, tmp_path / "merged")
    assert merged.shards == 1  # of 36 prompts, put together
    assert all(map(torch.equal, *([row.cond for one in some for row in one.read()] for some in (both, [merged]))))


def test_an_unfinished_capture_is_not_merged(models, tmp_path):
    config = CaptureConfig(prompts=10, calibration=4)
    plans = [capture.plan_text(TABLE, models.host, replace(config, seed=seed), captions.WORDING) for seed in (1, 2)]
    begun = start_capture(tmp_path / "begun", plans[0])
    with pytest.raises(ValueError, match="begun is not finished .1 of 1 parts missing"):
        merge_captures(begun, capture.capture_text(models.host, tmp_path / "made", plans[1]), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def sampled(**changes):
    return lambda plan: replace(plan, sampling=replace(plan.sampling, **changes))


def text_alone(plan):
    return TextPlan(**{field.name: getattr(plan, field.name) for field in fields(TextPlan)})


OTHERS = {
    "model": (sampled(fingerprint={"txt@1": (9.0,) * 64}), "another model"),
    "steps": (sampled(steps=2, sigmas=(1.0, 0.5)), "another number of steps"),
    "cfg": (sampled(cfg=2.0), "another way of sampling"),
    "sites": (sampled(sites=parse_sites("txt@1")), "another way of sampling"),
    "reduction": (sampled(image="attention"), "another way of sampling"),
    "text alone": (text_alone, "another kind, with or without activations"),
    "table": (lambda plan: replace(plan, table=replace(TABLE, concepts=TABLE.concepts[:-1])), "another table"),
}


@pytest.mark.parametrize(("change", "message"), OTHERS.values(), ids=OTHERS)
def test_other_set_ups_are_refused(recorded, other_recorded, tmp_path, change, message):
    with pytest.raises(ValueError, match=f"holds a capture of {message}"):
        start_capture(recorded.folder, change(recorded.plan))
    with pytest.raises(ValueError, match=f"{message}.*cannot be merged"):
        other = replace(other_recorded, plan=change(other_recorded.plan))
        merge_captures(recorded, other, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_the_same_prompts_are_not_merged(recorded, made, other_recorded, tmp_path):
    with pytest.raises(ValueError, match="hold the same prompts, so merging them adds nothing. .*another seed than 1"):
        merge_captures(recorded, made, tmp_path / "merged")
    made.store.remove(made.store.keys(activations.BATCHES)[-1])
    with pytest.raises(ValueError, match=r"is not finished \(4 prompts are not sampled\)"):
        merge_captures(other_recorded, made, tmp_path / "merged")
    with pytest.raises(ValueError, match="holds a capture of another .* Choose another folder"):
        merge_captures(recorded, other_recorded, made.folder)
