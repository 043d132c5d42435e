"""The plan of a capture: prompts that fit the encoders, however many categories a table has."""

from dataclasses import replace

import numpy as np

from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.training.capture import CaptureConfig, plan_text

CATEGORIES = 24
PHRASES = [[f"{letter}{i} very long red hair" for letter in "abcd"] for i in range(CATEGORIES)]
TABLE = table_from_mapping({f"c{i}": {one: [one] for one in some} for i, some in enumerate(PHRASES)})


def test_of_many_categories_as_many_are_mentioned_as_fit_and_every_concept_is():
    host = PortraitsText()
    clip, *others = host.family.encoders
    host.family = replace(host.family, encoders=(replace(clip, layout=replace(clip.layout, cut=True)), *others))
    plan = plan_text(TABLE, host, CaptureConfig(prompts=200, calibration=8))
    mentioned = [len(entry.prompt.mentions) for entry in plan.entries]
    assert 3 <= np.mean(mentioned) <= 9  # of 10.5 few prompts have room for phrases so long
    for entry in plan.entries:
        host.family.require_room(entry.tokens, entry.prompt.text)
    used = {concept for entry in plan.entries if entry.set == "fit" for concept in entry.prompt.support(TABLE)}
    assert len(used) == len(TABLE) == 4 * CATEGORIES


def test_one_prompt_in_five_says_little():
    """At a rate of 1 all three categories are said; of prompts that keep u of it one is left out in 1 − u³: 3 in 4."""
    colours = ("red", "blue", "green")
    table = table_from_mapping({name: {"a": [f"{name} hair"], "b": [f"{name} hat"]} for name in colours})
    plan = plan_text(table, PortraitsText(), CaptureConfig(prompts=400, calibration=4, mention=1.0, rewrites=0))
    said = [len(entry.prompt.mentions) for entry in plan.entries if entry.set == "fit"]
    assert 35 < sum(count < 3 for count in said) < 85  # 60 of 400 ± 3.5 standard deviations of 7.1
    assert {0, 1, 2, 3} == set(said)
    assert min(len(entry.prompt.words) for entry in plan.entries) < 4
