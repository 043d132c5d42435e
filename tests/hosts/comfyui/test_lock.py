"""The Lock inside ComfyUI: every sampler equal to the reference outside the mask, what is cached, refused and left."""

import json

import pytest
import torch
from safetensors.torch import load_file

from supsae.hosts import locked
from supsae.hosts.diffusers import studio, transformer
from supsae.portraits.vae import LATENT_SCALE, LATENT_SHIFT
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.lock import LockConfig

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"

PREPARE = """
    import json
    import sys
    import torch
    import comfy.samplers, comfy.sd, comfy.utils
    from supsae.hosts.comfyui import comfy_host, comfy_model, conditionings as conditioning, locking, steering
    from supsae.nodes import lock
    from supsae.hosts.comfyui.comfy_model import Sampling
    from supsae.supsae_core.dictionary.file import load_dictionary
    from supsae.supsae_core.editing.edits import Swap
    from supsae.supsae_core.lock import LockConfig
    from supsae.supsae_core.encoders.sites import parse
    from supsae.supsae_core.editing.steer import Where

    torch.inference_mode().__enter__()
    WEIGHTS = comfy_host.WEIGHTS
    learnt = load_dictionary(WEIGHTS / "supsae" / "portraits.safetensors")
    clip = comfy_host.portraits_clip()
    model = comfy.sd.load_diffusion_model(str(WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(WEIGHTS / "vae" / "supsae_portraits_vae.safetensors")))
    encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
    RED = Swap("hair: red")
    plain, empty = encode(sys.argv[2]), encode("")
    red = lambda conditionings: conditioning.edit(conditionings, learnt, [RED])[0]
    edited = red(plain)
    noise = comfy_model.noise_of(comfy_model.empty_latent(64, 64), 3)
    HOW = Sampling(3, 3.0)
    CONFIG = LockConfig()

    def drawn(model, positive=edited, negative=empty, noise=noise, how=HOW, seed=3):
        return comfy_model.sample(model, positive, negative, noise, how, seed)

    def steered(on, edit=RED):
        return steering.apply_to_model(on, steering.Steering(learnt, (edit,), Where(parse("cond, pooled"))))

    def outside(result, one, other):
        left = ~result.mask[:, None].expand_as(one)
        return bool(left.any()) and torch.equal(one[left], other[left])

    # how often the model is called, and what each run of the sampler gave, before the lock puts the two together
    calls, passes = [], []

    def count(executor, *args, **kwargs):
        calls.append(float(args[1].max()))
        return executor(*args, **kwargs)

    def watch(executor, *args, **kwargs):
        passes.append(executor(*args, **kwargs))
        return passes[-1]

    def watched(model):
        made = model.clone()
        made.add_wrapper_with_key("apply_model", "count", count)
        made.add_wrapper_with_key("outer_sample", "watch", watch)
        return made

    def locked(config=CONFIG, allowed=None, on=model, progress=None):
        held = locking.Lock(config, allowed, progress)
        return held, watched(held.install(on))

    def holds(on=model, reference=model, positive=edited, before=plain, **how):
        '''Draw under a lock; tell whether it is what a lock promises, and how much of the picture is held.'''
        passes.clear()
        held, made = locked(on=on)
        picture, unedited = drawn(made, positive, **how), drawn(reference, before, **how)
        result = held.result(picture)
        return [
            torch.equal(result.reference, unedited),
            outside(result, picture, unedited),
            outside(result, passes[1], passes[0]),  # already so before the last blend: the runs kept in step
            bool((picture != unedited).any()) and 0 < float(result.mask.float().mean()) < 1,
        ]

    def error(function, *arguments, **named):
        try:
            function(*arguments, **named)
        except ValueError as sentence:
            return str(sentence)

    seen, free = {}, drawn(model)
"""

SAMPLERS = """
    names = [name for name in comfy.samplers.SAMPLER_NAMES if "adaptive" not in name]
    seen["samplers"] = {name: holds(how=Sampling(4, 3.0, name)) for name in names}
"""

