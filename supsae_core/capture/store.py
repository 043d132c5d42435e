"""The files of a capture: tensors under keys, each file written whole or not at all, and never changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..files import link_or_copy
from ..tensor_files import TensorFile, write_tensors

ENDING = ".safetensors"


@dataclass(frozen=True)
class Store:
    """A folder of keyed tensor files; text and activations lie in the same one."""

    folder: Path

    def file(self, key: str) -> Path:
        """Return where a key's tensors lie."""
        return self.folder / f"{key}{ENDING}"

    def has(self, key: str) -> bool:
        return self.file(key).exists()

    def keys(self, prefix: str) -> list[str]:
        """List the keys ``prefix-NUMBER`` that are there, in order."""
        return sorted(file.name.removesuffix(ENDING) for file in self.folder.glob(f"{prefix}-[0-9]*{ENDING}"))

    def write(self, key: str, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
        """Write tensors of any shape by name, at once: the file is there whole or not at all.

        Raises:
            OSError: with a sentence, if the disk is full.
        """
        try:
            write_tensors(self.file(key), tensors, header)
        except OSError as error:
            raise OSError(f"{error} What is there of the capture is kept.") from error

    def take(self, key: str, file: Path) -> None:
        """Take another store's file as a key's: linked where both lie on one disk, so that it takes no more of it.

        Raises:
            OSError: with a sentence, if it had to be copied and the disk is full.
        """
        link_or_copy(file, self.file(key))

    @contextmanager
    def opened(self, key: str) -> Iterator[TensorFile]:
        """Open a key's file, to read single tensors or slices of them.

        Raises:
            ValueError: if it is missing or damaged, or lacks what is asked for while it is open.
        """
        file = self.file(key)
        try:
            yield TensorFile(file)
        except (OSError, KeyError, ValueError) as error:
            said = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{file} is damaged ({said}). Delete it and run Capture again.") from error

    def read(self, key: str, *, again: bool = False) -> dict[str, Tensor]:
        """Return all tensors of a key; ``again`` if they were held against their hashes before."""
        with self.opened(key) as found:
            return {name: found.rows(name, 0, found.shape(name)[0]) for name in found.names} if again else found.read()

    def tensor(self, key: str, name: str) -> Tensor:
        """Return one tensor of a key."""
        with self.opened(key) as found:
            return found.tensor(name)

    def remove(self, key: str) -> None:
        self.file(key).unlink()

    def size(self, key: str) -> int:
        """Return the bytes of a key's file."""
        return self.file(key).stat().st_size
