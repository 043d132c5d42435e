"""Edits of a CONDITIONING and the CLIP socket, in ComfyUI's interpreter, with a dictionary of Portraits' encoders."""

import json

import pytest

from supsae.supsae_core.dictionary.file import save_dictionary

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"

PREPARE = """
    import json, sys
    import torch
    from supsae.hosts.comfyui import comfy_host
    from supsae.hosts.comfyui.conditionings import edit
    from supsae.portraits import text
    from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
    from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap

    learnt = load_dictionary(sys.argv[1])
    PROMPT = sys.argv[2]
    torch.inference_mode().__enter__()
    clip = comfy_host.portraits_clip()

    def encode(prompt):
        return clip.encode_from_tokens_scheduled(clip.tokenize(prompt))

    def said(entry, row=0):
        from supsae.supsae_core.reading import readout
        return readout.describe(learnt, readout.read(learnt, entry[0][row].float()))

    def error(function, *arguments):
        try:
            function(*arguments)
        except ValueError as sentence:
            return str(sentence)

"""


ENCODED = """
    encoders = text.load_encoders()
    prompts = {"short": PROMPT, "empty": "", "two chunks": "red hair, " * 30, "brackets": "a \\\\(red\\\\) hat"}
    for name, prompt in prompts.items():
        (cond, extra), = encode(prompt)
        own = encoders.encode([prompt.replace("\\\\", "")])
        seen[name] = [list(cond.shape), torch.equal(cond, own.cond), torch.equal(extra["pooled_output"], own.pooled)]

    plain, empty = encode("blond hair, red hat")[0], encode("")[0]
    for name, prompt, weight in (("up", "blond hair, (red:1.3) hat", 1.3), ("default", "blond hair, (red) hat", 1.1)):
        (cond, extra), = encode(prompt)
        rows = (cond != plain[0]).any(-1)[0].nonzero().flatten().tolist()
        formula = empty[0] + weight * (plain[0] - empty[0])
        close = torch.allclose(cond[0, rows], formula[0, rows], atol=1e-6)
        seen[name] = [rows, close, torch.equal(extra["pooled_output"], plain[1]["pooled_output"])]

    long, weighted = "red hair, " * 16 + "blue", "red hair, " * 16 + "(blue:1.5)"
    cond, plain = encode(weighted)[0][0], encode(long)[0][0]
    seen["weight in chunk 1"] = (cond != plain).any(-1)[0].nonzero().flatten().tolist()
"""


