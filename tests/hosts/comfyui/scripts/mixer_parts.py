"""Concept Mixer's rows in a part of sampling and inside a mask: what ComfyUI's own nodes make of the same entries."""

import json

import portraits_parts
import torch
from lock_parts import locked
from portraits_parts import RED, WOOD, edited, encode, learnt, model, plain, said, steered
from script_parts import below, equal, expect

import nodes
from supsae.hosts.comfyui.mixing import mix_conditioning, mix_model
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.editing.edits import Remove, Swap
from supsae.supsae_core.editing.windows import Window

HOW = SamplerSettings(5, 3.0)
HALF = torch.zeros(1, 8, 8)
HALF[..., :4] = 1


def drawn(positive=plain, on=model):
    return portraits_parts.drawn(on, positive, how=HOW)


def mixed(rows, conditioning=plain, **more):
    return mix_conditioning(conditioning, learnt, json.dumps({"version": 1, "mix": rows}), **more)


def row(say="red", **more):
    return {"say": say, **more}


red, both = edited(RED), edited(RED, WOOD)
core = nodes.ConditioningSetTimestepRange(), nodes.ConditioningSetMask(), nodes.ConditioningCombine()
timed, masked, combined = core[0].set_range, core[1].append, core[2].combine


def together(*parts):
    return sum((part[0] for part in parts), [])


# --- in a part of sampling ---
equal("all of it", mixed({"hair": row()}).output[0][0], red[0][0])
expect("all of it is one entry", len(mixed({"hair": row(**{"from": 0.0, "to": 1.0})}).output), 1)
made = mixed({"hair": row(**{"from": 0.3})})
expect("when is told", made.report.splitlines()[-1], "hair acts from 30% to 100% of sampling alone.")
late = made.output
expect("two entries", [(one["start_percent"], one["end_percent"]) for _, one in late], [(0, 0.3), (0.3, 1)])
wanted = together(timed(plain, 0.0, 0.3), timed(red, 0.3, 1.0))
equal("late: as the core's nodes", drawn(late), drawn(wanted))
early = mixed({"hair": row(to=0.6), "background": row("forest")}).output
wanted = together(timed(both, 0.0, 0.6), timed(edited(WOOD), 0.6, 1.0))
equal("one early, one always", drawn(early), drawn(wanted))
fading = mixed({"hair": row(**{"from": 0.2, "ramp": 0.4})}).output
expect("a ramp has steps", len(fading), 6)
expect("and is like neither", all(not torch.equal(drawn(fading), drawn(one)) for one in (plain, red)))

# --- inside a mask ---
made = mixed({"hair": row(inside=True)}, mask=HALF)
expect("where is told", made.report.splitlines()[-1], "hair acts inside the mask alone.")
inside = made.output
wanted = together(masked(red, HALF, "default", 1.0), masked(plain, 1 - HALF, "default", 1.0))
equal("inside: as the core's nodes", drawn(inside), drawn(wanted))
before, after = drawn(plain), drawn(red)
below(
    "everywhere inside",
    float((drawn(mixed({"hair": row(inside=True)}, mask=HALF * 0 + 1).output) - after).abs().max()),
    1e-4,
)
below(
    "nowhere inside", float((drawn(mixed({"hair": row(inside=True)}, mask=HALF * 0).output) - before).abs().max()), 1e-4
)
off = (drawn(inside) - before).abs().mean((0, 1, 2))
below("the other half changes less", float(off[4:].mean() / off[:4].mean()), 0.5)
beside = mixed({"hair": row(inside=True), "background": row("forest")}, mask=HALF[0]).output
wanted = together(masked(both, HALF, "default", 1.0), masked(edited(WOOD), 1 - HALF, "default", 1.0))
equal("one inside, one everywhere", drawn(beside), drawn(wanted))
own = masked(plain, 1 - HALF, "default", 1.0)[0]
((_, here), (_, there)) = mixed({"hair": row(inside=True)}, own, mask=torch.ones(1, 16, 16)).output
equal("within the entry's own mask", torch.stack([here["mask"], there["mask"]]), torch.stack([1 - HALF, HALF * 0]))
found = mixed({"hair": row(inside=True)})
expect(
    "without a mask it is left out",
    found.panel["left_out"],
    {"hair": "it is to act inside a mask, and no mask is connected."},
)
equal("and the prompt is as it was", found.output[0][0], plain[0][0])

# --- what the Lock makes of it ---
for what, positive in {
    "late": late,
    "two times": mixed({"hair": row(to=0.6), "background": row("forest", **{"from": 0.3})}).output,
}.items():
    lock, made = locked()
    result = lock.result(drawn(positive, made))
    equal(f"{what}: the reference is the unedited picture", result.reference, before)
    expect(f"{what}: something is held", 0 < float(result.mask.float().mean()) < 1)
expect(
    "each edit goes by what was asked",
    [one.name for one in result.told],
    ["swap hair: red (strength 1)", "swap background: forest (strength 1)"],
)

# --- on a model ---
told = []
on = mix_model(
    model,
    learnt,
    json.dumps(
        {
            "version": 1,
            "mix": {"hair": row(**{"from": 0.3}), "background": row("forest"), "eyes": row("blue", inside=True)},
        }
    ),
    told.append,
).output
wanted = steered(WOOD, on=steered(RED, window=Window(0.3, 1.0)))
equal("as Apply Edits in a part of sampling", drawn(on=on), drawn(on=wanted))
expect("told once, of all", len(told) == 1 and sorted(told[0]["prompts"][0]["verdicts"]) == ["background", "hair"])
expect("what has no place is left out", "connect the conditioning" in told[0]["left_out"]["eyes"])

# --- edits that are connected ---
found = mixed({"hair": row("blond"), "background": row("forest")}, more=(Swap("hair: red", 0.7),))
equal("made in the place of a row", found.output[0][0], edited(WOOD, Swap("hair: red", 0.7))[0][0])
expect(
    "which says so",
    found.panel["left_out"],
    {"hair": "an edit that is connected is made instead: swap hair: red (strength 0.7)."},
)

# --- the negative prompt ---
against = encode("ugly, red hair, a top hat")
found = mixed({"hair": row(), "eyes": row("blue")}, negative=against)
expect("what is asked for is taken out, nothing else", said(found.negative[0]), "hat: top hat")
expect("and said", "The negative prompt said hair: red, which is asked for: taken out." in found.report.splitlines())
((gone, _),) = edited(Remove("hair: red"), of=against)
equal("as Apply Edits removes it", found.negative[0][0], gone)
for rows in ({"hair": row("black")}, {"hair": row(strength=0)}, {"hat": {"say": None}}, {}):
    expect(f"nothing asked for stands there: {rows}", mixed(rows, negative=against).negative is against)
for nothing in (encode("ugly"), [[gone * 0, plain[0][1]]]):
    expect("a negative that says nothing", mixed({"hair": row()}, negative=nothing).negative is nothing)
both_ends = {"hair": {"between": ["blond", "red"], "position": 1}}
expect("both ends", said(mixed(both_ends, negative=encode("red hair")).negative[0]), said(encode("ugly")[0]))
lock, made = locked()
found = mixed({"hair": row()}, negative=against)
result = lock.result(portraits_parts.drawn(made, found.output, found.negative, how=HOW))
equal(
    "the Lock's reference has the negative as it was",
    result.reference,
    portraits_parts.drawn(model, plain, against, how=HOW),
)
told.clear()
made = mix_model(model, learnt, json.dumps({"version": 1, "mix": {"hair": row()}}), told.append, negative=against)
equal("beside a model", made.negative[0][0], gone)
