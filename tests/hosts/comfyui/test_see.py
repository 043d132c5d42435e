"""Nodes that look into prompt and model, in ComfyUI's interpreter: what they see, and that seeing changes nothing."""

import json

import pytest

from supsae.supsae_core.dictionary.file import save_dictionary

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"

PREPARE = """
    import json, sys
    import comfy.sd
    import comfy.utils
    import sd35_shapes
    import torch
    from supsae.hosts.comfyui import attention, comfy_host, comfy_model, drawing, mapping, patching
    from supsae.hosts.comfyui import conditionings as conditioning
    from supsae.nodes import read_prompt, sweep
    from supsae.hosts.comfyui import steering
    from supsae.hosts.comfyui.following import followed, tagged
    from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
    from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
    from supsae.supsae_core.editing.steer import Where
    from supsae.supsae_core.editing.windows import Window

    learnt, PROMPT = load_dictionary(sys.argv[1]), sys.argv[2]
    torch.set_grad_enabled(False)
    clip, weights = comfy_host.portraits_clip(), comfy_host.WEIGHTS
    portraits = comfy.sd.load_diffusion_model(str(weights / "diffusion_models/supsae_portraits_mmdit.safetensors"))
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(weights / "vae/supsae_portraits_vae.safetensors")))

    def encode(prompt):
        return clip.encode_from_tokens_scheduled(clip.tokenize(prompt))

    def one(model=portraits, prompt=PROMPT, negative="", cfg=3.0, sampler="euler", batch=1, side=128, positive=None):
        latent = {"samples": torch.zeros(batch, 16, side // 8, side // 8)}
        positive = encode(prompt) if positive is None else positive
        return drawing.drawing(model, positive, encode(negative), vae, latent, 7, 3, cfg, sampler, "simple")

    def wanted(method, concept="hair: blond", blocks=(0, 1), model=portraits, window=Window()):
        return mapping.Wanted(concept, method, blocks, window, comfy_model.to_sigma(model))

    def error(function, *arguments, **options):
        try:
            function(*arguments, **options)
        except ValueError as sentence:
            return str(sentence)

"""


MASSES = """
    from comfy.ldm.modules.attention import attention_pytorch, attention_sub_quad

    generator = torch.Generator().manual_seed(0)
    text, image, heads, wide = 5, 7, 3, 8
    q, k = (torch.randn(2, text + image, heads * wide, generator=generator) for _ in range(2))
    split = lambda t: t.unflatten(-1, (heads, wide)).transpose(1, 2)
    shares = (split(q) @ split(k).transpose(2, 3) / wide**0.5).softmax(-1).mean(1)[:, text:]  # (2, image, all)
    groups = [[0], [1, 3], [2, 4]]
    direct = torch.stack([shares[..., some].sum(-1) for some in groups], -1)
    for name, function in (("pytorch", attention_pytorch), ("sub quadratic", attention_sub_quad)):
        found = attention.masses(function, q, k, heads, groups, text)
        seen[name] = [list(found.shape), float((found - direct).abs().max())]
    many = [[row % text] for row in range(20)]  # more groups than a head is wide
    found = attention.masses(attention_pytorch, q, k, heads, many, text)
    seen["many"] = float((found - shares[..., [some[0] for some in many]]).abs().max())
    seen["none"] = list(attention.masses(attention_pytorch, q, k, heads, [], text).shape)
    half = attention.masses(attention_pytorch, q.half(), k.half(), heads, groups, text)
    seen["half"] = [str(half.dtype), float((half - direct).abs().max())]
"""


