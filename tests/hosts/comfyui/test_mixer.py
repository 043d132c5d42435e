"""Concept Mixer: the value an API user writes, the edit it makes, and what its panel is told; without a browser."""

import json

import pytest

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, seaside"
SCRIPT = """
    import json, sys
    import torch
    import comfy.sd
    from supsae.hosts.comfyui import comfy_host, comfy_model, conditionings as conditioning
    from supsae.nodes import mixer
    from supsae.hosts.comfyui.comfy_model import Sampling
    from supsae.supsae_core.dictionary.file import load_dictionary
    from supsae.supsae_core.editing import mix
    from supsae.supsae_core.editing.edits import Keep, Remove, Swap

    learnt = load_dictionary(comfy_host.WEIGHTS / "supsae" / "portraits.safetensors")
    torch.inference_mode().__enter__()
    clip = comfy_host.portraits_clip()
    weights = comfy_host.WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"
    model = comfy.sd.load_diffusion_model(str(weights))
    encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
    plain, empty = encode(sys.argv[1]), encode("")
    noise = comfy_model.noise_of(comfy_model.empty_latent(128, 128), 3)

    def drawn(model, positive=plain, negative=empty):
        return comfy_model.sample(model, positive, negative, noise, Sampling(4, 3.0), 3)

    def mixed(rows, conditioning=plain):
        return mixer.mix_conditioning(conditioning, learnt, mix.parse(json.dumps({"version": 1, "mix": rows})))

    def modelled(rows, told, on=model):
        return mixer.mix_model(on, learnt, mix.parse(json.dumps({"version": 1, "mix": rows})), told.append)

    def same(one, other):
        return [torch.equal(a[0], b[0]) and torch.equal(a[1]["pooled_output"], b[1]["pooled_output"])
                for a, b in zip(one, other, strict=True)]

    seen = {}
    RED = {"hair": {"say": "red"}}
    edited = lambda *edits, on=plain: conditioning.edit(on, learnt, edits)[0]

    # --- a conditioning ---
    seen["swap"] = same(mixed(RED).output, edited(Swap("hair: red")))
    three = {"hair": {"say": "red", "strength": 0.8}, "expression": {"say": None}, "eyes": {"keep": True}}
    made = mixed(three)
    wanted = edited(Swap("hair: red", 0.8), Remove("expression: smile"), Keep("eyes"))
    seen["three rows"] = same(made.output, wanted)
    seen["report"], seen["prompts"] = made.report, made.panel["prompts"]
    longer = {"expression": {"say": "sad"}, "background": {"say": "city"}, "eyes": {"keep": True}}
    seen["longer phrases"] = mixed(longer).panel["prompts"][0]
    still = {
        "empty": {}, "strength 0": {"hair": {"say": "red", "strength": 0}}, "said already": {"hair": {"say": "blond"}},
        "kept only": {"eyes": {"keep": True}}, "unmentioned cleared": {"hat": {"say": None}},
    }
    for name, rows in still.items():
        made = mixed(rows)
        seen[f"still {name}"] = made.output[0] is plain[0]
        seen[f"shown {name}"] = made.panel["prompts"][0]["before"]["hair"]
    zeros = [[plain[0][0] * 0, plain[0][1]]]
    seen["zeros"] = [mixed({}, zeros).output[0] is zeros[0], mixed({}, zeros).panel["prompts"]]
    two = mixed(RED, [*plain, *encode("green eyes")])
    seen["two parts"] = [one["title"] for one in two.panel["prompts"]]
    seen["two parts after"] = [one["after"]["hair"] for one in two.panel["prompts"]]

    # --- a model ---
    told = []
    before = drawn(modelled(longer, told).output)
    seen["longer phrases of a model"] = told[0]["prompts"][0]
    before, told = drawn(model), []
    both = {**RED, "eyes": {"keep": True}}
    wanted = drawn(model, mixed(both).output)
    seen["the edit is seen"] = float((before - wanted).abs().max()) > 0.5
    made = modelled(both, told)
    seen["not told before it draws"] = [told == [], made.panel["prompts"], made.report]
    seen["model"] = torch.equal(drawn(made.output), wanted)
    seen["told once"] = len(told)
    seen["told as a conditioning's"] = told[0]["prompts"] == mixed(both).panel["prompts"]
    seen["told report"] = told[0]["report"] == mixed(both).report
    told, other = [], []
    chained = modelled({"background": {"say": "forest"}}, other, modelled(RED, told).output).output
    one_node = mixed({**RED, "background": {"say": "forest"}}).output
    seen["two mixers are one"] = torch.equal(drawn(chained), drawn(model, one_node))
    seen["both are told"] = [len(told), len(other)]
    told = []
    idle = modelled({}, told).output
    seen["idle"] = torch.equal(drawn(idle), before)
    seen["idle is told"] = told[0]["prompts"] == mixed({}).panel["prompts"]
    calls = []

    def spy(executor, *args, **kwargs):
        calls.append("supsae" in args[-1] if isinstance(args[-1], dict) else False)
        return executor(*args, **kwargs)

    for name, rows in (("idle", {}), ("busy", RED)):
        own = modelled(rows, []).output.clone()
        own.add_wrapper_with_key("apply_model", "spy", spy)
        calls.clear()
        drawn(own)
        seen[f"{name} calls"] = [len(calls), any(calls)]
    seen["panel"] = made.panel
    print(json.dumps(seen))
"""
STILL = ("empty", "strength 0", "said already", "kept only", "unmentioned cleared")


