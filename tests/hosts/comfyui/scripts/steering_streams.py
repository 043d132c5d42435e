"""Edits on a model in deeper blocks and in the image stream: what is added is what the core says, where it says."""

from dataclasses import replace

import torch
from portraits_parts import RED, drawn, learnt, model, plain
from script_parts import below, between, equal, expect

from supsae.hosts.comfyui import steering, transformer
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.hosts.comfyui.steering_run import Steering
from supsae.supsae_core.dictionary.model import Codes
from supsae.supsae_core.editing.edits import resolve_edits
from supsae.supsae_core.editing.steer import Where, at_level, moves
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading import readout

part = learnt.parts["t5"]
IMAGE = 1, 1, torch.ones(1).long(), torch.zeros(1).long()


def codes(seed, slots, groups, tokens, own):
    """Return random codes of a stream 192 wide: 4 numbers a code."""
    torch.manual_seed(seed)
    K, r, d, lengths = len(learnt.table), 4, 192, part.slot_codes.shape[1]
    drawn = (torch.randn(size) for size in ((r, d), (slots, lengths, r), (groups, K, r)))
    nothing = torch.zeros(slots, K, r), torch.zeros(slots, K)
    return Codes(torch.zeros(d), *drawn, *nothing, tokens, own, torch.ones(K))


deep = replace(
    learnt,
    streams={
        "img@2/mean": (codes(4, *IMAGE), codes(5, *IMAGE)),
        "img@3/mean": (codes(6, *IMAGE), codes(7, *IMAGE)),
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
        return executor(
            x,
            t,
            c_concat,
            c_crossattn,
            control,
            transformer.tapped(options, transformer.blocks_of(model.model), *taps),
            **more,
        )

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
    ("img@2", 2, "enter", "img"),
    ("img@3", 2, "leave", "img"),
):
    sigma, row, without = watched(block, when)
    _, _, with_edit = watched(block, when, deeply(sites))
    moved_by = moves(deep, plain[0][0][0], reading, found, Where(parse_sites(sites)))
    (levels,) = moved_by.streams.values()
    wanted = at_level(levels, deep.centres, sigma).expand_as(without[kind][row])
    moved = with_edit[kind] - without[kind]
    below(f"{sites} moves as the core says", float((moved[row] - wanted).abs().max() / wanted.abs().max()), 1e-5)
    expect(f"{sites} leaves the negative rows", float(moved[1 - row].abs().max()), 0)
    between(f"{sites} is asked for something", 0.1, float(wanted.abs().max()), 1e3)
# The text entering block 1 is that of an edited conditioning, whose picture is the same in block 0; this picture has
# not heard it.
_, row, unedited = watched(1, "enter")
_, _, of_cond = watched(1, "enter", deeply("cond"))
_, _, carried = watched(1, "enter", deeply("txt@1"))
far = (of_cond["txt"] - unedited["txt"]).abs().max()
below("txt@1 is the edited prompt's text", float((carried["txt"] - of_cond["txt"]).abs().max() / far), 1e-5)
equal("txt@1 leaves the picture", carried["img"], unedited["img"])
expect("txt@1 leaves the negative rows", float((carried["txt"] - unedited["txt"])[1 - row].abs().max()), 0)
expect("an edited prompt is heard", not torch.equal(of_cond["img"], unedited["img"]))
left_half = torch.zeros(40, 40)
left_half[:, :20] = 1
_, row, masked = watched(2, "enter", deeply("img@2", left_half))
_, _, without = watched(2, "enter")
moved = (masked["img"] - without["img"])[row].abs().amax(-1).view(4, 4)  # 64 pixels
expect("a mask lets through", bool((moved[:, :2] > 0).all()))
expect("a mask holds", float(moved[:, 2:].max()), 0)
