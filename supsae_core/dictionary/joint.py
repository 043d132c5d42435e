"""Parts of a combined dictionary: codes of all members in one basis, to count tokens and to describe by.

The basis spans both decoders and what their biases differ by, so every mean token decodes as it does for its owner. Own
effects of phrases are left to the members, which make the edits.

Letters: R codes of the whole, r of a member, K concepts, d columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from .model import POOLED, Codes, Dictionary, Member, Part

LEAST = 1e-6
"""Directions below this share of the strongest are rounding."""
THRESHOLDS = 8


def joint_part(name: str, whole: Dictionary) -> Part:
    """Return the part of an encoder, or the pooled vector's; ``whole`` has its table and members."""
    held = [one.dictionary.parts[name] for one in whole.members]
    codes, turns, shifts = _joint(held, whole, "mean" if name == POOLED else "text")
    shares = _shares(whole.members)
    names, turned = (one.name for one in fields(Part)), list(zip(held, turns, shares, strict=True))
    spread = {
        name: _whitener([(getattr(part, name), turn, share) for part, turn, share in turned])
        for name in names
        if name.startswith("whiten_")
    }
    means = [part.mean_code @ turn + shift for part, turn, shift in zip(held, turns, shifts, strict=True)]
    mean = sum((share * one for share, one in zip(shares, means, strict=True)), torch.zeros(len(codes.decoder)))
    return Part(**vars(codes), **spread, mean_code=mean, thresholds=held[0].thresholds)


def joint_codes(name: str, whole: Dictionary, level: int, rows: str) -> Codes:
    """Return the codes of a stream inside the model at one noise level; ``rows`` as of ``streams.py``."""
    return _joint([one.dictionary.streams[name][level] for one in whole.members], whole, rows)[0]


def _joint(held: Sequence[Codes], whole: Dictionary, rows: str) -> tuple[Codes, list[Tensor], list[Tensor]]:
    """Return codes of all, and per member what turns its codes (r,) into the whole's (R,) and what is added then."""
    bias = held[0].bias
    stack = torch.cat([one.decoder for one in held] + [(one.bias - bias)[None] for one in held[1:]]).double()
    _, sizes, axes = torch.linalg.svd(stack, full_matrices=False)
    decoder = axes[sizes > LEAST * sizes[0]]
    turns = [(one.decoder.double() @ decoder.T).float() for one in held]
    shifts = [((one.bias - bias).double() @ decoder.T).float() for one in held]
    owned = _owned(held, whole, rows)
    tokens = max(one.slot_codes.shape[1] for one in held)
    shape, (rank, concepts) = (len(owned), tokens), (len(decoder), len(whole.table))
    codes, context = torch.zeros(*shape, rank), torch.zeros(len(owned), concepts)
    lengths, groups, effects = torch.zeros(len(owned), dtype=torch.int64), [], dict[Any, Tensor]()
    for slot, some in enumerate(owned):
        member, own = next((one for one in some if held[one[0]].slot_tokens[one[1]]), some[0])
        lengths[slot] = held[member].slot_tokens[own]
        told = held[member].slot_codes[own] @ turns[member] + shifts[member]
        codes[slot, : len(told)] = torch.where(torch.arange(len(told))[:, None] < lengths[slot], told, 0.0)
        alone = len(some) == 1 and rows in ("text", "attention")
        key = (some[0][0], int(held[some[0][0]].slot_groups[some[0][1]])) if alone else tuple(some)
        groups.append(list(effects).index(key) if key in effects else len(effects))
        if key not in effects:
            effects[key] = torch.zeros(concepts, rank)
            for member, own in some:
                of = held[member].group_effects[key[1]] if alone else held[member].effect(own)
                _fill(effects[key], of @ turns[member], whole, member)
        for member, own in some:
            _fill(context[slot], held[member].mean_context[own], whole, member)
    gains = torch.ones(concepts)
    for member, one in enumerate(held):
        _fill(gains, one.gains, whole, member)
    made = Codes(
        bias, decoder.float(), codes, torch.stack([*effects.values()]), torch.zeros(len(owned), concepts, 0), context,
        lengths, torch.tensor(groups), gains, slot_directions=torch.zeros(len(owned), 0, rank),
    )  # fmt: skip
    return made, turns, shifts


def _owned(held: Sequence[Codes], whole: Dictionary, rows: str) -> list[list[tuple[int, int]]]:
    """Return, per slot of the whole, who has it as (member, own slot): a phrase its owner alone, all else everybody."""
    if rows in ("mean", "positions"):
        return [[(member, slot) for member in range(len(held))] for slot in range(len(held[0].slot_tokens))]
    owned: list[list[tuple[int, int]]] = []
    for slot, phrase in enumerate(whole.table.phrases):
        first = whole.members.index(whole.owner(phrase.concept))
        order = [first, *(number for number in range(len(held)) if number != first)]
        knows = [number for number in order if slot in whole.members[number].own_phrase]
        owned.append([(knows[0], whole.members[knows[0]].own_phrase[slot])])
    for role in range(len(whole.family.roles) if rows != "attention" else 0):
        owned.append([(number, len(one.phrases) + role) for number, one in enumerate(whole.members)])
    return owned


def _fill(into: Tensor, values: Tensor, whole: Dictionary, member: int) -> None:
    """Write what a member has of its concepts (k, …) to those of the whole (K, …), in place."""
    one = whole.members[member]
    for concept, own in one.own_concept.items():
        if whole.owner(concept) is one:
            into[concept] = values[own]


def _shares(members: Sequence[Member]) -> list[float]:
    counts = [prompts(one.dictionary) for one in members]
    return [count / sum(counts) for count in counts]


def prompts(dictionary: Dictionary) -> int:
    """Return how many prompts a dictionary was learnt from; 1 if it does not say."""
    found = dictionary.provenance.get("prompts")
    return found if isinstance(found, int) and found > 0 else 1


def _whitener(some: Sequence[tuple[Tensor, Tensor, float]]) -> Tensor:
    """Return upper triangular (R, R) that whitens as whiteners (r, r) do on average, each turned by (r, R).

    A direction that no member has counts as the average one does.
    """
    rank = some[0][1].shape[1]
    covariance = torch.zeros(rank, rank, dtype=torch.float64)
    for whitener, turn, share in some:
        square = whitener.double() @ whitener.double().T
        own = torch.linalg.inv(square)
        inside = turn.double().T @ own @ turn.double()
        left = torch.eye(rank, dtype=torch.float64) - turn.double().T @ turn.double()
        covariance += share * (inside + own.diagonal().mean() * left)
    covariance += 1e-6 * covariance.diagonal().mean() * torch.eye(rank, dtype=torch.float64)
    lower = torch.linalg.cholesky((covariance + covariance.T) / 2)
    return torch.linalg.solve_triangular(lower, torch.eye(rank, dtype=torch.float64), upper=False).T.float()
