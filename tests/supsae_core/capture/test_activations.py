"""Captured activations: the sums are those of the streams themselves, and no interrupt or fold changes a bit."""

import errno
import json
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from supsae.hosts.diffusers.recording import attention_to, listening
from supsae.portraits import captions
from supsae.supsae_core import files
from supsae.supsae_core.capture import activations, samples
from supsae.supsae_core.capture.activations import activation_bytes, load_activations, start_activations, sums_size
from supsae.supsae_core.capture.captures import load_capture, start_capture
from supsae.supsae_core.capture.plan import TextPlan, text_bytes
from supsae.supsae_core.capture.statistics import Statistics, fold_of
from supsae.supsae_core.encoders.placing import context_of, layout_of, rows_of
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.training import recording
from supsae.training.recorder import BatchRecorder

pytestmark = pytest.mark.slow

TABLE = captions.table()
SITES = parse_sites("txt@1, img@2-3")
PARTS = ("txt@1/clip", "txt@1/t5", "img@2/mean", "img@3/mean")


@pytest.fixture(scope="module")
def plan(planned):
    return planned()


def same(one, other):
    """Whether two captures have summed all prompts to fit on to the same bit."""
    found = [{name: some.sums(name) for name in PARTS} for some in (one, other)]
    pairs = [pair for name in PARTS for pair in zip(found[0][name], found[1][name], strict=True)]
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for a, b in pairs for f in fields(Statistics))


def batch_files(capture):
    return [capture.store.file(key) for key in capture.store.keys(activations.BATCHES)]


# --- what is summed -------------------------------------------------------------------------------------------------


class Everything:
    """A recorder that keeps every row of every step of one picture."""

    attended, sites = None, SITES

    def __init__(self):
        self.steps = {site: [] for site in SITES}

    def hear(self, site, rows, attention=None):
        self.steps[site].append(rows[0].double())

    def step(self):
        pass


@pytest.fixture(scope="module")
def everything(recorded, pictures):
    """Prompt → site → rows of both buckets, each picture sampled alone."""
    seeds, found = recording.noise_seeds(recorded.plan), []
    for index, row in enumerate(recorded.pick(range(12))):
        heard = Everything()
        pictures.sample([(row.cond, row.pooled)], [seeds[index]], recorded.plan.sampling, heard)
        found.append((row, {site: [(a + b) / 2, c] for site, (a, b, c) in heard.steps.items()}))
    return found


def text_samples(plan, row, rows, x):
    """What a prompt's rows x of one encoder are samples of: slot, labels (K,), tokens (T, d)."""
    (encoder,), typed, prompt = plan.family.segments[rows], rows_of(row.cond, plan.family), row.entry.prompt
    layout = layout_of(plan.family, TABLE, prompt, row.entry.counts, typed)[rows]
    labels = context_of(TABLE, encoder, typed, layout.spans)
    for span in layout.spans:
        yield span.phrase, labels[span.rows[0]], x[list(span.rows)]
    for role, own in enumerate(layout.roles[:4], len(TABLE.phrases)):
        for heard in labels[list(own)].unique(dim=0):  # rows that hear the same are one sample
            alike = [one for one in own if torch.equal(labels[one], heard)]
            yield role, heard, x[alike].mean(0)[None]


def summed_directly(plan, everything, name, bucket):
    """A part's sums by the definition: one sample of every slot at a time."""
    (site,), rows = parse_sites(name.split("/")[0]), name.split("/")[1]
    text = rows in plan.family.segments
    slots = len(TABLE.phrases) + len(plan.family.roles) if text else 1
    tokens = plan.longest(plan.family.encoder("t5")) if text else 1
    found = Statistics.zeros(slots, len(TABLE), tokens, 192)
    for row, heard in everything[:10]:
        x, said = heard[site][bucket], list(row.entry.prompt.support(TABLE))
        whole = torch.zeros(len(TABLE)).index_fill(0, torch.tensor(said), 1)
        for slot, labels, own in text_samples(plan, row, rows, x) if text else [(0, whole, x.mean(0)[None])]:
            found.add(fold_of(row.entry.root), slot, labels[None], own[None])
    return found


@pytest.mark.parametrize("name", PARTS)
def test_sums_are_those_of_the_streams(recorded, plan, everything, name):
    # a batch of 4 and one picture alone round differently: at most a few 2⁻²⁴ a step and addition
    for bucket, one in enumerate(load_activations(recorded).sums(name)):
        expected = summed_directly(plan, everything, name, bucket)
        for field in fields(Statistics):
            found = [getattr(some, field.name) for some in (one, expected)]
            torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)
        assert float(one.count.sum()) >= 10 and float(one.square.sum()) > 0


