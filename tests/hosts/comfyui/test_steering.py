"""Apply to Model inside ComfyUI: what must be equal to the bit, what composes, and what is refused."""

import json
import re
import shutil

import pytest

PREPARE = """
    import json, sys
    import torch
    import comfy.sd
    from supsae.hosts.comfyui import comfy_host, comfy_model, conditionings as conditioning, steering
    from supsae.nodes import steer
    from supsae.hosts.comfyui.comfy_model import Sampling
    from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
    from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
    from supsae.supsae_core.encoders.sites import parse
    from supsae.supsae_core.editing.steer import Where
    from supsae.supsae_core.editing.windows import Window

    learnt = load_dictionary(sys.argv[1])
    torch.inference_mode().__enter__()
    clip = comfy_host.portraits_clip()
    weights = comfy_host.WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"
    model = comfy.sd.load_diffusion_model(str(weights))
    encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
    PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"
    plain, empty = encode(PROMPT), encode("")
    noise = comfy_model.noise_of(comfy_model.empty_latent(128, 128), 3)
    HOW = Sampling(4, 3.0)
    RED, WOOD = Swap("hair: red"), Swap("background: forest")

    def drawn(model, positive=plain, negative=empty, noise=noise, how=HOW):
        return comfy_model.sample(model, positive, negative, noise, how, 3)

    def steered(*edits, sites="cond, pooled", mask=None, on=None, **where):
        one = steering.Steering(learnt, edits, Where(parse(sites), **where), mask)
        return steering.apply_to_model(on or model, one)

    def edited(*edits, conditionings=plain):
        return conditioning.edit(conditionings, learnt, edits)[0]

    def far(one, other):
        return float((one - other).norm() / (before - drawn_red).norm())

    def error(function, *arguments, **named):
        try:
            function(*arguments, **named)
        except ValueError as sentence:
            return str(sentence)

    seen = {}
    before, drawn_red = drawn(model), drawn(model, edited(RED))
"""

