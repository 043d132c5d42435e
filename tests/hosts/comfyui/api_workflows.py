"""Workflows in API format: what tests of nodes in a server queue."""

import json

PROMPT = "a portrait of a person with blond hair, green eyes, smiling, sandy beach"
TABLE = "hair: {red: red hair, blond: blond hair}\neyes: {blue: blue eyes, green: green eyes}"
CLIP = {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}}
UNET = {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"}
MODEL = {"class_type": "UNETLoader", "inputs": UNET}
DICTIONARY = {"class_type": "SupSAE_LoadDictionary", "inputs": {"name": "portraits.safetensors"}}
BLOCKS = {
    "record": "prompts and blocks", "record.model": ["model", 0], "record.sites": "txt@1, img@2", "record.steps": 4,
    "record.cfg": 3.0, "record.width": 128, "record.height": 128, "record.image": "mean",
}  # fmt: skip


def shown(node: str, output: int) -> dict:
    return {"class_type": "PreviewAny", "inputs": {"source": [node, output]}}


def capturing(name: str, table: str = TABLE, file: str = "", **changes) -> dict:
    """Return a workflow from a table to a capture; `changes` go to Capture."""
    capture = {"name": name, "prompts": 64, "calibration": 12, "mention": 0.75, "held_out": 0.0, "seed": 0}
    inputs = {"clip": ["clip", 0], "table": ["table", 0], "record": "prompts", **capture, **changes}
    return {
        "clip": CLIP,
        "model": MODEL,
        "table": {"class_type": "SupSAE_ConceptTable", "inputs": {"text": table, "file": file}},
        "capture": {"class_type": "SupSAE_Capture", "inputs": inputs},
    }


def fitting(name: str, save: str | None = None, overwrite: bool = False, **changes) -> dict:
    """Return a workflow from a table to a fit, saved under a name if there is one."""
    file = {"save": "no"} if save is None else {"save": "in models/supsae", "save.name": save}
    inputs = {"capture": ["capture", 0], **file, **({} if save is None else {"save.overwrite": overwrite})}
    return capturing(name, **changes) | {"fit": {"class_type": "SupSAE_FitDictionary", "inputs": inputs}}


def editing(**changes) -> dict:
    """Return a workflow that edits PROMPT; `changes` go to Concept Edit."""
    edit = {"action": "swap", "concept": "hair: red", "strength": 1.0, **changes}
    inputs = {"edits": ["edit", 0], "conditioning": ["text", 0], "dictionary": ["dictionary", 0], "where": "everywhere"}
    return {
        "clip": CLIP,
        "dictionary": DICTIONARY,
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": PROMPT}},
        "edit": {"class_type": "SupSAE_ConceptEdit", "inputs": edit},
        "apply": {"class_type": "SupSAE_ApplyEdits", "inputs": inputs},
        "report": shown("apply", 2),
    }


def saving(name: str, **changes) -> dict:
    """Return a workflow that saves PROMPT as edited; `changes` go to Concept Edit."""
    inputs = {"conditioning": ["apply", 0], "name": name, "overwrite": False}
    return editing(**changes) | {"save": {"class_type": "SupSAE_SaveConditioning", "inputs": inputs}}


def loading(name: str, drawn: bool = False) -> dict:
    """Return a workflow that loads a conditioning, and samples a small picture of it if that is asked for."""
    load = {"load": {"class_type": "SupSAE_LoadConditioning", "inputs": {"name": name}}, "report": shown("load", 1)}
    if not drawn:
        return load
    settings = {"seed": 0, "steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    links = {"model": ["model", 0], "positive": ["load", 0], "negative": ["load", 0], "latent_image": ["size", 0]}
    size = {"width": 64, "height": 64, "batch_size": 1}
    return load | {
        "model": MODEL,
        "vae": {"class_type": "VAELoader", "inputs": {"vae_name": "supsae_portraits_vae.safetensors"}},
        "size": {"class_type": "EmptySD3LatentImage", "inputs": size},
        "sampler": {"class_type": "KSampler", "inputs": {**settings, **links}},
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["vae", 0]}},
        "picture": {"class_type": "PreviewImage", "inputs": {"images": ["decode", 0]}},
    }


def poles(low: str, high: str) -> dict:
    inputs = {"clip": ["clip", 0], "low": low, "high": high, "pairs": 12}
    return {"class_type": "SupSAE_QuickConcept", "inputs": inputs}