@pytest.mark.parametrize("site", SITES, ids=str)
def test_calibration_keeps_all_rows(recorded, everything, site):
    # prompts 10 and 11 are the first calibration prompt and its rewrite; half precision keeps 2⁻¹¹
    for index in (10, 11):
        heard = torch.stack(everything[index][1][site]).float()
        wanted = heard if site.kind == "txt" else heard.mean(1, keepdim=True)
        torch.testing.assert_close(load_activations(recorded).rows(index, site), wanted, rtol=2**-10, atol=2e-3)


def test_a_rewrite_starts_from_the_noise_of_its_prompt(plan):
    seeds = recording.noise_seeds(plan)
    assert seeds[10:18:2] == seeds[11:18:2] and len(set(seeds)) == 14


def test_weighted_tokens_belong_to_their_phrase(recorded, plan):
    """Attention is given per mention: two tokens, the second heard by the first phrase alone."""
    how = replace(plan, sampling=replace(plan.sampling, sites=parse_sites("img@0"), image="attention", buckets=1))
    (row,) = recorded.pick([0])
    mentions, recorder = len(row.entry.prompt.mentions), BatchRecorder(how, [row])
    assert [len(some) for some in recorder.attended] == [mentions]
    tokens = torch.tensor([[1.0] * 192, [3.0] * 192])[None]
    shares = torch.full((1, 2, mentions), 0.1)
    shares[0, 1, 0] = 0.3
    for factor in (1, 2, 3):  # (0.1 · 1 + 0.3 · 3) / 0.4 = 2.5 and (1 + 3) / 2 = 2, on average twice as much
        recorder.hear(parse_sites("img@0")[0], factor * tokens, shares)
        recorder.step()
    kept = recorder.recorded()["img@0/attention"]
    assert kept.shape == (1, mentions, 192)
    torch.testing.assert_close(kept[0, :, 0], torch.tensor([5.0, *[4.0] * (mentions - 1)]))


def test_every_position_is_a_slot_of_its_own(recorded, plan):
    small = replace(plan.sampling, sites=parse_sites("img@0"), image="positions", width=32, height=16)
    how, (row,) = replace(plan, sampling=small), recorded.pick([0])
    found = samples.picked(how, "img@0/positions", [row], samples.recorded_rows(how, "img@0/positions", row))
    assert found.slots.tolist() == [0, 1]
    rows = torch.randn(1, 2, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.reduce(rows), rows[0])


def test_a_skipped_call_is_noticed(recorded, plan):
    recorder = BatchRecorder(plan, recorded.pick([0]))
    recorder.hear(Site("txt", 1), torch.zeros(1, 96, 192))
    with pytest.raises(ValueError, match="Nothing was heard at img@2 in step 1: something skips calls .*EasyCache"):
        recorder.step()


def test_attention_is_the_softmax_over_text_and_picture():
    torch.manual_seed(0)
    layers = {name: nn.Linear(8, 8) for name in ("to_q", "to_k", "add_k_proj")}
    # what `attention_to` reads of diffusers' joint attention, without norms
    attn = SimpleNamespace(heads=2, norm_q=None, norm_k=None, norm_added_k=None, **layers)
    image, text = torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    found = attention_to(attn, image, text, [[(0, 2), (1,)], [(3,)]])
    q, own, other = (
        x.unflatten(-1, (2, 4)).transpose(1, 2) for x in (attn.to_q(image), attn.to_k(image), attn.add_k_proj(text))
    )
    weights = (q @ torch.cat([other, own], 2).mT / 4**0.5).softmax(-1).mean(1)  # four numbers a head
    torch.testing.assert_close(found[0], torch.stack([weights[0][:, [0, 2]].sum(1), weights[0][:, 1]], 1))
    torch.testing.assert_close(found[1], torch.stack([weights[1][:, 3], torch.zeros(5)], 1))


def test_hooks_are_gone_when_sampling_fails(models):
    block = models.transformer.transformer_blocks[0]
    with pytest.raises(RuntimeError, match="stop"), listening(models.transformer, Everything(), 1):
        assert len(block._forward_pre_hooks) == 1
        raise RuntimeError("stop")
    assert not block._forward_pre_hooks and not block._forward_hooks and not block.attn._forward_pre_hooks


# --- going on and folding -------------------------------------------------------------------------------------------