SCRIPT = """
    seen["the edit is seen"] = float((before - drawn_red).abs().max()) > 0.5

    # --- equal to Apply to Conditioning ---
    seen["cond, pooled"] = torch.equal(drawn(steered(RED)), drawn_red)
    seen["two nodes are one"] = torch.equal(drawn(steered(WOOD, on=steered(RED))), drawn(model, edited(RED, WOOD)))
    seen["other order"] = torch.equal(drawn(steered(RED, on=steered(WOOD))), drawn(model, edited(RED, WOOD)))
    seen["txt@0, pooled"] = far(drawn(steered(RED, sites="txt@0, pooled")), drawn_red)
    for name, how in (("cfg 1", Sampling(4, 1.0)), ("heun", Sampling(3, 3.0, "heun"))):
        seen[name] = torch.equal(drawn(steered(RED), how=how), drawn(model, edited(RED), how=how))
    several = noise.repeat(3, 1, 1, 1)
    seen["batch"] = torch.equal(drawn(steered(RED), noise=several), drawn(model, edited(RED), noise=several))
    two = [[torch.cat([plain[0][0], encode(PROMPT.replace("blond", "black"))[0][0]]), plain[0][1]]]
    pair = noise.repeat(2, 1, 1, 1)
    seen["batch of prompts"] = torch.equal(
        drawn(steered(RED), two, noise=pair), drawn(model, edited(RED, conditionings=two), noise=pair)
    )
    long = encode("a badly drawn picture, " * 12)
    assert long[0][0].shape[1] != plain[0][0].shape[1]
    seen["unequal lengths"] = torch.equal(drawn(steered(RED), negative=long), drawn(model, edited(RED), long))
    upper, lower = plain[0], encode("black hair")[0]
    halves = [[c, {**d, "area": (8, 16, y, 0), "strength": 1.0}] for y, (c, d) in ((0, upper), (8, lower))]
    seen["regions"] = torch.equal(drawn(steered(RED), halves), drawn(model, edited(RED, conditionings=halves)))
    bold = encode(PROMPT.replace("green eyes", "(green eyes:1.2)"))
    seen["prompt weights"] = torch.equal(drawn(steered(RED), bold), drawn(model, edited(RED, conditionings=bold)))
    seen["negative too"] = torch.equal(
        drawn(steered(RED, everywhere=True), negative=encode("blond hair")),
        drawn(model, edited(RED), edited(RED, conditionings=encode("blond hair"))),
    )
    seen["negative says nothing"] = torch.equal(drawn(steered(RED, everywhere=True)), drawn_red)

    # --- with other nodes, in either order ---
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

    def double(args, extra):  # another pack's patch on a block that ours taps too
        made = extra["original_block"](args)
        return {**made, "img": made["img"] * 1.01}

    def patched(on):
        made = on.clone()
        made.set_model_patch_replace(double, "dit", "double_block", 0)
        return made

    def slg(on):
        return SkipLayerGuidanceDiT.execute(on, 3.0, 0.0, 1.0, "1")[0]

    def pag(on):
        return PerturbedAttentionGuidance.execute(on, 3.0)[0]

    def lora(on):
        weights = {}
        for name in ("x_block.attn.qkv", "context_block.mlp.fc1"):
            rows = on.model.state_dict()[f"diffusion_model.joint_blocks.0.{name}.weight"].shape
            for half, shape in (("up", (rows[0], 2)), ("down", (2, rows[1]))):
                torch.manual_seed(1)
                weights[f"diffusion_model.joint_blocks.0.{name}.lora_{half}.weight"] = 0.05 * torch.randn(shape)
        return comfy.sd.load_lora_for_models(on, None, weights, 1.0, 0.0)[0]

    for other in (patched, slg, pag, lora):
        wanted = drawn(other(model), edited(RED))
        for sites in ("cond, pooled", "txt@0, pooled"):
            ours_last = drawn(steered(RED, sites=sites, on=other(model)))
            ours_first = drawn(other(steered(RED, sites=sites)))
            seen[f"{other.__name__} {sites}"] = [
                float((wanted - drawn_red).abs().max()) > 0 or other is pag,
                torch.equal(ours_last, ours_first),
                far(ours_last, wanted),
            ]

    # a ControlNet reads the prompt before the edit is made: as if its rows were given apart
    import comfy.cldm.mmdit, comfy.controlnet, comfy.latent_formats, comfy.ops, comfy.utils, nodes

    torch.manual_seed(0)
    shape = {**model.model.model_config.unet_config, "dtype": torch.float32}
    network = comfy.cldm.mmdit.ControlNet(
        num_blocks=1, control_latent_channels=16, operations=comfy.ops.disable_weight_init, device="cpu", **shape
    )
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.05)
    control = comfy.controlnet.ControlNet(
        network, compression_ratio=1, latent_format=comfy.latent_formats.SD3(), load_device=torch.device("cpu")
    )
    file = comfy_host.WEIGHTS / "vae" / "supsae_portraits_vae.safetensors"
    vae, hint = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(file))), torch.rand(1, 128, 128, 3)
    apply = nodes.ControlNetApplyAdvanced().apply_controlnet
    with_control, without = apply(plain, empty, control, hint, 1.0, 0.0, 1.0, vae)
    rows = [[edited(RED)[0][0], {**with_control[0][1], "cross_attn_controlnet": plain[0][0]}]]
    wanted = drawn(model, rows, without)
    seen["a ControlNet acts"] = not torch.equal(wanted, drawn(model, [[rows[0][0], plain[0][1]]]))
    seen["ControlNet"] = far(drawn(steered(RED, sites="cond"), with_control, without), wanted)

    tuned = clip.clone()  # as a LoRA on the text encoders changes them
    name = next(key for key in tuned.get_key_patches() if key.endswith("weight") and "causal" in key)
    weight = tuned.get_key_patches()[name][0]
    weight = weight[0] if isinstance(weight, tuple) else weight
    assert tuned.add_patches({name: ("diff", (0.01 * torch.randn_like(weight),))}, 1.0)
    other = tuned.encode_from_tokens_scheduled(tuned.tokenize(PROMPT))
    seen["a LoRA on the text encoders acts"] = not torch.equal(other[0][0], plain[0][0])
    seen["LoRA on the text encoders"] = torch.equal(
        drawn(steered(RED), other), drawn(model, edited(RED, conditionings=other))
    )

    # --- when and how far ---
    def windowed(start, end, sites="cond, pooled", **more):
        return drawn(steered(RED, sites=sites, window=Window(start, end), **more))

    quarter = model.get_model_object("model_sampling").percent_to_sigma
    late = windowed(0.5, 1.0)
    seen["late is in between"] = 0 < far(late, before) < 1
    seen["two halves are a whole"] = torch.equal(
        drawn(steered(RED, window=Window(0.5, 1.0), on=steered(RED, window=Window(0.0, 0.5)))), drawn_red
    )
    seen["between two steps nothing happens"] = torch.equal(windowed(0.001, 0.002), before)
    seen["inside one block is less"] = far(windowed(0, 1, "txt@0", inside=True), windowed(0, 1, "txt@0"))
    seen["inside all blocks is all"] = torch.equal(windowed(0, 1, "txt@0-2", inside=True), windowed(0, 1, "txt@0-2"))

    # --- nothing changes nothing ---
    import itertools
    mask = torch.ones(1, 64, 64)
    zero, same = Swap("hair: red", 0.0), Swap("hair: blond")
    options = itertools.product(
        ("cond, pooled", "cond", "pooled", "txt@0-2"), (Window(), Window(0.2, 0.8, 0.1)), (False, True), (False, True),
        (None, mask[0]),
    )
    short = Sampling(2, 3.0)
    nothing = drawn(model, how=short)
    names = ("sites", "window", "everywhere", "inside", "mask")
    chosen = [dict(zip(names, one)) for one in options]
    left = [str(one) for one in chosen if not torch.equal(drawn(steered(zero, **one), how=short), nothing)]
    seen["no-ops that are none"] = left
    seen["a swap for itself"] = torch.equal(drawn(steered(same), how=short), nothing)

    # --- codes of deeper blocks and of the image stream: what is added is what the core says, where it says ---
    from dataclasses import replace
    from supsae.supsae_core.reading import readout
    from supsae.supsae_core.editing import steer as core_steer
    from supsae.supsae_core.dictionary.model import Codes
    from supsae.supsae_core.editing import edits as core_edits

    def codes(slots, groups, seed):
        torch.manual_seed(seed)
        K, r, d = len(learnt.table), 4, 192
        part = learnt.parts["t5"]
        return Codes(
            torch.zeros(d), torch.randn(r, d), torch.randn(slots, part.constant.shape[1], r), torch.randn(groups, K, r),
            torch.zeros(slots, K, r), torch.zeros(slots, K),
            part.lengths[:slots] if slots > 1 else torch.ones(1).long(),
            part.group[:slots] if slots > 1 else torch.zeros(1).long(), torch.ones(K),
        )

    part = learnt.parts["t5"]
    slots, groups = len(part.lengths), len(part.shared)
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

        def watch(executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options={}, **more):
            tap = lambda values: found.append((float(t.max()), transformer_options["cond_or_uncond"], values)) or values
            taps = comfy_model.Taps(*({block: tap} if when == side else {} for side in ("enter", "leave")))
            return executor(x, t, c_concat, c_crossattn, control, comfy_model.tapped(transformer_options, taps), **more)

        made = model.clone() if when == "enter" else edit(model).clone()
        made.add_wrapper_with_key("apply_model", "watch", watch)  # what is installed last stands outside
        drawn(edit(made) if when == "enter" else made, how=Sampling(1, 3.0))  # one call: the very same stream
        ((sigma, lists, values),) = found
        return sigma, lists.index(0), values

    reading = readout.read(learnt, plain[0][0][0])
    found = core_edits.changes(learnt, [RED], reading.concepts(learnt))

    def deeply(sites, mask=None):
        return lambda on: steering.apply_to_model(on, steering.Steering(deep, (RED,), Where(parse(sites)), mask))

    for sites, block, when, kind in (
        ("txt@1", 1, "enter", "txt"), ("img@2", 2, "enter", "img"), ("img@3", 2, "leave", "img"),
    ):
        sigma, row, without = watched(block, when)
        _, _, with_edit = watched(block, when, deeply(sites))
        moves = core_steer.moves(deep, reading, found, Where(parse(sites)))
        (levels,) = moves.streams.values()
        wanted = core_steer.at_level(levels, deep.centres, sigma).expand_as(without[kind][row])
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

    # --- refused ---
    run = lambda *edits, **named: drawn(steered(*edits, **named), how=short)
    how = (0.0, 1.0, 0.0, "positive", "to the last block")
    node = lambda sites, model=model, mask=None: steer.ApplyToModel.execute(model, learnt, (RED,), sites, *how, mask)
    seen["refused"] = {
        "block": error(node, "txt@3"), "img block": error(node, "img@4"), "spelling": error(node, "txt@x"),
        "no part": error(node, "txt@1"), "twice": error(node, "cond, txt@0"),
        "masks": error(node, "cond", mask=torch.ones(2, 8, 8)),
        "not said": error(run, Remove("hat: crown")), "unknown": error(run, Swap("hair: rde")),
        "two": error(run, RED, Swap("hair: black")),
    }

    class Flux:
        pass

    class Other:
        model = Flux()

    seen["refused"]["family"] = error(node, "cond", model=Other())
    mask_and_area = lambda: drawn(steered(RED, mask=mask[0]), halves, how=short)
    seen["refused"]["mask and area"] = error(mask_and_area)
    seen["usable after an error"] = torch.equal(drawn(steered(RED)), drawn_red)

    # --- nothing left behind ---
    seen["model unchanged"] = torch.equal(drawn(model), before) and not model.attachments and not model.wrappers
    seen["no state on the clone"] = "supsae" not in steered(RED).model_options.get("transformer_options", {})
"""
EQUAL = [
    "the edit is seen", "a ControlNet acts", "a LoRA on the text encoders acts",
    "LoRA on the text encoders", "cond, pooled", "two nodes are one", "other order", "cfg 1", "heun", "batch",
    "batch of prompts", "unequal lengths", "regions", "prompt weights", "negative too", "negative says nothing",
    "model unchanged", "no state on the clone", "late is in between", "two halves are a whole",
    "between two steps nothing happens", "inside all blocks is all", "a swap for itself", "usable after an error",
]  # fmt: skip