EDITED = """
    entry = [encode(PROMPT)[0][0], {**encode(PROMPT)[0][1], "control": object(), "start_percent": 0.2}]
    cond, extra = entry
    copies = cond.clone(), extra["pooled_output"].clone()
    nothing = {"swap": Swap("hair: red", 0.0), "same": Swap("hair: blond"), "scale": Scale("hair: blond", 1.0)}
    for name, one in nothing.items():
        (made,), _ = edit([entry], learnt, [one])
        seen[f"nothing {name}"] = made[0] is cond and made[1]["pooled_output"] is extra["pooled_output"]

    (made,), report = edit([entry], learnt, [Swap("hair: red")])
    seen["report"] = report
    seen["said"] = said(made)
    seen["new"] = [made is not entry, made[0] is not cond, made[1] is not extra]
    seen["passed on"] = made[1]["control"] is extra["control"] and made[1]["start_percent"] == 0.2
    seen["kind"] = [made[0].shape == cond.shape, str(made[0].dtype), str(made[0].device)]
    seen["keys"] = sorted(set(made[1]) ^ set(extra))
    seen["untouched"] = torch.equal(cond, copies[0]) and torch.equal(extra["pooled_output"], copies[1])
    seen["pooled moved"] = not torch.equal(made[1]["pooled_output"], copies[1])

    half = [cond.half(), {"pooled_output": extra["pooled_output"].half()}]
    (made,), _ = edit([half], learnt, [Swap("hair: red")])
    seen["half"] = [str(made[0].dtype), str(made[1]["pooled_output"].dtype), said(made)]

    other, beside = encode("a portrait, blue eyes")[0], encode("black hair, a cat")[0]
    area = [beside[0], {**beside[1], "area": (8, 8, 0, 0)}]
    masked = [other[0], {**other[1], "mask": torch.ones(1, 8, 8)}]
    parts = [entry, other, area, masked]
    made, seen["list report"] = edit(parts, learnt, [Swap("hair: red")])
    seen["list"] = [said(one) for one in made]
    seen["list same"] = [one[0] is old[0] for one, old in zip(made, parts)]
    made, seen["add report"] = edit(parts, learnt, [Add("eyewear: glasses")])
    seen["add same"] = [one[0] is old[0] for one, old in zip(made, parts)]
    seen["add nowhere"] = error(edit, [masked], learnt, [Add("eyewear: glasses")])

    pooled = torch.cat([extra["pooled_output"], other[1]["pooled_output"]])
    batch = [torch.cat([cond, other[0]]), {"pooled_output": pooled}]
    (made,), _ = edit([batch], learnt, [Swap("hair: red")])
    seen["batch"] = [said(made, 0), said(made, 1), torch.equal(made[0][1], batch[0][1]), list(made[0].shape)]
    alone, _ = edit([entry], learnt, [Swap("hair: red")])
    seen["batch row is the row alone"] = torch.allclose(made[0][0], alone[0][0][0], atol=1e-6)
    uneven = [batch[0], extra]
    (made,), _ = edit([uneven], learnt, [Swap("expression: sad")])
    seen["uneven"] = [list(made[0].shape), list(made[1]["pooled_output"].shape)]

    rows, vector = beside[0], beside[1]["pooled_output"]
    control = [cond, {**extra, "cross_attn_controlnet": rows, "pooled_output_controlnet": vector}]
    (made,), _ = edit([control], learnt, [Swap("hair: red")])
    seen["control"] = [said([made[1]["cross_attn_controlnet"]]), said(made)]
    seen["control untouched"] = torch.equal(control[1]["cross_attn_controlnet"], beside[0])

    both = [Swap("hair: red"), Remove("expression: smile"), Add("hat: crown")]
    (made,), report = edit([entry], learnt, both)
    seen["several"] = [said(made), report.splitlines()[-1]]
"""


REFUSED = """
    (cond, extra), = encode(PROMPT)
    swap = [Swap("hair: red")]
    seen["no pooled"] = error(edit, [[cond, {}]], learnt, swap)
    seen["empty"] = error(edit, [], learnt, swap)
    seen["zeros"] = error(edit, [[cond * 0, extra]], learnt, swap)
    seen["other width"] = error(edit, [[torch.randn(1, 154, 4096), extra]], learnt, swap)
    seen["other encoder"] = error(edit, [[cond + (cond != 0) * torch.randn_like(cond), extra]], learnt, swap)
    seen["joined"] = error(edit, [[torch.cat([cond, cond], 1), extra]], learnt, swap)
    seen["twice"] = error(edit, [[cond, extra]], learnt, [*swap, Swap("hair: blue")])
    seen["unknown"] = error(edit, [[cond, extra]], learnt, [Swap("hair: rde")])
    seen["not said"] = error(edit, [[cond, extra]], learnt, [Remove("hat: crown")])

    class Stranger:
        def tokenize(self, text):
            return {"l": [], "qwen": []}

    seen["unknown clip"] = error(comfy_host.ComfyText, Stranger())
    seen["skip"] = error(clip.cond_stage_model.set_clip_options, {"layer": -2})
"""


