"""Words and names as people and prompts write them: what looks alike is made equal, what no prompt can say is told.

And how a tokenizer spells the words of a text, counted word by word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

QUOTES = str.maketrans({**dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‘’‚‛′", "'")})
"""Quotes as text programs and web pages set them → as a keyboard has them."""
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Letters and marks in the width of Chinese and Japanese ones → the narrow ones."""
PROMPT_SYNTAX = {
    "a prompt weight": r"[(\[][^()\[\]]*:\s*[-+]?[\d.]+\s*[)\]]",
    "brackets that weigh words": r"^[(\[].*[)\]]$|\(\(|\)\)",
    "a wildcard": r"\{[^{}]*\|[^{}]*\}|__[\w/*-]+__",
    "a tag": r"<[^<>]+:[^<>]*>",
    "an embedding": r"\bembedding:",
}
"""What nodes read for themselves before any text encoder sees it → how it is written."""


def folded(text: str) -> str:
    """Return a text in which what looks alike is equal: composed, narrow, in straight quotes, nothing invisible."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    typed = unicodedata.normalize("NFC", text.translate(WIDE).translate(QUOTES))
    shown = "".join(" " if char.isspace() or unicodedata.category(char) == "Cc" else char for char in typed)
    return " ".join("".join(char for char in shown if unicodedata.category(char) != "Cf").split())


def unquoted(text: str) -> str:
    """Take quotes off that stand around a whole text."""
    around = len(text) > 2 and text[0] == text[-1] in "\"'" and text[0] not in text[1:-1]
    return text[1:-1].strip() if around else text


def prompt_syntax(phrase: str) -> str:
    """Return what a phrase holds that is not said in words, such as ``a prompt weight``; else nothing."""
    return next((name for name, pattern in PROMPT_SYNTAX.items() if re.search(pattern, phrase)), "")


def counts_in_text(tokens: Callable[[str], int], words: Sequence[str]) -> tuple[int, ...]:
    """Return how many tokens each word of a text adds to those before it.

    For tokenizers that glue words to blanks or marks, where a word alone is spelled otherwise than in a text.
    ``tokens`` says how many tokens a text has, none of a template or of the ends counted.
    """
    counts, before = [], tokens("")
    for number in range(1, len(words) + 1):
        now = tokens(" ".join(words[:number]))
        counts.append(now - before)
        before = now
    return tuple(counts)