MAPPED = """
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

    # Portraits' text with the blocks of SD3.5-Medium, both of which attend twice
    dual = sd35_shapes.build(2, 128, True, pooled=128, context=192)
    skipping = SkipLayerGuidanceDiT().execute(portraits, 2.0, 0.0, 1.0, double_layers="1").args[0]
    snow = steering.Steering(learnt, (Swap("background: snow"),), Where())
    blind = portraits.clone()
    blind.model_options["transformer_options"]["optimized_attention_override"] = (
        lambda function, q, k, v, *rest, **named: function(q, k, v.flip(1), *rest, **named)
    )
    long = "red hair, " * 20
    batch = [torch.cat([encode(prompt)[0][0] for prompt in (PROMPT, "blond hair")]), encode(PROMPT)[0][1]]
    cases = {
        "plain": {}, "batch": {"batch": 2}, "cfg 1": {"cfg": 1.0}, "heun": {"sampler": "heun"},
        "long negative": {"negative": long}, "odd size": {"side": 120}, "dual": {"model": dual},
        "skip-layer guidance": {"model": skipping}, "override": {"model": blind},
        "steered": {"model": steering.apply_to_model(portraits, snow)},
        "batch of prompts": {"batch": 3, "positive": [batch]},
        "two of a category": {"prompt": "a portrait with blond hair, and one with red hair"},
        "two entries": {"positive": [*encode(PROMPT), *encode("blue eyes")]},
    }
    for name, options in cases.items():
        plain = drawing.draw(one(**options))
        for method in mapping.METHODS:
            count, add = [], mapping.Heard.add
            mapping.Heard.add = lambda heard, maps: (count.append(1), add(heard, maps))
            found = mapping.concept_map(one(**options), learnt, wanted(method))
            mapping.Heard.add = add
            ranges = [float(found.mask.min()), float(found.mask.max())]
            seen[f"{name}, {method}"] = [
                torch.equal(found.pictures, plain), list(found.raw.shape), list(found.mask.shape), ranges,
                bool((found.raw > 0).all()), len(count), float(found.raw.mean()),
            ]
    seen["override matters"] = not torch.equal(drawing.draw(one(model=blind)), drawing.draw(one()))

    # the same words a second time; the shares of both
    once, twice = (
        mapping.concept_map(one(prompt=prompt), learnt, wanted("attention")).raw.mean()
        for prompt in ("blond hair, green eyes", "blond hair, green eyes, blond hair")
    )
    tag, = mapping.tags(encode("blond hair, green eyes, blond hair"), learnt, "hair: blond")
    seen["twice"] = [float(twice / once), tag.rows, tag.length]

    # a share as the model itself has it: q and k of the first joint attention, softmax by hand
    kept = {}
    def hear(block, joint):
        if block == 0 and 0 not in kept:
            kept[0] = joint
    def through(call):
        return call.run(options=attention.listening(call.options, [0], hear))
    tag, = mapping.tags(encode(PROMPT), learnt, "hair: blond")
    drawing.draw(one(model=followed(dual, through), positive=tagged(encode(PROMPT), [tag])))
    joint = kept[0]
    split = lambda t: t.unflatten(-1, (joint.heads, -1)).transpose(1, 2)
    q, k = split(joint.q), split(joint.k)
    weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1).mean(1)[:, joint.text_rows :]
    direct = weights[..., list(tag.rows[0])].sum(-1)
    heard = attention.masses(joint.attention, joint.q, joint.k, joint.heads, [tag.rows[0]], joint.text_rows)[..., 0]
    seen["by hand"] = [joint.text_rows, list(joint.q.shape[1:]), float((heard - direct).abs().max())]

    full = "pigtails, " + "highly detailed " * 22  # 46 tokens and an end leave one pad of 48 rows
    ways = {PROMPT: "hair: blond", "blond hair beside red hair": "hair: blond", "pigtails": "haircut: pigtails"}
    seen["ways"] = [
        len(mapping.tags(encode(prompt), learnt, concept)[0].others)
        for prompt, concept in {**ways, full: "haircut: pigtails"}.items()
    ]
    seen["not said"] = error(mapping.tags, encode(PROMPT), learnt, "hair: red")
    seen["unknown"] = error(mapping.tags, encode(PROMPT), learnt, "hair: rde")
    area = [[cond, {**extra, "area": (8, 8, 0, 0)}] for cond, extra in encode(PROMPT)]
    seen["area"] = error(mapping.tags, area, learnt, "hair: blond")
    narrow = Window(0.001, 0.002)
    seen["no step"] = error(mapping.concept_map, one(), learnt, wanted("effect", window=narrow))
    early = mapping.concept_map(one(), learnt, wanted("effect", window=Window(0.0, 0.3)))
    seen["window"] = torch.equal(early.pictures, drawing.draw(one()))
"""