SETTINGS = """
    several = comfy_model.noise_of(torch.zeros(3, 16, 8, 8), 5)
    long = encode("a badly drawn picture, " * 12)
    two = [[torch.cat([plain[0][0], encode("black hair, a hat")[0][0]]), plain[0][1]]]
    halves = [
        [c, {**d, "area": (4, 8, y, 0), "strength": 1.0}] for y, (c, d) in ((0, plain[0]), (4, encode("black hair")[0]))
    ]
    seen["batch"] = holds(noise=several)
    seen["batch of prompts"] = holds(positive=red(two), before=two, noise=several[:2])
    seen["cfg 1"] = holds(how=Sampling(3, 1.0))
    seen["unequal lengths"] = holds(negative=long)
    seen["regions"] = holds(positive=red(halves), before=halves)
    seen["edited twice"] = holds(positive=conditioning.edit(edited, learnt, [Swap("background: forest")])[0])

    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
    skipped = SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0]
    seen["skip-layer guidance"] = holds(on=skipped, reference=skipped)

    import comfy.cldm.mmdit, comfy.controlnet, comfy.latent_formats, comfy.ops, nodes
    torch.manual_seed(0)
    shape = {**model.model.model_config.unet_config, "dtype": torch.float32}
    network = comfy.cldm.mmdit.ControlNet(
        num_blocks=1, control_latent_channels=16, operations=comfy.ops.disable_weight_init, device="cpu", **shape
    )
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.02)
    for block in network.controlnet_blocks:
        torch.nn.init.normal_(block.weight, std=0.1)
    unshifted = comfy.latent_formats.SD3()
    unshifted.shift_factor = 0
    control = comfy.controlnet.ControlNet(
        network, compression_ratio=1, latent_format=unshifted, load_device=torch.device("cpu")
    )

    def controlled(positive):
        hint = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1))
        return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, empty, control, hint, 1.0, 0.0, 1.0, vae)

    before, negative = controlled(plain)
    seen["ControlNet acts"] = not torch.equal(drawn(model, before, negative), drawn(model, plain))
    # the negative prompt has the ControlNet too, as the node gives it out
    after = [[c, {**d, "control": before[0][1]["control"], "control_apply_to_uncond": False}] for c, d in edited]
    seen["ControlNet"] = holds(positive=after, before=before, negative=negative)

    # --- inpainting ---
    filled = vae.encode(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2)))
    hole = torch.zeros(1, 64, 64)
    hole[:, 8:56, 8:56] = 1

    def inpainted(model, positive):
        return comfy.sample.sample(
            model, noise, 4, 3.0, "euler", "simple", positive, empty, filled, noise_mask=hole, seed=3, denoise=0.8
        )

    held, made = locked()
    picture, unedited = inpainted(made, edited), inpainted(model, plain)
    seen["inpainting"] = [
        torch.equal(held.result(picture).reference, unedited), outside(held.result(picture), picture, unedited),
        True, bool((picture != unedited).any()),
    ]

    # --- guiders, and a sampler that draws from the common random numbers ---
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG
    from comfy_extras.nodes_perpneg import Guider_PerpNeg
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", 4)
    churned = comfy.samplers.ksampler("euler", {"s_churn": 4.0, "s_noise": 1.0})

    def guided(make, sampler):
        def sample(on, positive):
            torch.manual_seed(11)
            return make(on, positive).sample(noise, torch.zeros_like(noise), sampler, sigmas, seed=3)
        held, made = locked()
        picture, unedited = sample(made, edited), sample(model, plain)
        again = sample(made, edited)  # the reference is known now
        result = held.result(picture)
        return [
            torch.equal(result.reference, unedited), outside(result, picture, unedited), torch.equal(again, picture),
            bool((picture != unedited).any()),
        ]

    def cfg(on, positive):
        guider = comfy.samplers.CFGGuider(on)
        guider.set_conds(positive, empty)
        guider.set_cfg(3.0)
        return guider

    def dual(on, positive):
        guider = Guider_DualCFG(on)
        guider.set_conds(positive, encode("a drawing"), empty)
        guider.set_cfg(3.0, 2.0)
        return guider

    def perpendicular(on, positive):
        guider = Guider_PerpNeg(on)
        guider.set_conds(positive, encode("a photo"), empty)
        guider.set_cfg(3.0, 1.0)
        return guider

    euler, cfg_pp = (comfy.samplers.ksampler(name) for name in ("euler", "euler_ancestral_cfg_pp"))
    seen["churned"] = guided(cfg, churned)
    seen["dual guider"] = guided(dual, euler)
    seen["dual guider, cfg++"] = guided(dual, cfg_pp)
    seen["perp-neg guider, cfg++"] = guided(perpendicular, cfg_pp)
"""
SETTING_NAMES = [
    "batch", "batch of prompts", "cfg 1", "unequal lengths", "regions", "edited twice", "skip-layer guidance",
    "ControlNet", "inpainting", "churned", "dual guider", "dual guider, cfg++", "perp-neg guider, cfg++",
]  # fmt: skip

