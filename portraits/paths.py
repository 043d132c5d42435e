"""Where the embedded world's files lie."""

from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = FOLDER / "concepts.yaml"
WORDINGS = FOLDER / "wordings.yaml"
WEIGHTS = FOLDER / "weights"
DICTIONARY = WEIGHTS / "supsae" / "portraits.safetensors"
"""The dictionary that the pack ships."""
