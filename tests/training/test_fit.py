"""Fitting: sums gathered from real prompts, what the report says, and small captures that must not break it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.capture.statistics import FOLDS, fold_of
from supsae.supsae_core.dictionary.model import POOLED, Dictionary
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.encoders.placing import layout_of, rows_of
from supsae.supsae_core.reading import readout
from supsae.supsae_core.reading.places import Places
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.supsae_core.table.prompts import PLAIN, Mention, Prompt
from supsae.training import capture, fit, gather
from supsae.training.calibration import best_threshold, paired_rows, true_and_false
from supsae.training.capture import CaptureConfig
from supsae.training.solvers.adam import AdamConfig
from supsae.training.solvers.exact import ExactConfig, exact

QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges, which takes most of a small fit's time."""


FEW = ("hair", "hat", "expression")


@pytest.fixture(scope="module")
def few(learnt):
    """Three of Portraits' categories: to fit them takes a fifth of the time."""
    known = learnt.table.to_json()
    return table_from_mapping({name: known[name] for name in FEW})


@pytest.fixture(scope="module")
def captured(few, learnt, tmp_path_factory):
    """Make captures: config → capture."""

    def make(*, table=few, wording=captions.WORDING, **options):
        plan = capture.plan_text(table, learnt.host, CaptureConfig(**options), wording)
        return capture.capture_text(learnt.host, tmp_path_factory.mktemp("captured"), plan)

    return make


# --- gathering -------------------------------------------------------------------------------------------------------


def test_sums_are_those_of_the_captured_rows(learnt):
    """One phrase, one role and the pooled vector, summed over the prompts by hand."""
    plan, phrase = learnt.capture.plan, learnt.table.first_phrase[learnt.table.index("hair: red")]
    found = gather.gather(learnt.capture, learnt.capture.read(), "fit")
    rows, pads, pooled, counts = 0, 0, 0, torch.zeros(FOLDS)
    for one in learnt.capture.read():
        if one.entry.set != "fit":
            continue
        layout = layout_of(plan.family, plan.table, one.entry.prompt, one.entry.counts, rows_of(one.cond, plan.family))[
            "t5"
        ]
        pooled, pads = pooled + one.pooled.double(), pads + one.cond[list(layout.roles.pad)].double().sum(0)
        for span in layout.spans:
            if span.phrase == phrase:
                rows = rows + one.cond[list(span.rows)].double()
                counts[fold_of(one.entry.prompt.text)] += 1
    t5 = found["t5"]
    assert torch.equal(t5.count[:, phrase], counts.double()) and int(t5.lengths[phrase]) == 2
    torch.testing.assert_close(t5.total().token[phrase, :2], rows, rtol=1e-10, atol=1e-10)
    pad = len(learnt.table.phrases) + learnt.dictionary.family.roles.index("pad")
    torch.testing.assert_close(t5.total().token[pad, 0], pads, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[POOLED].total().token[0, 0], pooled, rtol=1e-10, atol=1e-10)
    assert int(found[POOLED].count.sum()) == 200


def test_many_pads_are_thinned_to_the_same_mean_and_scatter():
    # 64 rows, every fourth taken: what is left weighs 64 / 16; the mean stays to the last digit
    torch.manual_seed(0)
    x = 100 + torch.randn(64, 1, 5, dtype=torch.float64)
    made, mean, some = gather.thinned(x).flatten(0, 1), x.mean((0, 1)), x[::4, 0]
    about = some - some.mean(0)
    assert len(made) == 1 + 16
    torch.testing.assert_close(made.T @ made, 64 * torch.outer(mean, mean) + 4 * about.T @ about)
    few = x[:16]
    assert gather.thinned(few) is few


def test_order_of_prompts_is_irrelevant(learnt):
    rows = [row for row in learnt.capture.read() if row.entry.set == "fit"]
    one, other = (gather.gather(learnt.capture, some, "fit")["clip"] for some in (rows, rows[::-1]))
    torch.testing.assert_close(one.cross, other.cross, rtol=1e-10, atol=1e-8)
    torch.testing.assert_close(one.moment, other.moment, rtol=1e-10, atol=1e-8)
    assert torch.equal(one.gram, other.gram)