STEERED = """
    seen["steered is edited"] = torch.equal(drawn(steered(locked()[1]), plain), drawn(locked()[1]))
    seen["lock behind"] = torch.equal(drawn(locked(on=steered(model))[1], plain), drawn(locked()[1]))
    seen["both"] = torch.equal(
        drawn(steered(locked()[1], Swap("background: forest"))),
        drawn(locked()[1], conditioning.edit(edited, learnt, [Swap("background: forest")])[0]),
    )

    # --- nothing to hold, nothing left ---
    unlocked = drawn(model, plain)
    held, made = locked()
    calls.clear()
    seen["no edit"] = torch.equal(drawn(made, plain), unlocked) and len(calls) == 3
    result = held.result(unlocked)
    seen["no edit, result"] = not result.mask.any() and torch.equal(result.reference, unlocked)
    seen["strength 0"] = torch.equal(drawn(steered(made, Swap("hair: red", 0.0)), plain), unlocked)
    seen["nothing may change"] = torch.equal(drawn(locked(LockConfig(floor=100.0))[1]), unlocked)
    seen["model unchanged"] = not model.wrappers and not model.attachments and torch.equal(drawn(model), free)
    options = made.model_options.get("transformer_options", {})
    seen["nothing left"] = not any(key.startswith("supsae") for key in (*made.model_options, *options))

    # --- where the artist allows it ---
    left = torch.zeros(1, 40, 40)
    left[..., :20] = 1
    held, made = locked(LockConfig(threshold=0.2), left)
    picture = drawn(made)
    seen["allowed"] = torch.equal(picture[..., 4:], unlocked[..., 4:]) and not torch.equal(picture, unlocked)
    seen["allowed nowhere"] = torch.equal(drawn(locked(allowed=torch.zeros(1, 8, 8))[1]), unlocked)

    # --- the last lock counts ---
    inner, made = locked(LockConfig(floor=100.0))
    outer, made = locked(on=made)
    seen["the last lock counts"] = torch.equal(drawn(made), drawn(locked()[1]))
"""

CACHED = """
    def run(made, *given, **named):
        calls.clear()
        picture = drawn(made, *given, **named)
        return picture, len(calls)

    held, made = locked()
    (fresh, twice), (again, once) = run(made), run(made)
    seen["first run"], seen["second run"] = twice, once
    seen["cached is fresh"] = torch.equal(fresh, again)
    forest = conditioning.edit(plain, learnt, [Swap("background: forest")])[0]
    picture, count_now = run(made, forest)
    seen["other edit"] = count_now
    seen["other edit is fresh"] = torch.equal(picture, run(locked()[1], forest)[0])
    seen["slider of Apply to Model"] = [run(steered(made, Swap("hair: red", s)), plain)[1] for s in (0.5, 1.0, 1.2)]

    for name, named in {
        "seed": {"seed": 4}, "noise": {"noise": noise * 1.01}, "cfg": {"how": Sampling(3, 4.0)},
        "sampler": {"how": Sampling(3, 3.0, "lms")}, "scheduler": {"how": Sampling(3, 3.0, "euler", "normal")},
        "negative": {"negative": encode("a hat")}, "prompt": {"positive": red(encode("blond hair"))},
    }.items():
        run(made)
        seen[f"other {name}"] = run(made, **named)[1] > 3
    patched = made.clone()
    patched.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    run(made)
    seen["other patch"] = run(patched)[1] > 3
    lora = made.clone()
    lora.add_patches({"diffusion_model.final_layer.linear.bias": ("diff", (torch.full((64,), 0.01),))})
    run(made)
    seen["other weights"] = run(lora)[1] > 3
"""
OTHERS = ("seed", "noise", "cfg", "sampler", "scheduler", "negative", "prompt", "patch", "weights")