@pytest.fixture(scope="module")
def seen(comfy_python):
    return json.loads(comfy_python(SCRIPT, PROMPT).splitlines()[-1])


@pytest.mark.parametrize("name", ["swap", "three rows"])
def test_mix_is_the_edits_that_it_spells(seen, name):
    assert seen[name] == [True]


@pytest.mark.parametrize("name", STILL)
def test_what_changes_nothing_passes_the_very_same_entry(seen, name):
    assert seen[f"still {name}"]
    assert seen[f"shown {name}"] == ["blond"]


def test_zeros_pass_an_empty_mix(seen):
    assert seen["zeros"] == [True, []]


def test_panel_is_told_what_was_said_and_what_is(seen):
    (prompt,) = seen["prompts"]
    nothing = {"haircut": [], "eyewear": [], "hat": [], "clothing": []}
    same = {"background": ["beach"], "eyes": ["green"]}
    assert prompt == {
        "title": "",
        "before": {**nothing, **same, "hair": ["blond"], "expression": ["smile"]},
        "after": {**nothing, **same, "hair": ["red"], "expression": []},
        "held": {"eyes": True},
    }
    assert seen["report"].splitlines() == [
        "found hair: blond, eyes: green, expression: smile, background: beach",
        "changed hair: blond to hair: red (strength 0.8), removed expression: smile (strength 1), kept eyes",
    ]


@pytest.mark.parametrize("name", ["longer phrases", "longer phrases of a model"])
def test_words_for_which_there_was_no_room_are_read_too(seen, name):
    # "smiling" and "seaside" of one token become "sad face" and "city street" of two, whose last stand among the pads
    after = seen[name]["after"]
    assert after["expression"] == ["sad"] and after["background"] == ["city"] and after["hair"] == ["blond"]
    assert seen[name]["held"] == {"eyes": True}


def test_parts_have_titles(seen):
    # the second part does not mention hair, and the first does: nothing is said anew
    assert seen["two parts"] == ["part 1, row 1", "part 2, row 1"]
    assert seen["two parts after"] == [["red"], []]


def test_model_draws_what_the_conditioning_draws(seen):
    assert seen["the edit is seen"] and seen["model"] and seen["two mixers are one"]


def test_panel_of_a_model_is_told_while_it_draws(seen):
    assert seen["not told before it draws"] == [
        True, [], "While the model draws: swap hair: red (strength 1), keep eyes."
    ]  # fmt: skip
    assert seen["told once"] == 1 and seen["both are told"] == [1, 1]
    assert seen["told as a conditioning's"] and seen["told report"]


def test_model_with_nothing_to_change_draws_the_same_and_costs_no_call(seen):
    assert seen["idle"] and seen["idle is told"]
    # four steps, positive and negative in one call each: ours is at work in every one, or in none
    assert seen["busy calls"] == [4, True] and seen["idle calls"] == [4, False]


# --- through a server ----------------------------------------------------------------------------------------------