@pytest.fixture(scope="module")
def dictionary_file(tmp_path_factory, learnt):
    from supsae.supsae_core.dictionary.file import save_dictionary

    file = tmp_path_factory.mktemp("dictionary") / "learnt.safetensors"
    save_dictionary(learnt.dictionary, file)
    return file


@pytest.fixture(scope="module")
def seen(comfy_python, dictionary_file):
    return json.loads(comfy_python(PREPARE + SCRIPT + "    print(json.dumps(seen))", dictionary_file).splitlines()[-1])


@pytest.mark.parametrize("case", EQUAL)
def test_equal_to_the_bit(seen, case):
    assert seen[case] is True


def test_a_controlnet_sees_the_unedited_prompt(seen):
    assert seen["ControlNet"] < 1e-3  # given apart, the rows are not batched with the negative's


def test_the_text_stream_entering_block_0_is_the_prompt(seen):
    assert seen["txt@0, pooled"] < 1e-3


@pytest.mark.parametrize("other", ["patched", "slg", "pag", "lora"])
@pytest.mark.parametrize("sites", ["cond, pooled", "txt@0, pooled"])
def test_other_nodes_in_either_order(seen, other, sites):
    acts, same, far = seen[f"{other} {sites}"]
    assert acts and same
    assert far < 1e-3


