"""Edits on a model in deeper blocks and in the image stream: what is added is what the core says, where it says."""

from dataclasses import replace

import torch
from script_parts import tell
from steering_parts import (
    RED,
    drawn,
    learnt,
    model,
    plain,
)

from supsae.hosts.comfyui import steering, transformer
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.steering_run import Steering
from supsae.hosts.models import SD3
from supsae.supsae_core.dictionary.model import Codes
from supsae.supsae_core.editing.edits import resolve_edits
from supsae.supsae_core.editing.steer import Where, at_level, moves
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading import readout

seen = {}


def codes(slots, groups, seed):
    torch.manual_seed(seed)
    K, r, d = len(learnt.table), 4, 192
    part = learnt.parts["t5"]
    return Codes(
        torch.zeros(d),
        torch.randn(r, d),
        torch.randn(slots, part.slot_codes.shape[1], r),
        torch.randn(groups, K, r),
        torch.zeros(slots, K, r),
        torch.zeros(slots, K),
        part.slot_tokens[:slots] if slots > 1 else torch.ones(1).long(),
        part.slot_groups[:slots] if slots > 1 else torch.zeros(1).long(),
        torch.ones(K),
    )


part = learnt.parts["t5"]
slots, groups = len(part.slot_tokens), len(part.group_effects)
deep = replace(
    learnt,
    streams={
        "txt@1/clip": (codes(slots, groups, 0), codes(slots, groups, 1)),
        "txt@1/t5": (codes(slots, groups, 2), codes(slots, groups, 3)),
        "img@2/mean": (codes(1, 1, 4), codes(1, 1, 5)),
        "img@3/mean": (codes(1, 1, 6), codes(1, 1, 7)),
    },
    centres=(0.9, 0.3),
)


def watched(block, when, edit=lambda on: on):
    # What a patch between ours and the block sees enter it, or one around ours sees leave it, in one call.
    found = []

    def watch(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **more):
        options = transformer_options or {}

        def tap(values):
            found.append((float(t.max()), options["cond_or_uncond"], values))
            return values

        taps = [{block: tap} if when == side else {} for side in ("enter", "leave")]
        return executor(x, t, c_concat, c_crossattn, control, transformer.tapped(options, SD3, *taps), **more)

    made = model.clone() if when == "enter" else edit(model).clone()
    made.add_wrapper_with_key("apply_model", "watch", watch)  # what is installed last stands outside
    drawn(edit(made) if when == "enter" else made, how=SamplerSettings(1, 3.0))  # one call: the very same stream
    ((sigma, lists, values),) = found
    return sigma, lists.index(0), values


reading = readout.read_conditioning(learnt, plain[0][0][0])
found = resolve_edits(learnt, [RED], reading.concepts(learnt))


def deeply(sites, mask=None):
    return lambda on: steering.apply_to_model(on, Steering(deep, (RED,), Where(parse_sites(sites)), mask))


for sites, block, when, kind in (
    ("txt@1", 1, "enter", "txt"),
    ("img@2", 2, "enter", "img"),
    ("img@3", 2, "leave", "img"),
):
    sigma, row, without = watched(block, when)
    _, _, with_edit = watched(block, when, deeply(sites))
    moved_by = moves(deep, reading, found, Where(parse_sites(sites)))
    (levels,) = moved_by.streams.values()
    wanted = at_level(levels, deep.centres, sigma).expand_as(without[kind][row])
    moved = with_edit[kind] - without[kind]
    seen[sites] = [
        float((moved[row] - wanted).abs().max() / wanted.abs().max()),
        float(moved[1 - row].abs().max()),
        float(wanted.abs().max()) > 0.1,
    ]
left_half = torch.zeros(40, 40)
left_half[:, :20] = 1
_, row, masked = watched(2, "enter", deeply("img@2", left_half))
_, _, without = watched(2, "enter")
moved = (masked["img"] - without["img"])[row].abs().amax(-1).view(8, 8)
seen["mask"] = [float(moved[:, :4].min()) > 0, float(moved[:, 4:].max())]


tell(seen)