EVENTS = """
    import asyncio, json, sys
    import aiohttp

    async def main(url, prompt):
        found = []
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws?clientId=mixer") as socket:
            answer = await session.post(f"{url}/prompt", json={"prompt": json.loads(prompt), "client_id": "mixer"})
            assert answer.status == 200, await answer.text()
            async for message in socket:
                event = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {}
                found += [event] if event.get("type") in ("supsae.mixer", "execution_error") else []
                if event.get("type") in ("execution_success", "execution_error"):
                    break
        print(json.dumps(found))

    asyncio.run(main(*sys.argv[1:]))
"""
LOADERS = {
    "clip": {"class_type": "SupSAE_PortraitsCLIPLoader", "inputs": {}},
    "dictionary": {"class_type": "SupSAE_LoadDictionary", "inputs": {"name": "portraits.safetensors"}},
    "positive": {"class_type": "CLIPTextEncode", "inputs": {"text": PROMPT, "clip": ["clip", 0]}},
    "model": {
        "class_type": "UNETLoader",
        "inputs": {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"},
    },
}


def workflow(mix, *connected, output=2):
    """The mixer with what is connected, and its report (or another output) shown."""
    links = {name: [{"conditioning": "positive"}.get(name, name), 0] for name in connected}
    inputs = {"dictionary": ["dictionary", 0], "mix": mix if isinstance(mix, str) else json.dumps(mix), **links}
    shown = {"class_type": "PreviewAny", "inputs": {"source": ["mixer", output]}}
    return {**LOADERS, "mixer": {"class_type": "SupSAE_ConceptMixer", "inputs": inputs}, "shown": shown}


def one(row):
    return {"version": 1, "mix": row}


def test_schema_is_permanent(comfy_server):
    node = comfy_server.object_info("SupSAE_ConceptMixer")
    assert node["display_name"] == "Concept Mixer"
    assert node["input_order"] == {"required": ["dictionary", "mix"], "optional": ["conditioning", "model"],
                                   "hidden": ["unique_id"]}  # fmt: skip
    assert node["output_name"] == ["conditioning", "model", "report"]
    assert node["input"]["required"]["mix"][1]["default"] == "{}"


def test_run_shows_the_panel(comfy_server):
    outputs = comfy_server.run(workflow(one({"hair": {"say": "red"}, "eyes": {"keep": True}}), "conditioning"))
    (panel,) = outputs["mixer"]["supsae_mixer"]
    assert list(panel) == ["version", "categories", "safe", "mix", "prompts", "report"]
    assert panel["version"] == 1 and panel["safe"] == [0, 1]
    hair = panel["categories"][1]
    assert hair["name"] == "hair" and hair["identified"] is True
    assert hair["concepts"] == [{"name": name, "warning": ""} for name in ("blond", "red", "black", "blue")]
    (prompt,) = panel["prompts"]
    assert prompt["after"]["hair"] == ["red"] and prompt["held"] == {"eyes": True}
    assert outputs["shown"]["text"] == [panel["report"]]


REFUSED = {
    "both": ({}, ("conditioning", "model"), "the edit would be made twice. Disconnect"),
    "neither": ({}, (), "Concept Mixer has nothing to change. Connect a conditioning"),
    "unknown concept": (one({"hair": {"say": "rde"}}), ("conditioning",), "'hair: rde'.*Did you mean 'hair: red"),
    "unknown at 0": (one({"hair": {"say": "rde", "strength": 0}}), ("model",), "no concept 'hair: rde'"),
    "unknown category": (one({"horns": {"keep": True}}), ("conditioning",), "no category 'horns'.*It has: background"),
    "no JSON": ("hair: red", ("conditioning",), "The mix is not readable JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_a_sentence(comfy_server, name):
    mix, connected, sentence = REFUSED[name]
    with pytest.raises(RuntimeError, match=sentence):
        comfy_server.run(workflow(mix, *connected))


def test_output_of_what_is_not_connected_says_so(comfy_server, comfy_python):
    # ComfyUI shows an artist the sentence, and leaves out the nodes that would have been given nothing
    prompt = json.dumps(workflow({}, "conditioning", output=1))
    (event,) = json.loads(comfy_python(EVENTS, comfy_server.url, prompt).splitlines()[-1])
    assert event["type"] == "execution_error" and event["data"]["node_id"] == "shown"
    assert "a conditioning connected and no model, so its model output is empty" in event["data"]["exception_message"]


def test_model_tells_the_browser_while_it_samples(comfy_server, comfy_python):
    prompt = workflow(one({"hair": {"say": "red"}}), "model") | {
        "latent": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
        "sample": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["mixer", 1], "positive": ["positive", 0], "negative": ["positive", 0],
                "latent_image": ["latent", 0], "seed": 1, "steps": 1, "cfg": 1.0, "sampler_name": "euler",
                "scheduler": "simple", "denoise": 1.0,
            },
        },
        "saved": {"class_type": "SaveLatent", "inputs": {"samples": ["sample", 0], "filename_prefix": "mixer"}},
    }  # fmt: skip
    (event,) = json.loads(comfy_python(EVENTS, comfy_server.url, json.dumps(prompt)).splitlines()[-1])
    assert event["type"] == "supsae.mixer" and event["data"]["node"] == "mixer"
    assert event["data"]["output"]["prompts"][0]["after"]["hair"] == ["red"]
