"""The mixer's rows in a part of sampling and inside a mask, in the browser."""

import pytest
from mixer_page import RED
from page import RENDERERS

both_renderers = pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)


@both_renderers
def test_the_clock_unfolds_when_and_where_a_row_acts(open_mixer, vue):
    mixer = open_mixer(vue)
    mixer.load(RED)
    row, page = mixer.row("hair"), mixer.page
    clock, start, end = (
        row.locator(".supsae-clock"),
        page.get_by_label("hair: from"),
        page.get_by_label("hair: to", exact=True),
    )
    fade, inside = page.get_by_label("hair: fade"), row.get_by_label("inside the mask")
    assert not start.is_visible() and mixer.row("eyes").locator(".supsae-clock").is_hidden()  # nothing is done to eyes
    high = row.bounding_box()["height"]
    clock.click()
    assert start.input_value() == "0" and end.input_value() == "100" and row.bounding_box()["height"] > high
    for field, value in ((start, "30"), (end, "80"), (fade, "10")):
        field.fill(value)
        field.press("Enter")
    assert mixer.mix() == {"hair": {"say": "red", "strength": 0.8, "from": 0.3, "to": 0.8, "ramp": 0.1}}
    inside.check()
    assert mixer.mix()["hair"]["inside"] is True
    mixer.slider("hair").fill("0.9")  # other controls leave times alone
    mixer.pick("hair", "black")
    mixer.run()
    assert "no mask is connected" in row.locator(".supsae-reason").inner_text()
    inside.uncheck()
    mixer.run()
    assert mixer.verdict("hair").startswith("hair: Took")
    assert mixer.mix() == {"hair": {"say": "black", "strength": 0.9, "from": 0.3, "to": 0.8, "ramp": 0.1}}
    # what is no part of sampling is made one: an end before the start, a fade longer than half
    end.fill("10")
    end.press("Enter")
    assert (mixer.mix()["hair"]["from"], mixer.mix()["hair"]["to"]) == (0.3, 0.31)
    assert mixer.mix()["hair"]["ramp"] == 0.005
    clock.click()
    assert not start.is_visible() and "supsae-own" in clock.get_attribute("class")
    mixer.pick("hair", "leave as is")
    assert mixer.mix() == {}
