"""The report that tells whether a dictionary was learnt."""

from dataclasses import replace

from supsae.evaluation.report.describe import describe


def test_report_says_what_was_measured(learnt):
    text, report = describe(learnt.dictionary), learnt.dictionary.report
    assert text.startswith("28 concepts in 8 categories, format 'portraits'")
    for name, measured in report["parts"].items():
        line = next(line for line in text.splitlines() if line.strip().startswith(name))
        assert f"{measured['fvu_slot']:.3f} of what its context does" in line and f"rank {measured['rank']:.0f}" in line
    assert f"{report['locate']:.1%}" in text
    assert "Everything is identified" in text


def test_report_says_what_is_not_identified_and_why(learnt):
    first = next(iter(learnt.table.categories))
    unknown = replace(
        learnt.dictionary,
        identified=(False, *learnt.dictionary.identified[1:]),
        report={**learnt.dictionary.report, "never_captured": ["hair: red"], "poorly_learnt": ["eyes: blue"]},
    )
    text = describe(unknown)
    assert f"adding and removing in {first}. Every captured prompt mentions" in text
    assert "hair: red. No captured prompt wrote" in text
    assert "1.25): eyes: blue" in text
    assert "Everything is identified" not in text


def test_report_says_what_an_edit_will_miss(learnt):
    report = {**learnt.dictionary.report, "found": {"hair: red": 0.49, "hair: blond": 0.5}}
    text = describe(replace(learnt.dictionary, report=report))
    assert "Seldom found again: hair: red. Where" in text


def test_report_of_a_bare_dictionary_leaves_out_what_it_does_not_know(learnt):
    text = describe(replace(learnt.dictionary, report={}, provenance={}))
    assert "28 concepts" in text and "Held-out" not in text and "learnt from" not in text