# The real tokenizers of SD3.5 ship inside ComfyUI; weights are not needed to count tokens.
SD3 = """
    from types import SimpleNamespace
    from comfy.text_encoders.sd3_clip import SD3Tokenizer

    tokenizer = SD3Tokenizer()
    stages = {"clip_l": 1, "clip_g": 1, "t5xxl": 1}
    clip = SimpleNamespace(tokenize=tokenizer.tokenize_with_weights, cond_stage_model=SimpleNamespace(**stages))
    host = comfy_host.ComfyText(clip)
    seen["format"] = host.family.name
    words = "a photo, (ginger-haired) woman's Sou'wester, 35mm".split()
    counts = host.counts(words)

    def ids(prompt, key):
        plain = prompt.replace("(", "\\\\(").replace(")", "\\\\)")
        chunks = tokenizer.tokenize_with_weights(plain, return_word_ids=True)[key]
        return [token[0] for chunk in chunks for token in chunk if token[2]]

    for name, key in (("clip_l", "l"), ("clip_g", "g"), ("t5xxl", "t5xxl")):
        whole = ids(" ".join(words), key)
        seen[name] = whole == [one for word in words for one in ids(word, key)]
        seen[f"{name} count"] = [sum(counts[name]), len(whole)]
    clip.cond_stage_model.t5xxl = None
    seen["missing"] = error(comfy_host.ComfyText, clip)
"""


FOLDERS = """
    import folder_paths

    folder_paths.add_model_folder_path("supsae", "/extra/supsae")  # what extra_model_paths.yaml does
    comfy_host.register_folders()
    comfy_host.register_folders()
    paths, endings = folder_paths.folder_names_and_paths["supsae"]
    seen["paths"], seen["endings"] = paths, sorted(endings)
    seen["new"] = str(comfy_host.new_dictionary_file("mine.safetensors", lambda there: True))
    seen["listed"] = [
        any(str(comfy_host.WEIGHTS) in path for path in folder_paths.get_folder_paths(kind))
        for kind in ("diffusion_models", "vae", "supsae")
    ]
"""


@pytest.fixture(scope="module")
def dictionary_file(learnt, tmp_path_factory):
    file = tmp_path_factory.mktemp("dictionary") / "portraits.safetensors"
    save_dictionary(learnt.dictionary, file)
    return file


@pytest.fixture(scope="module")
def everything(comfy_python, dictionary_file):
    """Run all sections in one interpreter, which takes seconds to start; return what each has seen."""
    sections = {"encoded": ENCODED, "edited": EDITED, "refused": REFUSED, "sd3": SD3, "folders": FOLDERS}
    source = "".join(f"    seen = everything[{name!r}] = {{}}\n{section}" for name, section in sections.items())
    source = f"{PREPARE}\n    everything = {{}}\n{source}\n    print(json.dumps(everything))\n"
    return json.loads(comfy_python(source, str(dictionary_file), PROMPT).splitlines()[-1])


@pytest.fixture
def encoded(everything):
    return everything["encoded"]


@pytest.fixture
def edited(everything):
    return everything["edited"]


@pytest.fixture
def refused(everything):
    return everything["refused"]


@pytest.fixture
def sd3(everything):
    return everything["sd3"]


@pytest.mark.parametrize(("name", "rows"), [("short", 96), ("empty", 96), ("two chunks", 187), ("brackets", 96)])
def test_clip_encodes_as_portraits_does(encoded, name, rows):
    # 30 times "red hair ," are 90 tokens: two chunks of 48 rows, and 90 + 1 rows of the other encoder
    assert encoded[name] == [[1, rows, 192], True, True]


@pytest.mark.parametrize("name", ["up", "default"])
def test_weights_are_comfyuis(encoded, name):
    # tokens: blond hair , red hat; "red" is row 4 behind the start row, and row 3 of the second encoder's 48 …
    assert encoded[name] == [[4, 48 + 3], True, True]


def test_weight_reaches_later_chunks(encoded):
    # 16 times "red hair ," are 48 tokens, a chunk takes 46: "blue" is the third of chunk 1, behind its start row;
    # the other encoder's rows begin behind two chunks
    assert encoded["weight in chunk 1"] == [48 + 3, 2 * 48 + 48]


