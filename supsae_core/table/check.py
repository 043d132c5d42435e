"""What is to be said of a concept table while it is written: where it is wrong, or how much can be drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from .concepts import ConceptTable, TableError
from .loose import is_loose, understood
from .parsing import parse_table, require_short

SCALES = ("", "thousand", "million", "billion", "trillion")
Speller = Callable[[str], Iterable[tuple[str, str]]]
"""Phrase → (text encoder, why it cannot spell it); nothing if all encoders can."""


def describe_table(text: str, speller: Speller = lambda phrase: ()) -> dict[str, Any]:
    """Describe a table's text as JSON.

    Returns:
        ``{"ok", "error": {"message", "line", "column"} or None, "summary", "categories", "concepts", "phrases",
        "prompts", "prompt_count", "unspellable": [{"phrase", "encoder", "why"}], "sorted"}``; ``sorted`` is how words
        alone were sorted into categories, else nothing; lines and columns count from 1, and are None where a place
        cannot be named.
    """
    empty = {"summary": "", "categories": 0, "concepts": 0, "phrases": 0, "prompts": "", "prompt_count": 0}
    try:
        require_short(text)
        table = parse_table(understood(text))
    except TableError as error:
        line, column = error.place or (None, None)
        wrong = {"message": str(error), "line": line, "column": column}
        return {"ok": False, "error": wrong, **empty, "unspellable": [], "sorted": ""}
    unspellable: list[dict[str, str]] = []
    for phrase in table.phrases:
        why_not = speller(phrase.text)
        unspellable += [{"phrase": phrase.text, "encoder": encoder, "why": why} for encoder, why in why_not]
    told = grouped(table) if is_loose(text) else ""
    return {"ok": True, "error": None, **counted(table), "unspellable": unspellable, "sorted": told}


def counted(table: ConceptTable) -> dict[str, Any]:
    """Count what a table has, and say it in a line."""
    numbers = {"categories": len(table.categories), "concepts": len(table), "phrases": len(table.phrases)}
    count = prompts(table)
    sizes = ", ".join(f"{number} {name}" for name, number in numbers.items())
    said = f"{sizes} · {spelled(count)} different prompts"
    return {"summary": said, **numbers, "prompts": spelled(count), "prompt_count": min(count, 10**300)}


def grouped(table: ConceptTable) -> str:
    """Say which concepts are in which category."""
    return "; ".join(
        f"{name}: {', '.join(table.concepts[index].name for index in members)}"
        for name, members in table.categories.items()
    )


def prompts(table: ConceptTable) -> int:
    """Count the different prompts, order and joining words aside: of each category one phrase, or none."""
    phrases = dict.fromkeys(table.categories, 0)
    for concept in table.concepts:
        phrases[concept.category] += len(concept.phrases)
    return prod(1 + count for count in phrases.values())


def spelled(count: int) -> str:
    """Say a large number as a person does: two digits and a word."""
    if count < 1000:
        return str(count)
    for power, name in reversed(list(enumerate(SCALES))):
        value = count / 1000**power if count < 10**18 else 0
        if value >= 0.995:  # what two digits round up to one
            return f"about {float(f'{value:.2g}'):g} {name}"
    return "more than a quadrillion"