TOLD = """
    import comfy.model_management

    bar, steps = [], []
    progress = lambda: lambda done, total: bar.append((done, total))
    held, made = locked(progress=progress)
    told = lambda step, x0: steps.append((step, len(calls)))
    calls.clear()
    comfy_model.sample(made, edited, empty, noise, Sampling(4, 3.0), 3, told)
    seen["reference's half"], seen["second half"] = bar, [step for step, _ in steps]
    seen["previews from"] = steps[0][1]  # calls of the model before the first one
    steps.clear()
    comfy_model.sample(made, edited, empty, noise, Sampling(4, 3.0), 3, told)
    seen["cached"] = [step for step, _ in steps]

    # --- interrupted in either run: nothing is left, and the next run is right ---
    wanted = drawn(locked()[1])

    def interrupted(at):
        held, made = locked()
        def stop(executor, *args, **kwargs):
            if len(calls) == at:
                raise comfy.model_management.InterruptProcessingException()
            return executor(*args, **kwargs)
        stopped = made.clone()
        stopped.add_wrapper_with_key("apply_model", "stop", stop)
        calls.clear()
        try:
            drawn(stopped)
        except comfy.model_management.InterruptProcessingException:
            return torch.equal(drawn(made), wanted)

    seen["interrupted"] = [interrupted(2), interrupted(5)]

    # --- the pictures ---
    held, made = locked()
    latent = drawn(made)
    image, reference, mask = lock.LockedPicture.execute({"samples": latent}, vae, held, 1, True).args
    grown = torch.nn.functional.max_pool2d(held.result(latent).mask.float()[:, None], 3, 1, 1)
    far = torch.nn.functional.interpolate(grown, (64, 64))[0, 0] == 0
    seen["pictures"] = [list(one.shape) for one in (image, reference, mask)]
    seen["reference"] = torch.equal(reference, vae.decode(drawn(model, plain)))
    seen["composite"] = bool(far.any()) and torch.equal(image[0][far], reference[0][far])
    seen["inside"] = torch.equal(image[mask == 1], vae.decode(latent)[mask == 1]) and not torch.equal(image, reference)
    empty_mask = lock.LockedPicture.execute({"samples": drawn(made, plain)}, vae, held, 1, True).args
    seen["no edit, no mask"] = torch.equal(empty_mask[0], empty_mask[1]) and not empty_mask[2].any()

    # --- refused ---
    def stepping(model, x, sigmas, extra_args=None, callback=None, disable=None):
        sigma = sigmas[0]
        while sigma > 0.1:
            x0 = model(x, sigma * x.new_ones(len(x)), **extra_args)
            smaller = sigma * (0.3 + 0.01 * float(x0.std()))
            x, sigma = x + (x - x0) / sigma * (smaller - sigma), smaller
        return x

    guider = cfg(locked()[1], edited)
    averaged = nodes.ConditioningAverage().addWeighted(edited, encode("a hat"), 0.5)[0]
    seen["refused"] = {
        "adaptive": error(drawn, locked()[1], how=Sampling(4, 3.0, "dpm_adaptive")),
        "another adaptive": error(
            guider.sample, noise, torch.zeros_like(noise), comfy.samplers.KSAMPLER(stepping), sigmas, seed=3
        ),
        "averaged": error(drawn, locked()[1], averaged),
        "averaged and edited again": error(
            drawn, locked()[1], conditioning.edit(averaged, learnt, [Swap("background: forest")])[0]
        ),
        "masks": error(drawn, locked(allowed=torch.ones(2, 8, 8))[1], noise=several),
        "foreign latent": error(held.result, latent + 1),
    }
    seen["usable after an error"] = torch.equal(drawn(made), wanted)
"""

