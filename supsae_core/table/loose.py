"""A table as somebody types it who was told nothing: words alone, which are sorted into categories."""

from __future__ import annotations

import re

from .concepts import TableError
from .parsing import parse_yaml
from .paste import merge_list

_QUOTED = re.compile(r"""\s*(["'])[\w ’'-]+\1(?:\s*[,;\n]\s*(["'])[\w ’'-]+\2)*\s*[,;]?\s*""")
"""Words that each stand in quotes, which are no YAML."""


def understood(text: str) -> str:
    """Return the text of a table: words that stand under no category are sorted into some, all else is left as it is.

    Any two of them are taken for true at once, unless they end in the same word (``paste.sorted_apart``).
    """
    words = _loose(text)
    return text if words is None else merge_list("", words, apart=True).text


def is_loose(text: str) -> bool:
    """Tell whether a text is words alone."""
    return _loose(text) is not None


def _loose(text: str) -> str | None:
    """Return words that stand under no category as a list to paste; None of any other text."""
    try:
        read = parse_yaml(text)[1]
    except TableError:  # whoever reads it as a table says what is wrong, unless it is quotes alone
        return text if _QUOTED.fullmatch(text) else None
    if isinstance(read, list) and all(isinstance(one, str) for one in read):
        return "\n".join(read)
    return text if isinstance(read, str) else None