PATCHED = """
    edits, told = [Swap("hair: red")], lambda number: None
    plain = encode(PROMPT)
    edited, _ = conditioning.edit(plain, learnt, edits)
    dual = sd35_shapes.build(3, 128, True, pooled=128, context=192)
    for name, model in (("portraits", portraits), ("dual", dual)):
        def drawn(positive, patch=None, block=None):
            through = patch and (lambda call: patch(block, call))
            drawing_ = one(model=followed(model, through) if patch else model, positive=positive, batch=2)
            return comfy_model.sample(drawing_.model, drawing_.positive, drawing_.negative, drawing_.noise,
                                      drawing_.sampling, drawing_.seed)
        rows = [[edited[0][0], plain[0][1]]]  # the edit's rows alone
        marked = tagged(plain, [patching.Tag(edited[0][0] - plain[0][0])])
        wholly, nothing = drawn(rows), drawn(plain)
        far = (wholly - nothing).abs().max()
        seen[f"{name} from 0"] = float((drawn(marked, patching.from_block, 0) - wholly).abs().max() / far)
        seen[f"{name} before 0"] = float((drawn(marked, patching.before_block, 0) - nothing).abs().max() / far)
        some = drawn(marked, patching.from_block, 1)
        seen[f"{name} from 1"] = [float((some - one_).abs().max() / far) for one_ in (wholly, nothing)]
    for pooled in (True, False):
        found = patching.block_map(one(), learnt, edits, (0, 2), pooled=pooled, told=told)
        first, last = ([found.points[side][i] for side in patching.SIDES] for i in (0, -1))
        seen[f"map, pooled {pooled}"] = [
            found.places, first, last, torch.equal(found.unedited, drawing.draw(one())),
            torch.equal(found.pictures[patching.FROM][0], drawing.draw(one(positive=edited if pooled else rows))),
        ]
    seen["drawings"] = [patching.drawings((0, 1, 2), True), patching.drawings((1,), False)]
    nothing = patching.block_map
    seen["no change"] = error(nothing, one(), learnt, [Swap("hair: red", 0.0)], (0,), pooled=True, told=told)
    seen["not said"] = error(nothing, one(), learnt, [Remove("hat: crown")], (0,), pooled=True, told=told)
"""


SWEPT = """
    drawn = sweep.sweep(one(), learnt, [Swap("hair: red", 2.0)], (0.5, 0.0))
    edited, _ = conditioning.edit(encode(PROMPT), learnt, [Swap("hair: red")])
    seen["at 1"] = torch.equal(drawn.pictures[:1], drawing.draw(one(positive=edited)))
    seen["at 0"] = torch.equal(drawn.pictures[1:], drawing.draw(one()))
    seen["report"] = drawn.report.splitlines()
    seen["sheet"] = drawn.sheet.size
    seen["batch"] = list(sweep.sweep(one(batch=2), learnt, [Swap("hair: red")], (0.0, 1.0, 2.0)).pictures.shape)
    seen["too strong"] = error(sweep.sweep, one(), learnt, [Swap("hair: red", 2.0)], (0.0, 2.0))
"""


READ = """
    weighted = encode("a portrait with (blond hair:1.3), (green eyes:0.8), smiling")
    area = [encode("red hair")[0][0], {**encode("red hair")[0][1], "area": (8, 8, 0, 0)}]
    found = read_prompt.read([*weighted, area], learnt)
    seen["json"] = json.loads(read_prompt.as_json(found))
    seen["text"] = read_prompt.as_text(found)
    seen["alone"] = read_prompt.as_text(read_prompt.read(encode(""), learnt)).splitlines()[0]
    seen["empty"] = error(read_prompt.read, [], learnt)
"""