def test_every_no_op_is_one(seen):
    assert seen["no-ops that are none"] == []


def test_taken_out_behind_the_block_an_edit_does_less(seen):
    assert 0.01 < seen["inside one block is less"] < 1.5


@pytest.mark.parametrize("sites", ["txt@1", "img@2", "img@3"])
def test_a_stream_gets_what_the_core_says_in_the_positive_rows_alone(seen, sites):
    off, negative, something = seen[sites]
    assert off < 1e-5 and negative == 0 and something


def test_a_mask_confines_the_image_stream(seen):
    inside, outside = seen["mask"]
    assert inside and outside == 0


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("block", "no txt@3: this model has 3 blocks, so txt@0 … txt@2"),
        ("img block", "no img@4: this model has 3 blocks, so img@0 … img@3"),
        ("spelling", "no site 'txt@x'"),
        ("no part", "nothing for txt@1; it has cond, pooled, txt@0"),
        ("twice", "cond reaches every block already, so txt@0 would make the edit twice"),
        ("masks", r"mask has the shape \(2, 8, 8\)"),
        ("not said", "Cannot remove 'hat: crown'"),
        ("unknown", "Did you mean 'hair: red'"),
        ("two", "Two edits .* change 'hair'"),
        ("family", "This model is Flux"),
        ("mask and area", "mask of the whole picture cannot be laid over"),
    ],
)
def test_refused(seen, case, sentence):
    assert re.search(sentence, seen["refused"][case])


COMPILED = """
    from comfy_extras.nodes_torch_compile import TorchCompileModel

    how = Sampling(2, 3.0)
    wanted, nothing = drawn(model, edited(RED), how=how), drawn(model, how=how)
    for sites in ("cond, pooled", "txt@0, pooled"):
        ours_first = TorchCompileModel.execute(steered(RED, sites=sites), "inductor")[0]
        ours_last = steered(RED, sites=sites, on=TorchCompileModel.execute(model, "inductor")[0])
        seen[sites] = [
            float((drawn(one, how=how) - wanted).norm() / (wanted - nothing).norm()) for one in (ours_first, ours_last)
        ]
    print(json.dumps(seen))
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ to compile for a CPU")
def test_a_compiled_model_draws_the_same_edit(comfy_python, dictionary_file):
    seen = json.loads(comfy_python(PREPARE + COMPILED, dictionary_file).splitlines()[-1])
    assert len(seen) == 2 and all(far < 1e-3 for both in seen.values() for far in both)
