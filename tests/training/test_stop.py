"""Stop is asked for all through long work, and what it raises comes out of it."""

from dataclasses import replace
from typing import NamedTuple

import pytest

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core import stopping
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.training import capture, fit
from supsae.training.solvers.exact import ExactConfig


class Stopped(Exception):
    """What a host raises; no ValueError, so that nobody takes it for bad input."""


@pytest.fixture
def stop_at():
    """Return what sets after how many questions the answer is Stop, and the number of questions so far."""
    asked = [0]

    def after(count):
        def ask():
            asked[0] += 1
            if asked[0] == count:
                raise Stopped

        asked[0] = 0
        stopping.ask_with(ask)
        return asked

    yield after
    stopping.ask_with(stopping._go_on)


def test_what_was_asked_before_is_given_back():
    before = stopping.ask_with(lambda: None)
    assert stopping.ask_with(before) is not before


JOBS = {
    # one question a prompt: 40 prompts of 10 roots with three rewrites each, and 8 to calibrate with
    "draw": (lambda it: capture.plan_text(it.table, it.host, CONFIG, captions.WORDING), 10 + 8),
    # one a prompt while sums are gathered (40), and two looks or more at each of the 16 others, in two encoders
    "fit": (lambda it: fit.fit_dictionary(it.capture, config=QUICK), 40 + 4 * 16),
}
CONFIG = capture.CaptureConfig(prompts=40, calibration=8, rewrites=3)
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges."""


class Few(NamedTuple):
    table: ConceptTable
    host: PortraitsText
    capture: Capture


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Portraits' encoders, and a capture of as many prompts without rewrites."""
    table, host = captions.table(), PortraitsText()
    plan = capture.plan_text(table, host, replace(CONFIG, rewrites=0), captions.WORDING)
    return Few(table, host, capture.capture_text(host, tmp_path_factory.mktemp("few") / "capture", plan))


@pytest.mark.slow
@pytest.mark.parametrize(("job", "questions"), JOBS.values(), ids=JOBS)
def test_long_work_asks_at_every_prompt_and_is_stopped_anywhere(few, stop_at, job, questions):
    asked = stop_at(10**9)
    job(few)
    assert asked[0] >= questions
    for count in (1, asked[0] // 2, asked[0]):
        stop_at(count)
        with pytest.raises(Stopped):
            job(few)
