"""What scripts share: holding what is found against what is wanted, and telling a test what was seen."""

import json

import torch

WRONG = []
"""What was not as it should be; in_comfyui.py fails a script for it, at its end."""


def expect(name, found, wanted=True):
    if found != wanted:
        WRONG.append(f"{name}: {found!r}, not {wanted!r}")


def equal(name, one, other):
    """Expect two tensors to be equal to the bit."""
    expect(f"{name}, shape", list(one.shape), list(other.shape))
    expect(name, torch.equal(one, other))


def between(name, low, found, high):
    if not low < found < high:
        WRONG.append(f"{name}: {found!r}, not above {low} and below {high}")


def below(name, found, limit):
    between(name, -1, found, limit)


def refused(sentence, function, *arguments, **named):
    """Expect a ValueError that says this."""
    said = error(function, *arguments, **named)
    if sentence not in (said or ""):
        WRONG.append(f"not refused with {sentence!r}: {said}")


def error(function, *arguments, **named):
    """Return the sentence of the ValueError that the call raises, None if it raises none."""
    try:
        function(*arguments, **named)
    except ValueError as sentence:
        return str(sentence)


def encode_with(clip, prompt):
    """Return the conditioning that ComfyUI's own node makes of a prompt."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(prompt))


def tell(seen):
    """Hand JSON to the test that runs this script."""
    print("TOLD " + json.dumps(seen, default=str))
