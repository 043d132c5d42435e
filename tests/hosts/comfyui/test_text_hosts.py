"""ComfyUI's CLIPs keep what every text host must."""

import pytest
from invariants import INVARIANTS


@pytest.fixture(scope="module")
def broken(comfy_python):
    return comfy_python("text_hosts")


@pytest.mark.parametrize("family", ["portraits", "sd3"])
@pytest.mark.parametrize("name", INVARIANTS)
def test_every_host_keeps_the_invariants(broken, family, name):
    assert broken[f"{family}: {name}"] == ""