@pytest.mark.parametrize("name", ["swap", "same", "scale"])
def test_edit_of_nothing_passes_the_very_same_tensors(edited, name):
    assert edited[f"nothing {name}"]


def test_edit_changes_what_it_says_and_tells(edited):
    assert edited["said"] == "hair: red, eyes: green, expression: smile, background: beach"
    assert edited["report"].splitlines() == [
        "found hair: blond, eyes: green, expression: smile, background: beach",
        "changed hair: blond to hair: red (strength 1)",
    ]


def test_edit_makes_a_new_entry_and_leaves_the_old_one(edited):
    assert edited["new"] == [True, True, True]
    assert edited["untouched"] and edited["passed on"] and edited["pooled moved"]
    assert edited["kind"] == [True, "torch.float32", "cpu"]
    assert edited["keys"] == ["supsae_edited", "supsae_reference"]  # for the Lock


def test_half_precision_stays(edited):
    assert edited["half"] == ["torch.float16", "torch.float16", edited["said"]]


def test_swap_in_a_list_goes_to_the_parts_that_speak_of_it(edited):
    # the second part does not mention hair: where another one does, nothing is said anew
    assert edited["list"][0].startswith("hair: red") and edited["list"][2] == "hair: red"
    assert edited["list same"] == [False, True, False, True]
    assert "part 3, row 1: changed hair: black to hair: red (strength 1)" in edited["list report"]


def test_add_in_a_list_stays_out_of_areas_and_masks(edited):
    assert edited["add same"] == [False, False, True, True]
    assert edited["add report"].count("added eyewear: glasses (strength 1)") == 2
    assert "areas or masks only" in edited["add nowhere"]


def test_batch_rows_are_edited_one_by_one(edited):
    assert edited["batch"] == [edited["said"], "eyes: blue", True, [2, 96, 192]]
    assert edited["batch row is the row alone"]
    assert edited["uneven"] == [[2, 96, 192], [2, 128]]


def test_rows_for_controlnets_are_edited_too(edited):
    assert edited["control"] == ["hair: red", edited["said"]]
    assert edited["control untouched"]


def test_several_edits_at_once(edited):
    # what is added stands among the pads, far behind the text
    assert edited["several"] == [
        "hair: red, eyes: green, background: beach, hat: crown",
        "changed hair: blond to hair: red (strength 1), removed expression: smile (strength 1), "
        "added hat: crown (strength 1)",
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    {
        "no pooled": "has no pooled_output",
        "empty": "conditioning is empty",
        "zeros": "all zeros",
        "other width": "(154, 4096) is not of the family 'portraits'",
        "other encoder": "not of the text encoder 'clip'",
        "joined": "concatenated or averaged is not supported",
        "twice": "change 'hair'. Keep one",
        "unknown": "Did you mean 'hair: red'",
        "not said": "Cannot remove 'hat: crown': the prompt does not say it",
        "unknown clip": "has the text encoders l, qwen, which SupSAE does not know",
        "skip": "have no layers to skip",
    }.items(),
)
def test_refusal_is_a_sentence(refused, name, sentence):
    assert sentence in refused[name]


@pytest.mark.parametrize("name", ["clip_l", "clip_g", "t5xxl"])
def test_words_of_sd3_count_as_in_the_whole_prompt(sd3, name):
    assert sd3["format"] == "sd3" and sd3[name]
    counted, whole = sd3[f"{name} count"]
    assert counted == whole > 8


def test_missing_text_encoder_is_named(sd3):
    assert "lacks the text encoder t5xxl" in sd3["missing"]


def test_folders_of_extra_model_paths_come_first(everything):
    seen = everything["folders"]
    assert len(seen["paths"]) == 3 and seen["paths"][0] == "/extra/supsae"
    assert seen["new"] == "/extra/supsae/mine.safetensors"
    assert seen["endings"] == [".safetensors"] and all(seen["listed"])