def test_the_context_of_a_causal_slot_is_what_stands_before_it(learnt):
    # sums of labels hold only concepts written before; the first concept of every prompt therefore adds nothing
    prompt = Prompt(("red", "hair", "and", "golden", "crown"), (Mention(10, 0, 2), Mention(32, 3, 5)))
    red, crown = (learnt.table.phrases[i].concept for i in (10, 32))
    assert [str(learnt.table.concepts[i]) for i in (red, crown)] == ["hair: red", "hat: crown"]
    row = learnt.encoded(prompt)
    row = row._replace(entry=replace(row.entry, set="fit"))
    found = gather.gather(learnt.capture, [row], "fit")
    clip, t5 = found["clip"].total().label, found["t5"].total().label
    assert clip[10].tolist() == [0.0] * 28 and clip[32].nonzero().flatten().tolist() == [red]
    assert t5[10].nonzero().flatten().tolist() == [crown] and t5[32].nonzero().flatten().tolist() == [red]
    assert set(found[POOLED].total().label[0].nonzero().flatten().tolist()) == {red, crown}


@pytest.mark.slow
def test_order_is_most_of_what_a_causal_slot_hears(learnt, monkeypatch):
    # held-out error of the tokens of phrases: 0.078 of their variance with what stands before, 0.395 with all context
    groups = gather.groups(learnt.capture)
    rows = [row for row in learnt.capture.read() if row.entry.set == "fit"]
    aware = exact(gather.gather(learnt.capture, rows, "fit")["clip"], groups, QUICK).measured
    monkeypatch.setattr(
        Chunked, "hears", lambda _, own, rows, row: torch.ones_like(rows, dtype=torch.bool)
    )  # all hear all
    blind = exact(gather.gather(learnt.capture, rows, "fit")["clip"], groups, QUICK).measured
    assert aware["fvu_token"] < 0.25 * blind["fvu_token"]


def test_a_phrase_behind_the_first_chunk_is_nothing_to_pooled(learnt):
    words = ("with " * 50 + "red hair").split()
    row = learnt.encoded(Prompt(tuple(words), (Mention(10, 50, 52),)))
    row = row._replace(entry=replace(row.entry, set="fit"))
    found = gather.gather(learnt.capture, [row], "fit")
    assert not found[POOLED].label.any() and found["clip"].count[:, 10].sum() == 1


def test_a_phrase_that_is_spelled_unevenly_is_refused(learnt):
    # as if the encoder had spelled "hair" with two tokens in the second prompt
    prompt = Prompt(("red", "hair"), (Mention(10, 0, 2),))
    row = learnt.encoded(prompt)
    rows = [
        Encoded(Entry(prompt, "fit", counts), row.cond, row.pooled)
        for counts in ({"clip": (1, 1), "t5": (1, 1)}, {"clip": (1, 2), "t5": (1, 1)})
    ]
    with pytest.raises(
        ValueError, match="'clip' spells the phrase 'red hair' with 2 tokens in one prompt and 3 in another"
    ):
        gather.gather(learnt.capture, rows, "fit")


def test_groups_are_categories_and_one_per_role(learnt):
    groups, phrases = gather.groups(learnt.capture), learnt.table.phrases
    assert groups.phrases == len(phrases) and groups.count == 12
    assert groups.of[: len(phrases)].tolist() == [learnt.table.category_of[phrase.concept] for phrase in phrases]
    assert groups.of[len(phrases) :].tolist() == [8, 9, 10, 11]


# --- the dictionary --------------------------------------------------------------------------------------------------


