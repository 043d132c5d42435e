"""Captured activations: the sums are those of the streams themselves, and no interrupt, fold or merge changes a bit."""

import json
import shutil
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures, attention_to, listening
from supsae.portraits import captions
from supsae.supsae_core.capture import activations, samples, store
from supsae.supsae_core.capture.activations import activation_bytes, load_activations, start_activations, sums_size
from supsae.supsae_core.capture.captures import load_capture, start_capture
from supsae.supsae_core.capture.merging import merge_captures
from supsae.supsae_core.capture.plan import ActivationPlan, TextPlan, text_bytes
from supsae.supsae_core.capture.sampling import Sampling
from supsae.supsae_core.capture.statistics import Statistics, fold_of
from supsae.supsae_core.encoders.placing import context_of, layout_of, rows_of
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.training import capture, recording
from supsae.training.capture import CaptureConfig
from supsae.training.recorder import BatchRecorder
from supsae.training.recording import SamplingConfig

TABLE = captions.table()
CONFIG = CaptureConfig(prompts=10, calibration=4, seed=1)
"""10 prompts to fit on and 2 · 4 to calibrate on; in batches of 4 that is 4 + 4 + 2 and 4 + 4."""
HOW = SamplingConfig(parse_sites("txt@1, img@2-3"), steps=3, cfg=3.0, width=128, height=128, buckets=2)
"""Two buckets: steps 0 and 1, and step 2. Portraits has three blocks, so img@3 leaves the last."""
TEXT = ("txt@1/clip", "txt@1/t5")
PARTS = (*TEXT, "img@2/mean", "img@3/mean")


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "BATCH", 4)
        yield


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.fixture(scope="module")
def pictures(models):
    return DiffusersPictures(models.transformer, partial(studio.negative, models))


@pytest.fixture(scope="module")
def plan(models, pictures):
    return recording.plan_activations(TABLE, models.host, pictures, CONFIG, HOW, captions.WORDING)


@pytest.fixture(scope="module")
def original(models, pictures, plan, tmp_path_factory):
    return recording.capture_activations(models.host, pictures, tmp_path_factory.mktemp("original") / "capture", plan)


@pytest.fixture
def made(original, tmp_path):
    shutil.copytree(original.folder, tmp_path / "capture")
    return load_capture(tmp_path / "capture")


def equal(one, other):
    """Whether two tuples of statistics, one a noise level, are the same to the bit."""
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for a, b in zip(one, other, strict=True) for f in fields(a)]
    return all(torch.equal(a, b) for a, b in pairs)


def batch_files(capture):
    return [capture.store.file(key) for key in capture.store.keys(activations.BATCHES)]


# --- what is summed -------------------------------------------------------------------------------------------------


class Everything:
    """A recorder that keeps every row of every step of one picture."""

    attended = None

    def __init__(self, sites):
        self.sites, self.steps = sites, {site: [] for site in sites}

    def hear(self, site, rows, attention=None):
        self.steps[site].append(rows[0].double())

    def step(self):
        pass


@pytest.fixture(scope="module")
def everything(original, pictures):
    """Prompt → site → rows of both buckets, each picture sampled alone."""
    seeds, found = recording.noise_seeds(original.plan), []
    for index, row in enumerate(original.pick(range(12))):
        heard = Everything(HOW.sites)
        pictures.sample([(row.cond, row.pooled)], [seeds[index]], original.plan.sampling, heard)
        steps = {site: torch.stack(some) for site, some in heard.steps.items()}
        found.append((row, {site: [one[:2].mean(0), one[2]] for site, one in steps.items()}))
    return found