@pytest.fixture(scope="module")
def everything(comfy_python, learnt, tmp_path_factory):
    """Run all sections in one interpreter, which takes seconds to start; return what each has seen."""
    file = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, file)
    sections = {"masses": MASSES, "mapped": MAPPED, "patched": PATCHED, "swept": SWEPT, "read": READ}
    source = "".join(f"    seen = everything[{name!r}] = {{}}\n{section}" for name, section in sections.items())
    source = f"{PREPARE}\n    everything = {{}}\n{source}\n    print(json.dumps(everything))\n"
    return json.loads(comfy_python(source, str(file), PROMPT).splitlines()[-1])


# --- attention -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pytorch", "sub quadratic"])
def test_masses_are_those_of_the_softmax(everything, name):
    shape, off = everything["masses"][name]
    assert shape == [2, 7, 3] and off < 1e-5


def test_masses_of_any_number_of_groups_and_precision(everything):
    seen = everything["masses"]
    assert seen["many"] < 1e-5 and seen["none"] == [2, 7, 0]
    assert seen["half"][0] == "torch.float32" and seen["half"][1] < 2e-3


def test_attention_that_is_heard_is_the_joint_one(everything):
    # 96 text rows, and 64 image tokens of 128 × 128 pixels; blocks with dual attention also call one of 64 rows
    rows, shape, off = everything["mapped"]["by hand"]
    assert rows == 96 and shape == [96 + 64, 128] and off < 1e-5


# --- Concept Map ---------------------------------------------------------------------------------------------------


CASES = [
    "plain", "batch", "cfg 1", "heun", "long negative", "odd size", "dual", "skip-layer guidance", "override",
    "steered", "batch of prompts", "two entries", "two of a category",
]  # fmt: skip


