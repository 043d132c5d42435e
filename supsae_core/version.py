"""The one place of the version, which files and reports name; pyproject.toml repeats it for the registry."""

__version__ = "0.1.0"