def summed_directly(plan, everything, name, bucket):
    """A part's sums by the definition: one sample of every slot at a time."""
    site, rows = name.split("/")
    text = rows in plan.family.segments
    slots = len(TABLE.phrases) + len(plan.family.roles) if text else 1
    found = Statistics.zeros(
        slots, len(TABLE), plan.longest(plan.family.encoder("t5")) if text else 1, 192, moment=False
    )
    for row, heard in everything[:10]:
        x, prompt = heard[parse_sites(site)[0]][bucket], row.entry.prompt
        fold, said = fold_of(prompt.text), prompt.support(TABLE)
        if not text:
            found.add(fold, 0, torch.zeros(1, len(TABLE)).index_fill(1, torch.tensor(said), 1), x.mean(0)[None, None])
            continue
        (encoder,), typed = plan.family.segments[rows], rows_of(row.cond, plan.family)
        layout = layout_of(plan.family, TABLE, prompt, row.entry.counts, typed)[rows]
        labels = context_of(TABLE, encoder, typed, layout.spans)
        for span in layout.spans:
            found.add(fold, span.phrase, labels[span.rows[0]][None], x[list(span.rows)][None])
        for role, own in enumerate(layout.roles[:4], len(TABLE.phrases)):
            for heard_there in labels[list(own)].unique(dim=0):
                alike = [one for one in own if torch.equal(labels[one], heard_there)]
                found.add(fold, role, heard_there[None], x[alike].mean(0)[None, None])
    return found


@pytest.mark.parametrize("name", PARTS)
def test_sums_are_those_of_the_streams(original, plan, everything, name):
    # a batch of 4 and one picture alone round differently: at most a few 2⁻²⁴ a step and addition
    sums = load_activations(original).sums(name)
    for bucket, one in enumerate(sums):
        expected = summed_directly(plan, everything, name, bucket)
        for field in (f.name for f in fields(Statistics)):
            torch.testing.assert_close(getattr(one, field), getattr(expected, field), rtol=1e-3, atol=1e-3)
        assert float(one.count.sum()) >= 10 and float(one.square.sum()) > 0


@pytest.mark.parametrize("site", ["txt@1", "img@2", "img@3"])
def test_calibration_keeps_all_rows(original, everything, site):
    # prompts 10 and 11 are the first calibration prompt and its rewrite; half precision keeps 2⁻¹¹
    found, at = load_activations(original), parse_sites(site)[0]
    for index in (10, 11):
        kept, heard = found.rows(index, at), everything[index][1][at]
        wanted = torch.stack([one if at.kind == "txt" else one.mean(0, keepdim=True) for one in heard]).float()
        torch.testing.assert_close(kept, wanted, rtol=2**-10, atol=2e-3)


def test_a_rewrite_starts_from_the_noise_of_its_prompt(plan):
    seeds = recording.noise_seeds(plan)
    assert seeds[10:18:2] == seeds[11:18:2] and len(set(seeds)) == 14


def test_weighted_tokens_belong_to_their_phrase(original, plan):
    """Attention is given per mention: two tokens, the second heard by the first phrase alone."""
    how = replace(plan, sampling=replace(plan.sampling, sites=parse_sites("img@0"), image="attention", buckets=1))
    (row,) = original.pick([0])
    mentions = len(row.entry.prompt.mentions)
    recorder = BatchRecorder(how, [row])
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


def test_every_position_is_a_slot_of_its_own(original, plan):
    how = replace(
        plan, sampling=replace(plan.sampling, sites=parse_sites("img@0"), image="positions", width=32, height=16)
    )
    (row,) = original.pick([0])
    found = samples.picked(how, "img@0/positions", [row], samples.recorded_rows(how, "img@0/positions", row))
    assert found.slots.tolist() == [0, 1]
    rows = torch.randn(1, 2, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.reduce(rows), rows[0])


def test_a_skipped_call_is_noticed(original, plan):
    recorder = BatchRecorder(plan, original.pick([0]))
    recorder.hear(Site("txt", 1), torch.zeros(1, 96, 192))
    with pytest.raises(ValueError, match="Nothing was heard at img@2 in step 1: something skips calls .*EasyCache"):
        recorder.step()


class Attention(nn.Module):
    """What ``attention_to`` reads of diffusers' joint attention, without norms."""

    heads = 2
    norm_q = norm_k = norm_added_k = None

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.to_q, self.to_k, self.add_k_proj = (nn.Linear(8, 8) for _ in range(3))