@pytest.mark.parametrize("method", ["effect", "attention"])
@pytest.mark.parametrize("name", CASES)
def test_map_leaves_the_picture_as_it_is(everything, name, method):
    same, raw, mask, (low, high), positive, heard, _ = everything["mapped"][f"{name}, {method}"]
    batch, side = {"batch": 2, "batch of prompts": 3}.get(name, 1), 120 if name == "odd size" else 128
    cells = side // 8  # of the latent; tokens are 2 × 2 of them, and an odd latent is padded
    cells = cells if method == "effect" else -(-cells // 2)
    assert same, "the picture is another one"
    assert raw == [batch, cells, cells] and mask == [batch, side, side]
    assert 0 <= low < 0.05 and 0.9 < high <= 1 and positive  # enlarging takes the edge off single cells
    # 3 steps, heun calls the model twice in all but the last; two blocks are listened to, one main pass a call
    calls = 5 if name == "heun" else 3
    assert heard == calls * (2 if method == "attention" else 1)


def test_what_else_the_prompt_says_of_the_category_stays(everything):
    # three other hair colours to swap for; with red hair beside it, blond alone is turned down; two other haircuts, one
    # of them three words, for which a full prompt has no room
    assert everything["mapped"]["ways"] == [3, 1, 2, 1]


def test_map_of_a_steered_model_is_of_the_concept_alone(everything):
    # another background all over the picture would be many times what other hair changes
    plain, steered = (everything["mapped"][f"{name}, effect"][-1] for name in ("plain", "steered"))
    assert 0.5 < steered / plain < 1.5


def test_what_stands_in_for_attention_decides_the_picture(everything):
    assert everything["mapped"]["override matters"]


def test_all_mentions_in_all_encoders_count(everything):
    # tokens: blond hair , green eyes , blond hair; behind the start row in the first 48 rows, and in rows from 48 on
    ratio, rows, length = everything["mapped"]["twice"]
    assert sorted(rows[0]) == [1, 2, 7, 8, 48, 49, 54, 55] and length == 96
    assert ratio > 1.5


def test_map_looks_only_where_asked(everything):
    seen = everything["mapped"]
    assert seen["window"] and "No step lies between start and end" in seen["no step"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    {
        "not said": "does not say 'hair: red', so there are no words of it to follow. It says: hair: blond,",
        "unknown": "Did you mean 'hair: red'",
        "area": "only for an area of the picture",
    }.items(),
)
def test_what_cannot_be_mapped_gets_a_sentence(everything, name, sentence):
    assert sentence in everything["mapped"][name]


# --- Block Map -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["portraits", "dual"])
def test_from_block_0_on_is_the_whole_edit(everything, model):
    seen = everything["patched"]
    # largest difference of the latents, as a share of the edit's own; another context is another rounding at most
    assert seen[f"{model} from 0"] < 1e-5 and seen[f"{model} before 0"] < 1e-5
    wholly, nothing = seen[f"{model} from 1"]
    assert wholly > 1e-2 and nothing > 1e-2


@pytest.mark.parametrize("pooled", [True, False])
def test_block_map_goes_from_all_to_nothing(everything, pooled):
    places, first, last, unedited, edited = everything["patched"][f"map, pooled {pooled}"]
    assert places == [0, 2, 3]  # the chosen blocks, and behind the last of three
    assert unedited and edited
    (from_0, _), (before_0, _) = first
    (from_end, _), (before_end, _) = last
    assert from_0 == before_end == 1 and from_end == before_0
    assert (from_end > 0) == pooled  # what is left behind the last block is the pooled vector's


def test_block_map_says_what_it_costs(everything):
    # the unedited and the edited, the pooled vector alone, and two for every block but the first
    assert everything["patched"]["drawings"] == [2 + 1 + 4, 2 + 2]


def test_block_map_of_nothing_gets_a_sentence(everything):
    assert "changes nothing that can be seen" in everything["patched"]["no change"]
    assert "Cannot remove 'hat: crown'" in everything["patched"]["not said"]


# --- Strength Sweep and Read Prompt --------------------------------------------------------------------------------


def test_sweep_multiplies_and_keeps_the_seed(everything):
    seen = everything["swept"]
    assert seen["at 1"] and seen["at 0"]  # half of strength 2, and nothing
    assert seen["report"][0] == "times 0.5:" and seen["report"][-1] == "changed hair: blond to hair: red (strength 1)"
    assert seen["batch"] == [3 * 2, 128, 128, 3]
    assert "2 times the strength of 'hair: red' is 4, outside -2 … 3" in seen["too strong"]


def test_prompt_is_read_part_by_part(everything):
    plain, area = everything["read"]["json"]["prompts"]
    assert [one["concept"] for one in plain["concepts"]] == ["hair: blond", "eyes: green", "expression: smile"]
    assert (plain["part"], plain["row"], plain["whole_picture"]) == (1, 1, True)
    assert (area["part"], area["whole_picture"]) == (2, False)
    assert area["concepts"][0]["rows"] == {"clip": [1, 2], "t5": [48, 49]}
    assert "hat" in plain["unmentioned"] and "hair" not in plain["unmentioned"]
    assert "part 2, row 1, for a part of the picture" in everything["read"]["text"]


def test_prompt_weights_are_read(everything):
    plain, _ = everything["read"]["json"]["prompts"]
    weights = [one["weight"] for one in plain["concepts"]]
    # unweighted phrases of Portraits scatter by 0.02
    assert weights[0] == pytest.approx(1.3, abs=0.06) and weights[1] == pytest.approx(0.8, abs=0.06)
    assert weights[2] == 1


def test_prompt_that_says_nothing(everything):
    assert everything["read"]["alone"] == "none of the dictionary's concepts"
    assert "conditioning is empty" in everything["read"]["empty"]