def test_the_report_says_what_was_measured(learnt):
    report = learnt.dictionary.report
    # docs/method.md, 2: a constant per concept leaves at least 0.3 and 0.15; the context must explain most of that
    for name, least in {"clip": 0.3, "t5": 0.15}.items():
        part = report["parts"][name]
        assert part["fvu_token_constant"] >= least and part["fvu_slot"] < 0.35
        assert part["fvu_token"] == pytest.approx(part["fvu_slot"] * part["fvu_token_constant"], rel=1e-9)
        assert part["rank"] == len(learnt.dictionary.parts[name].decoder) and part["label_rank"] == 28
    assert report["parts"][POOLED]["fvu_slot"] < 0.15
    assert report["locate"] >= 0.98 and report["poorly_learnt"] == [] and report["never_captured"] == []
    assert all(0.8 < one["mean"] < 1.25 and one["spread"] < 0.2 for one in report["calibration"].values())
    assert learnt.dictionary.identified == (True,) * 8


def test_provenance_says_where_it_comes_from(learnt):
    plan, provenance = learnt.capture.plan, learnt.dictionary.provenance
    assert provenance["prompts"] == 200 and provenance["seed"] == 0
    assert {frozenset(pair) for pair in provenance["held_out"]} == learnt.held_out
    assert {site: tuple(values) for site, values in provenance["fingerprint"].items()} == plan.fingerprint
    assert provenance["length_policy"] == "chunks of 48 causal rows, at least 48 rows" and provenance[
        "tool"
    ].startswith("supsae ")


def test_the_same_capture_gives_the_same_dictionary(captured):
    made = captured(prompts=20, calibration=4)
    one, other = fit.fit_dictionary(made, config=QUICK), fit.fit_dictionary(made, config=QUICK)
    for name, part in one.parts.items():
        assert torch.equal(part.decoder, other.parts[name].decoder) and torch.equal(part.gains, other.parts[name].gains)


def test_progress_counts_to_its_total(captured):
    seen = []
    fit.fit_dictionary(captured(prompts=20, calibration=4), config=QUICK, progress=lambda *at: seen.append(at))
    assert seen == [(i, len(seen)) for i in range(1, len(seen) + 1)] and len(seen) >= 4


def test_the_smallest_capture_fits(learnt, captured):
    """Ten prompts leave phrases and whole concepts uncaptured: they are named, and nothing breaks."""
    made = fit.fit_dictionary(captured(table=learnt.table, prompts=10, calibration=4, mention=0.4), config=QUICK)
    assert isinstance(made, Dictionary) and made.report["never_captured"]
    never = [str(concept) for index, concept in enumerate(made.table.concepts) if made.writes[index] is None]
    assert made.report["never_captured"] == never
    assert all(
        torch.isfinite(getattr(part, name)).all()
        for part in made.parts.values()
        for name in ("decoder", "slot_codes", "gains", "whiten_slot", "whiten_residual")
    )


def test_too_small_a_capture_is_refused(learnt, captured):
    """Of 24 phrases in 10 prompts none is written twice: there is nothing to fit."""
    with pytest.raises(ValueError, match="Too few prompts to fit: no phrase occurs in two .*Capture more prompts"):
        fit.fit_dictionary(captured(table=learnt.table, prompts=10, calibration=4, mention=0.3), config=QUICK)


def test_what_was_never_left_out_is_not_identified(captured):
    made = fit.fit_dictionary(captured(prompts=20, calibration=4, mention=1.0), config=QUICK)
    assert made.identified == (False,) * 3


def test_long_prompts_calibrate_as_far_as_they_have_room(captured):
    """Fillers fill the rows: some swaps for a longer phrase find no pads, and the fit goes on without them."""
    crowded = replace(captions.WORDING, filler_rate=1.0)
    made = fit.fit_dictionary(captured(prompts=20, calibration=12, mention=0.9, wording=crowded), config=QUICK)
    assert all(torch.isfinite(part.gains).all() for part in made.parts.values())


def test_another_width_may_be_asked_for(captured):
    made = fit.fit_dictionary(captured(prompts=20, calibration=4), config=replace(QUICK, rank=7))
    assert {len(part.decoder) for part in made.parts.values()} == {7}


