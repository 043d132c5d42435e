"""Low-rank adapters of the Portraits transformer, trained once in a run's folder, as the gallery draws with them."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...hosts.diffusers.studio import Studio
from ...supsae_core.capture.plan import TextPlan
from ...training import distributed
from ..baselines import low_rank
from ..results import Hooks
from .gallery import ModelChange
from .parts import CONCEPTS


def trained(models: Studio, folder: Path, plan: TextPlan, hooks: Hooks) -> Mapping[str, ModelChange]:
    """Train an adapter of every one of ``CONCEPTS`` on the fitted prompts, each on one rank.

    Those in the folder are taken over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {str(concept) for concept in plan.table.concepts}
    prompts = [entry.prompt for entry in plan.entries if entry.set == "fit"]
    held_out = [frozenset(pair) for pair in plan.held_out]
    files = {one: folder / f"{one.replace(': ', ' ')}.safetensors" for one in CONCEPTS if one in known}

    def train(concept: str) -> None:
        if not files[concept].exists():
            hooks.say(f"Training a low-rank adapter for {concept}.")
            low_rank.train(models, plan.table, concept, prompts, held_out=held_out).save(files[concept])

    distributed.shared(list(files), train)
    made = {}
    for concept, file in files.items():
        name = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        made[concept] = ModelChange(name, partial(low_rank.adapted, models.transformer, low_rank.load(file)))
    return made
