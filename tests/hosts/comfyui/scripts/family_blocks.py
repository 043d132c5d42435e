"""Blocks of other models than SD3's, tiny and random: heard, steered and captured behind their real conditionings.

``family_blocks NAME``: of BLOCKS. FLUX's blocks write to the streams that they get, its single ones hold text and
picture in one stream; Chroma and Qwen-Image have no pads; Z-Image and Krea 2 let no block be replaced, and Z-Image pads
both streams.
"""

import sys
import tempfile
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import comfy.sample
import family_text
import model_shapes
import torch
from comfy_extras.nodes_torch_compile import TorchCompileModel
from portraits_parts import vae
from script_parts import below, encode_with, equal, expect, refused

from supsae.hosts.comfyui import attention, conditionings, mapping, patching, recording, sampling, steering, transformer
from supsae.hosts.comfyui.following import followed, tagged
from supsae.hosts.comfyui.locking import Lock
from supsae.hosts.comfyui.pictures import drawing
from supsae.hosts.comfyui.steering_run import Steering
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.editing.windows import Window
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.lock import LockConfig
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture, fit
from supsae.training.recording import SamplingConfig, capture_activations, plan_activations
from supsae.training.solvers.exact import ExactConfig

SIZES = {"effect": (8, 6), "attention": (4, 3)}
"""Rows and columns of a map: latent cells, image tokens."""
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
PROMPT, RED = "a photo of a person with blond hair, green eyes", Swap("hair: red hair")

(name,) = sys.argv[1:]
clip, model = family_text.clip(name), model_shapes.build(name)
host, network = ComfyText(clip), model.model.diffusion_model
blocks = transformer.blocks_of(model.model)
single, patched = len(getattr(network, "single_blocks", ())), not blocks.unpatched
expect("blocks", [blocks.depth, blocks.joint], [2 + single, 2 if patched else 0])
expect("cells of a token", blocks.patch, 1 if name.startswith("klein") else 2)
expect("width of the text", transformer.width_of_text(model), host.family.width)
before, negative = encode_with(clip, PROMPT), encode_with(clip, "ugly")


def drawn(model, positive=before, steps=2):
    channels = model.model.latent_format.latent_channels
    latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(2, channels, 8, 6))
    noise, nothing = comfy.sample.prepare_noise(latent, 1), torch.zeros_like(latent)
    how = {"disable_pbar": True, "seed": 1}
    return comfy.sample.sample(model, noise, steps, 2.0, "euler", "simple", positive, negative, nothing, **how)


def heard(tap_at, edit=lambda on: on, steps=1):
    """Draw while taps that change nothing listen at every block, to what an edit gives it; return the picture."""
    every = range(blocks.depth)

    def through(call):
        taps = ({one: tap_at(side, one, call) for one in every} for side in ("enter", "leave"))
        return call.run(options=transformer.tapped(call.options, call.blocks, *taps))

    return drawn(edit(followed(model, through)), tagged(before, [True]), steps)  # who is called first stands inside


# --- taps hear what goes on, and change nothing --------------------------------------------------------------------

plain, streams = drawn(model), {}


def keep(side, block, call):
    def tap(values):
        streams[side, block] = {key: values[key].clone() for key in ("txt", "img")}
        return values

    return tap


equal("nothing changes", heard(keep, steps=2), plain)
for block in range(1, blocks.depth):
    for kind in ("txt", "img"):
        equal(f"{kind}@{block} is what left", streams["enter", block][kind], streams["leave", block - 1][kind])