def quick(low: str, high: str) -> dict:
    """Return a workflow that learns two poles at once and edits PROMPT to the high one."""
    made = poles(low, high)
    flow = editing(concept="blond or red: red hair") | {"quick": made}
    flow["apply"]["inputs"]["dictionary"] = ["quick", 0]
    return {name: node for name, node in flow.items() if name != "dictionary"}


def combining(first: dict, second: dict, mix: dict, clashes: str = "first") -> dict:
    """Return a workflow that combines two dictionaries, mixes PROMPT with both and draws it small."""
    combine = {"first": ["first", 0], "second": ["second", 0], "clashes": clashes, "save": "no"}
    text = json.dumps({"version": 1, "mix": mix})
    mixer = {"mix": text, "dictionary": ["combine", 0], "conditioning": ["text", 0]}
    settings = {"seed": 0, "steps": 12, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    links = {"model": ["model", 0], "positive": ["mixer", 0], "negative": ["text", 0], "latent_image": ["size", 0]}
    return {
        **{name: editing()[name] for name in ("clip", "text")},
        "first": first,
        "second": second,
        "combine": {"class_type": "SupSAE_CombineDictionaries", "inputs": combine},
        "mixer": {"class_type": "SupSAE_ConceptMixer", "inputs": mixer},
        "shown": shown("mixer", 2),
        "model": MODEL,
        "vae": {"class_type": "VAELoader", "inputs": {"vae_name": "supsae_portraits_vae.safetensors"}},
        "size": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
        "sampler": {"class_type": "KSampler", "inputs": {**settings, **links}},
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["vae", 0]}},
        "picture": {"class_type": "PreviewImage", "inputs": {"images": ["decode", 0]}},
    }


def sweeping(strengths: str, calibrate: dict) -> dict:
    """Return a workflow that draws PROMPT, small and in few steps, at several strengths of its red hair."""
    asked = {"class_type": "SupSAE_StrengthSweep", "inputs": {"strengths": strengths, **calibrate}}
    return _drawing(asked, steps=2, side=64, batch=2)


def auditing(seeds: int) -> dict:
    """Return a workflow that draws so many seeds of PROMPT, from 2 on, without and with red hair: a reader sees it."""
    asked = {"class_type": "SupSAE_Audit", "inputs": {"seeds": seeds, "seed": 2, "judge": "reader of Portraits"}}
    made = _drawing(asked, steps=6, side=128, batch=1)
    made["nothing"] = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": ""}}
    made["asked"]["inputs"]["negative"] = ["nothing", 0]  # PROMPT would push its edited self beyond red
    return made


def _drawing(asked: dict, steps: int, side: int, batch: int) -> dict:
    """Return a workflow with a node that draws pictures of PROMPT itself, and its report shown."""
    settings = {"seed": 0, "steps": steps, "cfg": 3.0, "sampler": "euler", "scheduler": "simple"}
    links = {"positive": "text", "negative": "text", "latent": "size", "edits": "edit"}
    links |= {name: name for name in ("model", "vae", "dictionary")}
    inputs = {**settings, **asked["inputs"], **{name: [node, 0] for name, node in links.items()}}
    size = {"width": side, "height": side, "batch_size": batch}
    return {
        **{name: editing()[name] for name in ("clip", "dictionary", "text", "edit")},
        "model": MODEL,
        "vae": {"class_type": "VAELoader", "inputs": {"vae_name": "supsae_portraits_vae.safetensors"}},
        "size": {"class_type": "EmptySD3LatentImage", "inputs": size},
        "asked": {**asked, "inputs": inputs},
        "report": shown("asked", 2),
    }


def mixing(rows: dict | str, *connected: str) -> dict:
    """Return a workflow with the mixer on what is connected, and its report shown."""
    mix = rows if isinstance(rows, str) else json.dumps({"version": 1, "mix": rows} if rows else {})
    links = {name: [{"conditioning": "text"}.get(name, name), 0] for name in ("dictionary", *connected)}
    mixer = {"class_type": "SupSAE_ConceptMixer", "inputs": {"mix": mix, **links}}
    found = {name: editing()[name] for name in ("clip", "dictionary", "text")}
    return {**found, "model": MODEL, "mixer": mixer, "shown": shown("mixer", 2)}
