"""Make a family's template of the pattern, the one for SD3.5: other loaders and sampler, other words in the note."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from .graphs import (
    Graph,
    added_input,
    added_link,
    added_node,
    loading_graph,
    node_of,
    renumbered,
    replaced_origin,
    subgraph_of,
)
from .recipes import File, Recipe

PATTERN = "SD3.5 - learn and edit"
OWN = 600
"""First number of the pattern's nodes."""
SLUG = "sd35"


class Place(NamedTuple):
    """Numbers of the pattern's nodes that differ from family to family."""

    note: int = 601
    loader: int = 602
    table: int = 605
    capture: int = 607
    fit: int = 608
    size: int = 630
    draw: int = 631
    latent: int = 604
    sampler: int = 616


AT = Place()


def derived(pattern: Graph, recipe: Recipe) -> Graph:
    """Return the workflow of a recipe."""
    made = copy.deepcopy(pattern)
    _write_note(made, recipe)
    node_of(made, AT.capture)["widgets_values"][0] = f"{recipe.slug} everyday".replace("_", " ")
    node_of(made, AT.fit)["widgets_values"][1] = f"{recipe.slug}_everyday"
    _put_loader(made, recipe)
    _set_size(subgraph_of(made, AT.size), recipe)
    _set_sampler(subgraph_of(made, AT.draw), recipe)
    return renumbered(made, OWN, recipe.number, recipe.name)


# --- the note ------------------------------------------------------------------------------------------------------


def _write_note(made: Graph, recipe: Recipe) -> None:
    note = node_of(made, AT.note)
    (pattern,) = note["widgets_values"]
    prompts = pattern.partition("encodes ")[2].partition(" prompts")[0]
    concepts = pattern.partition("Learns ")[2].partition(" everyday")[0]
    end = pattern[pattern.index("## Try") :].replace(f"{SLUG}_everyday", f"{recipe.slug}_everyday")
    note["widgets_values"] = ["\n".join([*_head(recipe, concepts, prompts), "", *end.splitlines(), ""])]


def _head(recipe: Recipe, concepts: str, prompts: str) -> list[str]:
    title = recipe.title
    tried = (
        "ComfyUI's own encoder classes, small and with random weights, were learnt and edited all the way"
        if recipe.whole
        else "of its encoders only the places of words are checked, with ComfyUI's own tokenizer"
    )
    lock = "was tried with its model class at tiny size" if recipe.lock else f"was **not tried** with {title}"
    return [
        f"# {title}: learn and edit",
        "",
        f"Learns {concepts} everyday concepts from {title}'s own text encoders, then edits a picture with them, all in "
        "one run.",
        "",
        f"**Never run with {title}'s weights**: none were at hand. ComfyUI accepts every node, wire and value of it; "
        f"{tried}. The Lock {lock}. How well pictures follow is not known.",
        "",
        "## Files",
        *[f"- `{one.name}` into `models/{one.folder}`, from huggingface.co/{one.repository}" for one in recipe.files],
        "",
        "Then press `R`. A dictionary is for the encoders, not for the model: other models with these encoders work "
        "the same way.",
        *[line for remark in recipe.remarks for line in ("", remark)],
        "",
        "## How long, how much",
        f"**Capture** encodes {prompts} prompts and samples nothing, **Fit Dictionary** works on the CPU. Neither was "
        "measured with these encoders.",
    ]


# --- loaders -------------------------------------------------------------------------------------------------------


def _put_loader(made: Graph, recipe: Recipe) -> None:
    """Name the checkpoint, or put a subgraph of three loaders in its place, with the same three outputs."""
    loader = node_of(made, AT.loader)
    if not recipe.encoders:
        loader["widgets_values"] = [recipe.model.name]
        loader["properties"]["models"] = _models([recipe.model])
        return
    inner = loading_graph(f"Load {recipe.title}", f"Diffusion model, text encoders and VAE of {recipe.title}.")
    unet = added_node(inner, 640, "UNETLoader", [recipe.model.name, "default"], outputs=["MODEL"])
    unet["properties"]["models"] = _models([recipe.model])
    added_input(inner, unet, "unet_name", "Model")
    model = unet
    if recipe.shift is not None:
        model = added_node(inner, 641, "ModelSamplingAuraFlow", [recipe.shift], outputs=["MODEL"])
        added_link(inner, unet, model, "model", "MODEL")
    clip = _clip_loader(inner, recipe)
    assert recipe.vae is not None
    vae = added_node(inner, 643, "VAELoader", [recipe.vae.name], outputs=["VAE"])
    vae["properties"]["models"] = _models([recipe.vae])
    added_input(inner, vae, "vae_name", "VAE")
    for origin, kind in ((model, "MODEL"), (clip, "CLIP"), (vae, "VAE")):
        added_link(inner, origin, None, kind, kind)
    made["definitions"]["subgraphs"].insert(0, inner)
    _stand_for(loader, inner, [one.name for one in recipe.files])
    _make_room(made)


