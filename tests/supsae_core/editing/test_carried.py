"""The text stream carried beside, in a model of three blocks whose text hears a picture of one number."""

import pytest
import torch

from supsae.supsae_core.editing.carried import Carried
from supsae.supsae_core.editing.steer import Stretch

PLAIN, EDITED = torch.tensor([[[1.0]]]), torch.tensor([[[10.0]]])


def block(text, picture):
    """Each becomes the sum of both and doubles."""
    return 2 * (text + picture), 2 * (picture + text)


def run(carried):
    """Return what enters every block as text, and the picture behind the last."""
    text, picture, entered = PLAIN, torch.zeros_like(PLAIN), []
    for number in range(3):
        text = carried.enter(number, text)
        entered.append(float(text))
        heard = picture
        made, picture = block(text, picture)
        carried.leave(number, lambda other, heard=heard: block(other, heard)[0])
        text = made
    return entered, float(picture)


@pytest.mark.parametrize(
    ("stretches", "inside", "entered", "picture"),
    [
        # unedited: text 1, 2 (1 + 0), 2 (2 + 2); the picture the same
        ([(3, 3)], True, [1, 2, 8], 32),
        # edited from the start: 10 times that
        ([(0, 2)], False, [10, 20, 80], 320),
        ([(0, 2)], True, [10, 20, 80], 320),
        # from block 1: the edited text has heard 0, as it did, and the picture is 2; then 2 (20 + 2) = 44 both
        ([(1, 2)], False, [1, 20, 44], 176),
        # in block 1 alone: the unedited text comes back, 2 (2 + 2) = 8 beside, and the picture is 44
        ([(1, 1)], True, [1, 20, 8], 104),
        # in blocks 0 and 2: edited 10; then the unedited, 2 beside a picture of 20; edited 2 (20 + 20) = 80 beside 44
        ([(0, 0), (2, 2)], True, [10, 2, 80], 248),
    ],
)
def test_the_text_is_what_it_would_be_had_the_prompt_said_it(stretches, inside, entered, picture):
    carried = Carried(EDITED, [Stretch("txt", *one) for one in stretches], inside, 3)
    assert run(carried) == (entered, picture)


def test_nothing_is_carried_once_the_edit_has_begun():
    carried, calls = Carried(EDITED, [Stretch("txt", 1, 1)], False, 3), []
    for number in range(3):
        carried.enter(number, PLAIN)
        carried.leave(number, lambda other, number=number: calls.append(number) or other)
    assert calls == [0]
