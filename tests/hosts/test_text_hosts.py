"""Every text host keeps what capture counts on; the one inside ComfyUI is asked the same by scripts/text_hosts.py."""

import pytest
from invariants import INVARIANTS

from supsae.hosts.choose import HOSTS, plugged, text_host
from supsae.hosts.diffusers.text import DiffusersText
from supsae.hosts.embedded import PortraitsText

pytestmark = pytest.mark.slow

MADE = {
    "portraits": lambda _: PortraitsText(),
    "diffusers": lambda get: DiffusersText(get("sd3").pipeline),
    "minilm": lambda get: get("minilm_host"),
}
assert INVARIANTS, "nothing is asked of a host"


@pytest.fixture(scope="module", params=MADE)
def host(request):
    return MADE[request.param](request.getfixturevalue)


@pytest.mark.parametrize("name", INVARIANTS)
def test_every_host_keeps_the_invariants(host, name):
    INVARIANTS[name](host)


def test_a_package_can_plug_its_own_host_in(monkeypatch):
    """By an entry point of the group that docs/contributing.md names; the folder is passed on."""

    class Entry:
        name = "mine"

        def load(self):
            return lambda folder: (folder, PortraitsText())

    monkeypatch.setattr("supsae.hosts.choose.entry_points", lambda group: [Entry()] if group == HOSTS else [])
    folder, made = text_host("somewhere", "mine")
    assert folder == "somewhere" and made.family.name == "portraits"
    with pytest.raises(ValueError, match="There is no text host 'theirs'. There are: minilm, encoder, mine"):
        plugged("theirs")
