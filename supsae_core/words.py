"""How a tokenizer spells the words of a text, counted word by word."""

from __future__ import annotations

from collections.abc import Callable, Sequence


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
