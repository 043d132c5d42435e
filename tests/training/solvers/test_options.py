"""Options as a person types them."""

import pytest

from supsae.training.solvers.adam import AdamConfig
from supsae.training.solvers.exact import ExactConfig
from supsae.training.solvers.options import option_lines, parse_options

EXACT, ADAM = ExactConfig(), AdamConfig()


@pytest.mark.parametrize(
    ("defaults", "given", "wanted"),
    [
        (EXACT, [], EXACT),
        (EXACT, ["rank=64"], ExactConfig(rank=64)),
        (ExactConfig(rank=3), [" rank = none "], EXACT),
        (EXACT, ["own_ridges=3, 1e2", "widths=8,16"], ExactConfig(own_ridges=(3.0, 100.0), widths=(8, 16))),
        (ExactConfig(widths=(8,)), ["widths="], EXACT),
        (ADAM, ["rate=1e-3", "seed=-1"], AdamConfig(rate=0.001, seed=-1)),
    ],
)
def test_options_are_read(defaults, given, wanted):
    assert parse_options(defaults, given) == wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["rank"], "'rank' has no value. Write it as NAME=VALUE, such as common_ridges=10,1e.12"),
        (["rnak=3"], "no option 'rnak' .* Options are: common_ridges, .*, widths. Did you mean 'rank'"),
        (["rank=1", "rank=2"], "'rank' is given twice"),
        (["rank=1.5"], "'rank' is '1.5'. It takes a whole number, or none"),
        (["own_ridges=3,,4"], "'own_ridges' is '3,,4'. It takes numbers, with commas between them"),
        (["own_ridges=nan"], "'own_ridges' is 'nan'"),
        (["own_ridges=-1"], "own_ridges is .-1.0,.. It takes one number or more, each above 0"),
        (["own_ridges="], "own_ridges is .*one number or more"),
        (["rank=0"], "must be at least 1"),
    ],
)
def test_what_will_not_do_is_said(given, said):
    with pytest.raises(ValueError, match=said):
        parse_options(EXACT, given)


def test_options_are_listed_with_what_they_do():
    assert list(option_lines(AdamConfig(rank=3)))[0] == "rank=3  code width"
    assert "rank=none" in "\n".join(option_lines(EXACT))
