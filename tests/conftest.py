"""Keep pytest from importing the checkout as a second package.

The repository root has an `__init__.py`, so pytest would import it under the folder's name on the way down to tests/.
Registered as a plugin, because a conftest's hooks are not asked about folders above its own.
"""

import pytest


class RootIsAFolder:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if path == parent.config.rootpath else None


def pytest_configure(config):
    config.pluginmanager.register(RootIsAFolder())
