"""Keep pytest from importing the checkout as a second package, and fit the one dictionary that many tests read.

The repository root has an `__init__.py`, so pytest would import it under the folder's name on the way down to tests/.
Registered as a plugin, because a conftest's hooks are not asked about folders above its own.
"""

from typing import Any, NamedTuple

import pytest


class RootIsAFolder:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if path == parent.config.rootpath else None


def pytest_configure(config):
    config.pluginmanager.register(RootIsAFolder())


class Learnt(NamedTuple):
    """The frozen Portraits encoders, a capture of them, and the dictionary fitted to it."""

    table: Any
    host: Any
    capture: Any
    dictionary: Any
    held_out: frozenset

    def encoded(self, prompt):
        """Encode a prompt as a capture would hold it, in full precision."""
        from supsae.supsae_core.captures import Encoded, Entry

        conds, pooled = self.host.encode([prompt.text])
        return Encoded(Entry(prompt, "test", self.host.counts(prompt.words)), conds[0].clone(), pooled[0].clone())


@pytest.fixture(scope="session")
def learnt(tmp_path_factory):
    """200 prompts and 32 to calibrate with, 12 % of the pairs of concepts held out: about six seconds."""
    from supsae.portraits import captions
    from supsae.training import capture, fit
    from supsae.training.host import PortraitsText

    table, host = captions.table(), PortraitsText()
    config = capture.CaptureConfig(prompts=200, calibration=32, held_out=0.12)
    plan = capture.plan(table, host, config, captions.WORDING)
    made = capture.run(host, tmp_path_factory.mktemp("learnt") / "capture", plan)
    return Learnt(table, host, made, fit.fit(made), frozenset(frozenset(pair) for pair in plan.held_out))
