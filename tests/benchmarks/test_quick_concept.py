"""The benchmark of two poles at once, on Portraits' encoders: no figure is judged."""

import pytest

from supsae.hosts.embedded import PortraitsText
from supsae.training.quick import quick_table

pytestmark = pytest.mark.slow
POLES = ("a small dog", "a huge dog")


@pytest.fixture(scope="module")
def host():
    return PortraitsText()


def test_cases_say_the_low_pole_where_they_say_so(benchmark, host):
    own = benchmark("quick_concept")
    for asked in own.cases_of(host, quick_table(*POLES), POLES, 3):
        prompt, rewrite = asked.case.prompt, asked.case.rewrite
        (mention,) = prompt.mentions
        assert " ".join(prompt.words[mention.start : mention.stop]).rstrip(",.") == "small dog"
        assert prompt.words[mention.start - 1] == "a" and rewrite.text == prompt.text.replace("small dog", "huge dog")


def test_everyone_learns_from_the_same_pairs(benchmark, host):
    own = benchmark("quick_concept")
    made = own.measure(host, [POLES], [8], 2)
    found = made["pairs"]["8"]
    assert found["encodings"] == 2 * 8 + 2 * 8 and found["read"] <= 2  # 8 pairs to learn from, 8 to calibrate on
    assert {*own.BESIDE, *own.TOLD, "SupSAE", "replace"} <= found["methods"].keys()
    assert all(one["count"] == 2 for one in found["methods"].values())
    one = own.together(host, [POLES], 40, 2)
    assert one["encodings"] == 40 + 2 * own.CALIBRATION and one["methods"]["SupSAE"]["count"] == 2