def test_attention_is_the_softmax_over_text_and_picture():
    attn, image, text = Attention(), torch.randn(2, 5, 8), torch.randn(2, 4, 8)
    found = attention_to(attn, image, text, [[(0, 2), (1,)], [(3,)]])
    q, own, other = (
        x.unflatten(-1, (2, 4)).transpose(1, 2) for x in (attn.to_q(image), attn.to_k(image), attn.add_k_proj(text))
    )
    weights = (q @ torch.cat([other, own], 2).mT / 4**0.5).softmax(-1).mean(1)  # four numbers a head
    wanted = torch.stack([weights[0][:, [0, 2]].sum(1), weights[0][:, 1]], 1)
    torch.testing.assert_close(found[0], wanted)
    torch.testing.assert_close(found[1], torch.stack([weights[1][:, 3], torch.zeros(5)], 1))


def test_hooks_are_gone_when_sampling_fails(models, pictures):
    block = models.transformer.transformer_blocks[0]
    with pytest.raises(RuntimeError, match="stop"), listening(models.transformer, Everything(HOW.sites), 1):
        assert len(block._forward_pre_hooks) == 1
        raise RuntimeError("stop")
    assert not block._forward_pre_hooks and not block._forward_hooks and not block.attn._forward_pre_hooks


# --- going on, folding, merging -------------------------------------------------------------------------------------


class Counting:
    """The real model, with every picture counted."""

    def __init__(self, real):
        self.real, self.pictures = real, 0
        self.depth, self.hidden, self.sigmas = real.depth, real.hidden, real.sigmas

    def sample(self, prompts, *rest):
        self.pictures += len(prompts)
        self.real.sample(prompts, *rest)


def test_going_on_after_an_interrupt_equals_one_run(models, pictures, plan, original, tmp_path):
    def stop(done, total, denoised):
        assert total == 18 * 3 and denoised is None
        if done >= 4 * 3 + 4:  # in the first step of the second batch of 4
            raise KeyboardInterrupt

    first, second = Counting(pictures), Counting(pictures)
    with pytest.raises(KeyboardInterrupt):
        recording.capture_activations(models.host, first, tmp_path, plan, sampled=stop)
    assert first.pictures == 8 and len(batch_files(load_capture(tmp_path))) == 1
    assert len(load_activations(load_capture(tmp_path)).missing) == 14
    again = recording.capture_activations(models.host, second, tmp_path, plan)
    assert second.pictures == 14
    one, other = load_activations(original), load_activations(again)
    assert not other.missing and all(equal(one.sums(name), other.sums(name)) for name in PARTS)
    assert all(torch.equal(one.rows(i, site), other.rows(i, site)) for i in range(10, 18) for site in HOW.sites)


def test_folding_keeps_every_bit(original, made):
    load_activations(made).fold()
    assert len(batch_files(made)) == 2 and made.store.has(activations.SUMS)  # of the calibration prompts
    one, other = load_activations(original), load_activations(made)
    assert not other.missing and all(equal(one.sums(name), other.sums(name)) for name in PARTS)


def test_batches_are_folded_before_they_outgrow_the_sums(models, pictures, plan, original, tmp_path, monkeypatch):
    monkeypatch.setattr(activations, "sums_size", lambda plan: 1)
    shutil.copytree(original.folder, tmp_path / "capture")
    made = load_capture(tmp_path / "capture")
    files = batch_files(made)
    rest = [load_file(file) for file in files[1:3]]
    for file in files[1:]:
        file.unlink()
    found = load_activations(made)
    for indices, tensors in zip(([4, 5, 6, 7], [8, 9]), rest, strict=True):
        found.add(indices, tensors)
        assert not batch_files(made)
    again = load_activations(made)
    assert again.missing == list(range(10, 18))
    assert all(equal(load_activations(original).sums(name), again.sums(name)) for name in PARTS)


def test_a_batch_that_outlived_its_fold_is_not_added_twice(original, made):
    first = batch_files(made)[0]
    kept = first.read_bytes()
    load_activations(made).fold()
    first.write_bytes(kept)
    again = load_activations(made)
    assert all(equal(load_activations(original).sums(name), again.sums(name)) for name in PARTS)
    assert not first.exists()