WHOLE = """
    from safetensors.torch import save_file

    whole = comfy_model.noise_of(comfy_model.empty_latent(128, 128), 3)
    held, made = locked()
    result = held.result(drawn(made, noise=whole, how=Sampling(8, 3.0)))
    save_file({name: tensor.contiguous() for name, tensor in result._asdict().items()}, sys.argv[1])
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("lock") / "locked.safetensors"


@pytest.fixture(scope="module")
def seen(comfy_python, file):
    script = PREPARE + SAMPLERS + SETTINGS + STEERED + CACHED + TOLD + WHOLE
    return json.loads(comfy_python(script + "    print(json.dumps(seen))", str(file), PROMPT).splitlines()[-1])


EXACT = [
    "euler", "heun", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde", "uni_pc", "euler_ancestral_cfg_pp", "dpm_fast",
]  # fmt: skip


def test_every_sampler_that_is_not_adaptive_is_exact_outside_the_mask(seen):
    found = seen["samplers"]
    assert set(EXACT) <= set(found) and len(found) > 40
    assert [name for name, value in found.items() if value != [True] * 4] == []


@pytest.mark.parametrize("setting", SETTING_NAMES)
def test_settings_hold_too(seen, setting):
    assert seen["ControlNet acts"]
    assert seen[setting] == [True] * 4


@pytest.mark.parametrize(
    "case",
    [
        "steered is edited", "lock behind", "both", "no edit", "no edit, result", "strength 0", "nothing may change",
        "model unchanged", "nothing left", "allowed", "allowed nowhere", "the last lock counts",
        "cached is fresh", "other edit is fresh", "reference", "composite", "inside", "no edit, no mask",
        "usable after an error",
    ],
)  # fmt: skip
def test_equal_to_the_bit(seen, case):
    assert seen[case] is True


def test_a_known_reference_is_not_sampled_again(seen):
    # 3 steps of Euler; the positive and the negative prompt of a step go through the model together
    assert (seen["first run"], seen["second run"], seen["other edit"]) == (6, 3, 3)
    assert seen["slider of Apply to Model"][1:] == [3, 3]


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_has_another_reference(seen, other):
    assert seen[f"other {other}"]


def test_bar_moves_through_both_runs_and_previews_the_second(seen):
    # 4 steps: the reference's move it to 2 of 4, ours from there on; a known reference leaves the bar as ever
    assert seen["reference's half"] == [[0, 4], [1, 4], [1, 4], [2, 4]]
    assert seen["second half"] == [3, 3, 4, 4] and seen["previews from"] == 5
    assert seen["cached"] == [1, 2, 3, 4]


def test_interrupt_leaves_nothing_behind(seen):
    assert seen["interrupted"] == [True, True]


def test_pictures_have_the_pictures_size(seen):
    assert seen["pictures"] == [[1, 64, 64, 3], [1, 64, 64, 3], [1, 64, 64]]


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("adaptive", "The sampler dpm_adaptive chooses its steps by the picture"),
        ("another adaptive", "The sampler stepping chooses its steps by the picture"),
        ("averaged", "changed behind Apply to Conditioning"),
        ("averaged and edited again", "changed behind Apply to Conditioning"),
        ("masks", "2 masks do not fit 3 pictures"),
        ("foreign latent", "did not come out of a sampler with this Lock"),
    ],
)
def test_refused(seen, case, sentence):
    assert sentence in seen["refused"][case]


def test_diffusers_locks_the_same_picture(seen, file):
    models = studio.load()
    learnt = load_dictionary(studio.WEIGHTS / "supsae" / "portraits.safetensors")
    (cond,), (pooled,) = models.host.encode([PROMPT])
    edited = apply(learnt, cond, pooled, [Swap("hair: red")])
    noise, recorder = transformer.initial_noise([3]), locked.StepKeeper()

    def sampled(cond, pooled, step):
        empty = studio.negative(models, cond)
        return transformer.sample(models.transformer, cond[None], pooled[None], empty, noise, steps=8, step=step)

    reference = sampled(cond, pooled, recorder)
    holder = locked.Holder(LockConfig(), recorder.velocity, recorder.denoised)
    made, comfys = sampled(edited.cond, edited.pooled, holder), load_file(file)
    mask = comfys["mask"]
    outside = ~mask[:, None].expand_as(made)
    assert 0.02 < mask.float().mean() < 0.9 and torch.equal(comfys["samples"][outside], comfys["reference"][outside])
    # A cell at the very threshold may fall on either side: the hosts' rounding differs by about 1e-5.
    assert (mask == holder.state.mask).float().mean() > 0.99
    for one, other in ((comfys["reference"], reference), (comfys["samples"], made)):
        far = ((one - LATENT_SHIFT) * LATENT_SCALE - other).abs().amax(1)
        assert far[mask == holder.state.mask].quantile(0.95) < 1e-3