@pytest.mark.slow
def test_another_solver_may_be_asked_for(learnt):
    """The paper's optimiser: provenance says so, and it learns what context does, if less of it than the exact one."""
    made = fit.fit_dictionary(learnt.capture, "adam", AdamConfig(rank=32, steps=60))
    assert made.provenance["solver"] == {"name": "adam", "rank": 32, "steps": 60, "rate": 0.1, "seed": 0}
    assert {len(part.decoder) for part in made.parts.values()} == {32}
    for name, part in learnt.dictionary.report["parts"].items():
        assert part["fvu_slot"] < made.report["parts"][name]["fvu_slot"] < 1


def test_an_unfinished_capture_is_refused(captured):
    made = captured(prompts=20, calibration=4)
    next(made.folder.glob("shard-*")).unlink()
    with pytest.raises(ValueError, match="is not finished .1 of 1 parts missing.*Run Capture again"):
        fit.fit_dictionary(made, config=QUICK)


def test_plain_wording_serves_as_well(captured):
    assert fit.fit_dictionary(captured(prompts=60, calibration=8, wording=PLAIN), config=QUICK).report["locate"] >= 0.9


# --- the steps, on numbers that can be followed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("true", "false", "cut"),
    [
        ([3.0, 4.0], [1.0, 2.0], 2.5),  # parted: the middle of the gap
        (
            [1.0, 3.0],
            [2.0, 0.0],
            2.5,
        ),  # one error either way: 0.5 (2.0 is false) and 2.5 (1.0 is missed); the upper one
        ([5.0], [], 5.0 - 1e-3),  # nothing false: just below the lowest
        ([], [1.0], 0.0),  # nothing true: nothing to go by
    ],
)
def test_best_threshold(true, false, cut):
    assert best_threshold(true, false) == pytest.approx(cut)


def test_true_and_false_places():
    # words in rows 5 … 8; phrase 0 stands in rows 6 7, so places 0 and 3 are free, and the best of them count as false
    table = torch.tensor([[0.0, 9.0, 1.0, -torch.inf], [4.0, 8.0, 2.0, 3.0], [-torch.inf] * 4])
    places = Places([5, 6, 7, 8], table)
    layout = Layout((Span(0, (6, 7)),), Roles((), (), (), ()))
    assert true_and_false(places, layout) == ([9.0], [0.0, 4.0])


def test_paired_rows():
    # the new phrase has a token less and the pads one more: what has no partner is left out
    one = Layout((Span(0, (1, 2)), Span(1, (4,))), Roles((0,), (5,), (6, 7), (3,)))
    other = Layout((Span(2, (1,)), Span(1, (3,))), Roles((0,), (4,), (5, 6, 7), (2,)))
    assert paired_rows(one, other) == ([1, 4, 0, 5, 6, 7, 3], [1, 3, 0, 4, 5, 6, 2])


def read_among_other_words(learnt, made):
    """Return the share of three categories' concepts, learnt from a capture, that are read in prompts that say all."""
    dictionary = fit.fit_dictionary(made, config=QUICK)
    rng, right, all_of_them = np.random.default_rng(1), 0, 0
    for _ in range(20):
        prompt = prompts.draw_prompt(learnt.table, rng, wording=captions.WORDING, mention=0.8)
        said = {str(learnt.table.concepts[one]) for one in prompt.support(learnt.table)}
        wanted = {one for one in said if one.split(":")[0] in FEW}
        reading = readout.read_conditioning(dictionary, learnt.encoded(prompt).cond)
        right += len(wanted & {str(dictionary.table.concepts[one]) for one in reading.concepts(dictionary)})
        all_of_them += len(wanted)
    return right / all_of_them


@pytest.mark.slow
def test_concepts_are_read_among_words_of_none_if_prompts_to_learn_from_had_some(learnt, captured):
    # Of some fifty concepts one may be missed; without such words in the capture most are.
    some, none = captions.WORDING, replace(captions.WORDING, others=())
    assert read_among_other_words(learnt, captured(prompts=150, calibration=24, wording=some)) > 0.95
    assert read_among_other_words(learnt, captured(prompts=150, calibration=24, wording=none)) < 0.75