def test_a_full_disk_costs_the_batch_in_flight(models, pictures, plan, original, made, monkeypatch):
    for file in batch_files(made)[3:]:
        file.unlink()

    def full(*_):
        raise SafetensorError("No space left on device")

    before = sorted(made.folder.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(store, "save_file", full)
        with pytest.raises(
            OSError, match=r"activations-000003\.safetensors .*No space left.*Free some disk and run again"
        ):
            recording.capture_activations(models.host, pictures, made.folder, plan)
    assert sorted(made.folder.iterdir()) == before
    assert len(load_activations(made).missing) == 8


@pytest.fixture(scope="module")
def other(models, pictures, tmp_path_factory):
    drawn = recording.plan_activations(TABLE, models.host, pictures, replace(CONFIG, seed=2), HOW, captions.WORDING)
    return recording.capture_activations(models.host, pictures, tmp_path_factory.mktemp("other") / "capture", drawn)


@pytest.mark.parametrize("folded", [(), (0,), (0, 1)])
def test_merged_captures_are_one(original, other, tmp_path, folded):
    pair = [load_capture(shutil.copytree(one.folder, tmp_path / str(i))) for i, one in enumerate((original, other))]
    for index in folded:
        load_activations(pair[index]).fold()
    merged = merge_captures(*pair, tmp_path / "merged")
    whole, one, two = (load_activations(x) for x in (merged, *pair))
    assert merged.plan.entries == original.plan.entries + other.plan.entries and not whole.missing
    assert len(list(merged.read())) == 36
    for name in PARTS:
        for got, a, b in zip(whole.sums(name), one.sums(name), two.sums(name), strict=True):
            tokens = got.token.shape[2]
            wanted = a.lengthened(tokens) + b.lengthened(tokens)
            for field in (f.name for f in fields(Statistics)):  # added in another order: float64
                torch.testing.assert_close(getattr(got, field), getattr(wanted, field), rtol=1e-10, atol=1e-10)
    assert torch.equal(whole.rows(28, Site("img", 3)), two.rows(10, Site("img", 3)))


def test_captures_of_text_merge_too(models, tmp_path):
    plans = [
        capture.plan_text(TABLE, models.host, replace(CONFIG, seed=seed, held_out=0.3), captions.WORDING)
        for seed in (1, 2)
    ]
    both = [capture.capture_text(models.host, tmp_path / str(i), plan) for i, plan in enumerate(plans)]
    merged = merge_captures(*both, tmp_path / "merged")
    texts = [row.entry.prompt.text for row in merged.read()]
    assert texts == [entry.prompt.text for plan in plans for entry in plan.entries]
    assert {*merged.plan.held_out} == {*plans[0].held_out} & {*plans[1].held_out}


# --- refusals -------------------------------------------------------------------------------------------------------


def text_alone(plan):
    return TextPlan(**{field.name: getattr(plan, field.name) for field in fields(TextPlan)})


def changed_sampling(**changes):
    return lambda plan: replace(plan, sampling=replace(plan.sampling, **changes))


OTHERS = {
    "model": (changed_sampling(fingerprint={"txt@1": (9.0,) * 64}), "another model"),
    "steps": (changed_sampling(steps=2, sigmas=(1.0, 0.5)), "another number of steps"),
    "cfg": (changed_sampling(cfg=2.0), "another way of sampling"),
    "sites": (changed_sampling(sites=parse_sites("txt@1")), "another way of sampling"),
    "reduction": (changed_sampling(image="attention"), "another way of sampling"),
    "text alone": (text_alone, "another kind, with or without activations"),
    "table": (lambda plan: replace(plan, table=replace(TABLE, concepts=TABLE.concepts[:-1])), "another table"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_set_ups_are_refused(plan, original, other, tmp_path, name):
    change, message = OTHERS[name]
    with pytest.raises(ValueError, match=f"holds a capture of {message}"):
        start_activations(original.folder, change(plan)) if isinstance(change(plan), ActivationPlan) else start_capture(
            original.folder, change(plan)
        )
    with pytest.raises(ValueError, match=f"{message}.*cannot be merged"):
        merge_captures(original, replace(other, plan=change(other.plan)), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_the_same_prompts_are_not_merged(original, made, other, tmp_path):
    with pytest.raises(ValueError, match="hold the same prompts, so merging them adds nothing. .*another seed than 1"):
        merge_captures(original, made, tmp_path / "merged")
    batch_files(made)[-1].unlink()
    with pytest.raises(ValueError, match=r"is not finished \(4 prompts are not sampled\)"):
        merge_captures(other, made, tmp_path / "merged")
    with pytest.raises(ValueError, match="holds a capture already. Choose another folder"):
        merge_captures(original, other, made.folder)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-100])


def newer(file):
    save_file(load_file(file), file, {**activations.metadata([0]), "format_version": "2"})


@pytest.mark.parametrize("fold", [False, True], ids=["batch", "sums"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "is damaged .*Delete it and run Capture again"),
        (lambda file: save_file({"weight": torch.zeros(3)}, file), "is damaged .*KeyError.*Delete it"),
        (newer, "has format version 2; this SupSAE reads up to 1. Update SupSAE"),
    ],
    ids=["truncated", "foreign", "newer"],
)
def test_damaged_files_are_named(made, fold, damage, message):
    if fold:
        load_activations(made).fold()
    file = made.store.file(activations.SUMS) if fold else batch_files(made)[0]
    damage(file)
    with pytest.raises(ValueError, match=f"{file.name} {message}"):
        load_activations(made)


def test_a_text_capture_is_as_it_was(models, tmp_path):
    plan = capture.plan_text(TABLE, models.host, CONFIG, captions.WORDING)
    text = start_capture(tmp_path, plan)
    assert "sampling" not in json.loads((tmp_path / "capture.json").read_text(encoding="utf-8"))
    assert load_capture(tmp_path) == text and type(text.plan) is TextPlan
    with pytest.raises(ValueError, match="holds no activations. Run Capture with prompts and blocks"):
        load_activations(text)


def test_the_plan_comes_back(original, plan):
    assert load_capture(original.folder).plan == plan


def test_bytes_are_stated_and_held(original, plan, tmp_path):
    stated = activation_bytes(plan) + text_bytes(plan)
    taken = sum(file.stat().st_size for file in original.folder.iterdir() if file.suffix == ".safetensors")
    assert 0.6 * stated < taken < stated + 10_000  # headers
    with pytest.raises(ValueError, match=r"needs \d\.\d\d GB and may take 0.00 GB"):
        start_activations(tmp_path / "none", plan, limit=stated - 1)
    assert start_activations(tmp_path / "some", plan, limit=stated)


def test_bytes_do_not_grow_with_the_prompts(plan):
    fit = [entry for entry in plan.entries if entry.set == "fit"]
    sizes = [activation_bytes(replace(plan, entries=tuple(fit * times))) for times in (1, 300, 600)]
    assert sizes[0] < sizes[1] == sizes[2] == 3 * sums_size(plan)


def sampling(**changes):
    values = {
        "sites": parse_sites("txt@1"), "steps": 8, "cfg": 3.0, "width": 128, "height": 64, "image": "mean",
        "buckets": 3,
        "sigmas": tuple(1 - i / 8 for i in range(8)), "hidden": 192, "fingerprint": {},
    }  # fmt: skip
    return Sampling(**(values | changes))


def test_buckets_are_runs_of_steps():
    # 8 steps in 3 runs: 3, 3 and 2; noise levels 1, 7/8 … 1/8
    how = sampling()
    assert [list(run) for run in how.runs] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert how.centres == pytest.approx((0.875, 0.5, 0.1875)) and how.tokens == 8 * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": parse_sites("cond, txt@1")}, "captured at txt@i and img@i, not at cond"),
        ({"image": "most"}, "no reduction 'most' of the image stream. Choose mean, attention, positions"),
        ({"buckets": 9}, "8 steps at 8 noise levels cannot be divided into 9 buckets"),
        ({"sigmas": (1.0,)}, "8 steps at 1 noise levels"),
        ({"width": 100}, "100 × 64 does not fit SD3. Width and height are multiples of 16"),
    ],
)
def test_options_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        sampling(**change)


def test_blocks_that_are_not_there_are_refused_before_anything_is_encoded(models, pictures):
    class Silent:
        format = models.host.family

    with pytest.raises(ValueError, match=r"There is no txt@3: this model has 3 blocks, so txt@0 … txt@2"):
        recording.plan_activations(TABLE, Silent(), pictures, CONFIG, replace(HOW, sites=parse_sites("txt@3")))