def _clip_loader(inner: Graph, recipe: Recipe) -> dict[str, Any]:
    names = [one.name for one in recipe.encoders]
    clip = added_node(inner, 642, recipe.loader, [*names, recipe.kind, "default"], outputs=["CLIP"])
    clip["properties"]["models"] = _models(recipe.encoders)
    slots = ["clip_name"] if len(names) == 1 else ["clip_name1", "clip_name2"]
    labels = ["Text encoder"] if len(names) == 1 else ["Text encoder 1", "Text encoder 2"]
    for slot, label in zip(slots, labels, strict=True):
        added_input(inner, clip, slot, label)
    return clip


def _stand_for(loader: dict[str, Any], inner: Graph, values: list[str]) -> None:
    """Make the node of the checkpoint that of a subgraph, whose files are chosen on it."""
    loader["type"], loader["title"] = inner["id"], inner["name"]
    loader["properties"] = {"cnr_id": "supsae"}
    loader["size"] = [400, 96 + 26 * len(values)]
    loader["widgets_values"] = values
    loader["inputs"] = [
        {"label": one["label"], "name": one["name"], "type": "COMBO", "widget": {"name": one["name"]}, "link": None}
        for one in inner["inputs"]
    ]


def _make_room(made: Graph) -> None:
    """Move what stands below the loader down, as far as that is higher now."""
    loader, size, table = (node_of(made, number) for number in (AT.loader, AT.size, AT.table))
    size["pos"] = [340, loader["size"][1] + 50]
    top, low = size["pos"][1] + 130, table["pos"][1] + table["size"][1]
    table["pos"], table["size"] = [340, top], [400, low - top]


def _models(files: Sequence[File]) -> list[dict[str, str]]:
    """Return what ComfyUI offers to download where a file is missing."""
    return [{"name": one.name, "url": one.url, "directory": one.folder} for one in files]


# --- drawing -------------------------------------------------------------------------------------------------------


def _set_size(inner: Graph, recipe: Recipe) -> None:
    latent = node_of(inner, AT.latent)
    latent["type"] = latent["properties"]["Node name for S&R"] = recipe.latent
    latent["widgets_values"] = [recipe.side, recipe.side, 1]
    inner["description"] = f"An empty latent of {recipe.side} pixels and an empty negative prompt."


def _set_sampler(inner: Graph, recipe: Recipe) -> None:
    sampler, sampling = node_of(inner, AT.sampler), recipe.sampling
    if sampling.scheduler:
        sampler["widgets_values"] = [7, "fixed", *sampling, 1.0]
        return
    inner["nodes"].remove(sampler)
    noise = added_node(inner, 651, "RandomNoise", [7, "fixed"], outputs=["NOISE"])
    guider = added_node(inner, 652, "CFGGuider", [sampling.cfg], outputs=["GUIDER"])
    choice = added_node(inner, 653, "KSamplerSelect", [sampling.sampler], outputs=["SAMPLER"])
    sizes = [sampling.steps, recipe.side, recipe.side]
    sigmas = added_node(inner, 654, "Flux2Scheduler", sizes, outputs=["SIGMAS"])
    made = added_node(inner, 650, "SamplerCustomAdvanced", [], outputs=["output", "denoised_output"], of="LATENT")
    made["pos"] = [380, noise["pos"][1]]
    for one in sampler["inputs"]:
        to = {"seed": (noise, "noise_seed"), "latent_image": (made, "latent_image")}
        replaced_origin(inner, one, *to.get(one["name"], (guider, one["name"])))
    ends = (("noise", noise, "NOISE"), ("guider", guider, "GUIDER"), ("sampler", choice, "SAMPLER"))
    for slot, origin, kind in (*ends, ("sigmas", sigmas, "SIGMAS")):
        added_link(inner, origin, made, slot, kind)
    for link in inner["links"]:
        if link["origin_id"] == AT.sampler:
            link["origin_id"] = made["id"]
            made["outputs"][0]["links"] = [link["id"]]
