"""Options of solvers as text, such as ``rank=64``: a solver's frozen config dataclass says which there are."""

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import Field, fields, replace
from types import NoneType
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

Config = TypeVar("Config")


class Kind(NamedTuple):
    """How a type of number is called in a message."""

    one: str
    plural: str


NUMBERS = {int: Kind("a whole number", "whole numbers"), float: Kind("a number", "numbers")}


def about(text: str) -> dict[str, str]:
    """Return the metadata of a config's field: what the option does, in a few words, with its unit."""
    return {"help": text}


def parse_options(defaults: Config, given: Sequence[str]) -> Config:
    """Return a solver's options with those given as ``NAME=VALUE`` in place of their defaults.

    Args:
        defaults: a frozen dataclass of numbers, numbers or None, and sequences of numbers, which are written with
            commas.

    Raises:
        ValueError: naming the option, what was given, and what is legal.
    """
    known = {one.name: one for one in _options(defaults)}
    types = get_type_hints(type(defaults))
    read: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"The option {text!r} has no value. Write it as NAME=VALUE, such as {_example(defaults)}.")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"There is no option {name!r} (in {text!r}). Options are: {', '.join(known)}.{hint}")
        if name in read:
            raise ValueError(f"The option {name!r} is given twice. Give it once.")
        try:
            read[name] = _value(types[name], value)
        except ValueError:
            raise ValueError(f"The option {name!r} is {value!r}. It takes {_legal(types[name])}.") from None
    return replace(defaults, **read)  # type: ignore[type-var]


def option_lines(defaults: object) -> Iterator[str]:
    """Yield one line per option: its spelling with the default, and what it does."""
    for one in _options(defaults):
        yield f"{one.name}={_spelled(getattr(defaults, one.name))}  {one.metadata.get('help', '')}"


def _options(defaults: object) -> tuple[Field[Any], ...]:
    return fields(defaults)  # type: ignore[arg-type]


def _example(defaults: object) -> str:
    first = _options(defaults)[0].name
    return f"{first}={_spelled(getattr(defaults, first))}"


def _spelled(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        return ",".join(map(_spelled, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _legal(kind: Any) -> str:
    """Say what a field of a type takes."""
    some = get_args(kind)
    if NoneType in some:
        return f"{_legal(some[0])}, or none"
    if some:
        return f"{NUMBERS[some[0]].plural}, with commas between them"
    return NUMBERS[kind].one


def _value(kind: Any, text: str) -> object:
    """Read one value of a field of type ``int``, ``float``, either ``| None``, or a sequence of either."""
    some = get_args(kind)
    if NoneType in some:
        return None if text.lower() == "none" else _value(some[0], text)
    if some:
        return tuple(_value(some[0], part.strip()) for part in text.split(",")) if text else ()
    value = kind(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value