def test_going_on_after_an_interrupt_equals_one_run(pictures, plan, recorded, record, tmp_path):
    seen, real = [], {name: getattr(pictures, name) for name in ("depth", "hidden", "sigmas")}

    def sample(prompts, *rest):
        seen.extend(prompts)
        pictures.sample(prompts, *rest)

    def stop(done, total, denoised):
        assert total == 18 * 3 and denoised is None
        if done >= 4 * 3 + 4:  # in the first step of the second batch of 4
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(tmp_path, plan, sampled=stop)
    begun = load_capture(tmp_path)
    assert len(batch_files(begun)) == 1 and load_activations(begun).missing == list(range(4, 18))
    again = record(tmp_path, plan, SimpleNamespace(sample=sample, **real))
    one, other = load_activations(recorded), load_activations(again)
    assert len(seen) == 14 and not other.missing and same(one, other)
    assert all(torch.equal(one.rows(i, site), other.rows(i, site)) for i in range(10, 18) for site in SITES)


def test_folding_keeps_every_bit_and_adds_no_batch_twice(recorded, made):
    first = batch_files(made)[0]
    kept = first.read_bytes()
    load_activations(made).fold()
    assert len(batch_files(made)) == 2 and made.store.has(activations.SUMS)  # of the calibration prompts
    first.write_bytes(kept)  # a batch that outlived its fold
    again = load_activations(made)
    assert not again.missing and not first.exists() and same(load_activations(recorded), again)


def test_batches_are_folded_before_they_outgrow_the_sums(recorded, made, monkeypatch):
    monkeypatch.setattr(activations, "sums_size", lambda plan: 1)
    files = batch_files(made)
    rest = [load_file(file) for file in files[1:3]]
    for file in files[1:]:
        file.unlink()
    found = load_activations(made)
    for indices, tensors in zip(([4, 5, 6, 7], [8, 9]), rest, strict=True):
        found.add(indices, tensors)
        assert not batch_files(made)
    again = load_activations(made)
    assert again.missing == list(range(10, 18)) and same(load_activations(recorded), again)


def test_a_full_disk_costs_the_batch_in_flight(plan, made, record, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for file in batch_files(made)[3:]:
        file.unlink()
    before = sorted(made.folder.iterdir())
    message = r"activations-000003\.safetensors .*No space left.*Free some disk space and run again"
    with monkeypatch.context() as patch, pytest.raises(OSError, match=message):
        patch.setattr(files.os, "fsync", full)
        record(made.folder, plan)
    assert sorted(made.folder.iterdir()) == before and len(load_activations(made).missing) == 8


# --- refusals -------------------------------------------------------------------------------------------------------


def newer(file):
    save_file(load_file(file), file, {**activations.metadata([0]), "format_version": "2"})


DAMAGE = {
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is damaged .*Delete it and run Capture"),
    "foreign": (
        lambda file: save_file({"weight": torch.zeros(3)}, file),
        "damaged .*no 'format_version'.*Delete it",
    ),
    "newer": (newer, "has format version 2; this SupSAE reads up to 1. Update SupSAE"),
}


@pytest.mark.parametrize("fold", [False, True], ids=["batch", "sums"])
@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_named(made, fold, damage, message):
    if fold:
        load_activations(made).fold()
    file = made.store.file(activations.SUMS) if fold else batch_files(made)[0]
    damage(file)
    with pytest.raises(ValueError, match=f"{file.name} .*{message}"):
        load_activations(made)


def test_a_text_capture_is_as_it_was_and_this_one_knows_its_sampling(recorded, plan, tmp_path):
    assert load_capture(recorded.folder).plan == plan
    text = start_capture(tmp_path, TextPlan(**{field.name: getattr(plan, field.name) for field in fields(TextPlan)}))
    assert "sampling" not in json.loads((tmp_path / "capture.json").read_text(encoding="utf-8"))
    assert load_capture(tmp_path) == text and type(text.plan) is TextPlan
    with pytest.raises(ValueError, match="holds no activations. Run Capture with prompts and blocks"):
        load_activations(text)


def test_bytes_are_stated_and_held(recorded, plan, tmp_path):
    stated = activation_bytes(plan) + text_bytes(plan)
    taken = sum(file.stat().st_size for file in recorded.folder.iterdir() if file.suffix == ".safetensors")
    assert 0.6 * stated < taken < stated + 10_000  # headers
    with pytest.raises(ValueError, match=r"needs \d\.\d\d GB and may take 0.00 GB"):
        start_activations(tmp_path / "none", plan, limit=stated - 1)
    assert start_activations(tmp_path / "some", plan, limit=stated)


def test_bytes_do_not_grow_with_the_prompts(plan):
    fit = [entry for entry in plan.entries if entry.set == "fit"]
    sizes = [activation_bytes(replace(plan, entries=tuple(fit * times))) for times in (1, 300, 600)]
    assert sizes[0] < sizes[1] == sizes[2] == 3 * sums_size(plan)


def test_blocks_that_are_not_there_are_refused_before_anything_is_encoded(planned):
    with pytest.raises(ValueError, match=r"There is no txt@3: this model has 3 blocks, so txt@0 … txt@2"):
        planned(sites="txt@3", host=object())