rows = before[0][0].shape[1]
PADDED = {"klein-4b": 512, "z-image": -(-rows // 32) * 32}
widths = {one["txt"].shape[1] for one in streams.values()}
expect("rows of the text in every block", widths, {max(rows, PADDED.get(name, 0))})

# --- an edit inside is the edit outside ------------------------------------------------------------------------------

table = parse_table("hair: [blond hair, red hair]\neyes: [green eyes, blue eyes]")
bare = replace(host.wording, others=())
config = capture.CaptureConfig(prompts=24, calibration=8)
learnt = fit.fit_dictionary(
    capture.capture_text(host, tempfile.mkdtemp(), capture.plan_text(table, host, config, bare)), config=QUICK
)


def steered(sites, dictionary=learnt, inside=False):
    """Return what puts the edit on a model."""
    where = Where(parse_sites(sites), inside=inside)
    return lambda on: steering.apply_to_model(on, Steering(dictionary, (RED,), where))


edited, _ = conditionings.edit(before, learnt, [RED])
outside = [[edited[0][0], {**before[0][1]}]]  # the rows alone
wanted = drawn(model, outside)
expect("the edit shows", not torch.allclose(wanted, plain))
for sites in ("cond", "txt@0", f"txt@0-{blocks.depth - 1}"):
    below(f"{sites} is the edited prompt", float((drawn(steered(sites)(model)) - wanted).abs().max()), 1e-4)
if host.family.pooled:
    moved = drawn(model, edited)
    below("cond, pooled is the edit", float((drawn(steered("cond, pooled")(model)) - moved).abs().max()), 1e-4)

# what enters a block where an edit begins: the edited text, carried through the blocks before it beside the picture
texts = {}


def text_of(edit=lambda on: on):
    """Return the text that enters every block, of the prompt's own rows."""

    def listen(side, block, call):
        ((rows, _),) = call.own

        def tap(values):
            if (side, block) not in texts:  # what is carried beside goes through the block afterwards
                texts[side, block] = values["txt"][rows].clone()
            return values

        return tap

    texts.clear()
    heard(listen, edit)
    return [texts["enter", block] for block in range(blocks.depth)]


asked, edits_text = text_of(), text_of(steered("cond"))
for first in range(1, blocks.depth):
    late = text_of(steered(f"txt@{first}"))
    before_it = float((torch.stack(late[:first]) - torch.stack(asked[:first])).abs().max())
    below(f"txt@{first}: the prompt's text before it", before_it, 1e-5)
    # the edited prompt's own text has heard another picture before: alike, not equal
    off = (late[first] - edits_text[first]).norm() / (asked[first] - edits_text[first]).norm()
    below(f"txt@{first}: the edited prompt's text from it on", float(off), 0.2)
    if first + 1 < blocks.depth:
        out = text_of(steered(f"txt@{first}", inside=True))
        below(f"txt@{first}: in it", float((out[first] - late[first]).abs().max()), 1e-5)
        off = (out[first + 1] - asked[first + 1]).norm() / (late[first + 1] - asked[first + 1]).norm()
        below(f"txt@{first}: taken out behind it", float(off), 0.2)

# --- what does nothing, and the Lock on an edit inside ---------------------------------------------------------------

middle = f"txt@1, img@1, img@{blocks.depth}"
recorder = SimpleNamespace(sites=parse_sites(middle), attended=[[(1, 2)]] * 2, hear=lambda *_: None)
recorded = followed(model, partial(recording.hear, recorder, rows, blocks.depth))
equal("recording changes nothing", drawn(recorded, tagged(before, [True])), plain)
for sites in ("cond", "txt@0", "txt@1"):
    none = Steering(learnt, (Swap("hair: red hair", 0.0),), Where(parse_sites(sites)))
    equal(f"{sites}: strength 0 changes nothing", drawn(steering.apply_to_model(model, none)), plain)
    over = Steering(learnt, (RED,), Where(parse_sites(sites), Window(0.9999, 1.0)))
    equal(f"{sites}: a window without a step changes nothing", drawn(steering.apply_to_model(model, over)), plain)
lock = Lock(LockConfig(floor=0.0))  # what random weights make of an edit is small
inside = steered("txt@1")(model)
free, held = drawn(inside), drawn(lock.install(inside))
result = lock.result(held)
equal("the Lock's reference is the unedited picture", result.reference, plain)
out = ~result.mask.reshape(len(held), *[1] * (held.ndim - 3), *held.shape[-2:]).expand_as(held)
expect("a part may change, not all", 0 < float(out.float().mean()) < 1)
equal("locked: equal outside", held[out], plain[out])
expect("locked: other inside", not torch.equal(held, plain) and not torch.equal(free, plain))
expect("nothing is left on the network", [len(one) for one in (network._forward_hooks, model.wrappers)], [0, 0])

if name == "z-image":  # "eager" runs what Dynamo traced, which is what taps could break
    compiled = drawn(steered("txt@1")(TorchCompileModel.execute(model, "eager")[0]))
    below("compiled", float((compiled - free).norm() / (free - plain).norm()), 1e-3)
    torch._dynamo.reset()

# --- attention -------------------------------------------------------------------------------------------------------

found = {}


def hear(block, joint):
    heads = joint.heads
    q, k = (one[:1].unflatten(-1, (heads, -1)).transpose(1, 2).float() for one in (joint.q, joint.k))
    weights = (q[:, :, joint.text_rows :] @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    wanted = weights[..., 1:3].sum(-1).mean(1)
    masses = attention.masses(joint.attention, joint.q[:1], joint.k[:1], heads, [[1, 2]], joint.text_rows)[..., 0]
    found[block] = float((masses - wanted).abs().max())


def listened(call):
    return call.run(options=attention.listening(call.options, call.blocks, range(blocks.depth), hear))


drawn(followed(model, listened), tagged(before, [True]), 1)
expect("attention is heard in every block", sorted(found), list(range(blocks.depth)))
below("and is the softmax", max(found.values()), 1e-5)

# --- maps ------------------------------------------------------------------------------------------------------------


class Decoder:
    """Portraits' decoder for latents of 16 channels; a film's one frame is a picture."""

    def decode(self, latents):
        return vae.decode(latents.flatten(1, 2) if latents.ndim == 5 else latents)


if model.model.latent_format.latent_channels == 16:
    one = drawing(
        model, before, negative, Decoder(), {"samples": torch.zeros(1, 16, 8, 6)}, 1, 1, 2.0, "euler", "simple"
    )
    for method in mapping.METHODS:
        wanted = mapping.Wanted("eyes: green eyes", method, (0, blocks.depth - 1), Window(), sampling.to_sigma(model))
        mapped = mapping.concept_map(one, learnt, wanted)
        expect(
            f"{method}: shapes", [list(mapped.raw.shape), list(mapped.mask.shape)], [[1, *SIZES[method]], [1, 64, 48]]
        )
        expect(f"{method}: differs over the picture", bool(mapped.raw.std() > 0))
    last = blocks.depth - 1
    points = patching.block_map(one, learnt, [RED], (0, last), pooled=False, told=lambda number: None).points
    expect("from block 0 on it is the whole edit", [round(points[patching.FROM][0].change, 4)], [1])
    expect("from the last on it is less", points[patching.FROM][1].change < 1)

# --- capture of blocks -----------------------------------------------------------------------------------------------

sites = parse_sites(f"txt@1, img@1, img@{blocks.depth}")
pictures = recording.ComfyPictures(model, host)
how = SamplingConfig(sites, steps=2, cfg=1.5, width=32, height=32, buckets=1)
plan = plan_activations(table, host, pictures, config, how, bare)
made = capture_activations(host, pictures, tempfile.mkdtemp(), plan)
deep = fit.fit_dictionary(made, config=QUICK)
images = sorted(one for one in deep.streams if one.startswith("img"))
expect("streams", images, ["img@1/mean", f"img@{blocks.depth}/mean"])
moved = drawn(steered(f"img@1, img@{blocks.depth}", deep, inside=True)(model))
expect("an edit of the picture's tokens shows", bool(moved.isfinite().all()) and not torch.equal(moved, plain))
far = replace(how, sites=parse_sites("txt@99"))
refused("txt@99", plan_activations, table, host, pictures, config, far, bare)
