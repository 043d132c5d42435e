"""Folders and files of ComfyUI: where dictionaries, captures, conditionings, evaluations and tables lie."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import folder_paths

from ...portraits.paths import WEIGHTS
from ...supsae_core.words import folded

DICTIONARIES = "supsae"
"""The folder kind of dictionaries: models/supsae, extra_model_paths.yaml, and the pack's own."""
SHIPPED = "portraits.safetensors"
"""What loaders show first."""
GIVEN = " [input]"
"""Behind the name of a conditioning that lies in the input folder."""
MOST_BYTES = 200
"""Bytes of a name: systems bound them at 255, and endings and numbers come behind."""
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³")}
"""Names that Windows keeps, whatever their ending."""


def register_folders() -> None:
    """Make the pack's weights and dictionaries known; what extra_model_paths.yaml said before keeps its place."""
    for kind in ("diffusion_models", "vae"):
        folder_paths.add_model_folder_path(kind, str(WEIGHTS / kind))
    folder_paths.add_model_folder_path(DICTIONARIES, str(Path(folder_paths.models_dir) / DICTIONARIES))
    folder_paths.add_model_folder_path(DICTIONARIES, str(WEIGHTS / DICTIONARIES))
    # A kind that add_model_folder_path makes up lists files of every extension.
    paths, _ = folder_paths.folder_names_and_paths[DICTIONARIES]
    folder_paths.folder_names_and_paths[DICTIONARIES] = (paths, {".safetensors"})


def dictionary_names() -> list[str]:
    """List the dictionary files as a loader shows them, the one that ships first; hidden files are no dictionaries."""
    names = folder_paths.get_filename_list(DICTIONARIES)
    shown = [name for name in names if not any(part.startswith(".") for part in Path(name).parts)]
    return sorted(shown, key=lambda name: name != SHIPPED)


def dictionary_file(name: str) -> Path:
    """Find a dictionary by the name that the loader shows."""
    found = folder_paths.get_full_path(DICTIONARIES, name)
    if found is None:
        known = ", ".join(dictionary_names()) or "none"
        raise ValueError(f"There is no dictionary {name!r} in models/{DICTIONARIES}. There are: {known}.")
    return Path(found)


def dictionary_folders() -> list[Path]:
    """List the folders of dictionaries; the first is the one that new files go to, the pack's own is the last."""
    own, paths = WEIGHTS / DICTIONARIES, [Path(path) for path in folder_paths.get_folder_paths(DICTIONARIES)]
    return [*(path for path in paths if path != own), own]


def free_dictionary_file(stem: str) -> Path:
    """Name a file that no loader shows yet: one of the pack's own names would hide that."""
    return new_dictionary_file(stem, lambda _: False)


def new_dictionary_file(name: str, replace: Callable[[Path], bool]) -> Path:
    """Name the file to write: a file that is there and may not be replaced is kept, and a number is appended.

    A name that any folder of dictionaries offers, spelled in whatever case, is never given to another file: it would
    hide that one.
    """
    folder = dictionary_folders()[0]
    stem = file_name(name.removesuffix(".safetensors"), "the dictionary")
    own = {_spelled(file.name): file for file in folder.glob("*.safetensors")} if folder.is_dir() else {}
    taken = {_spelled(name) for name in folder_paths.get_filename_list(DICTIONARIES)} - own.keys()
    for one in _numbered(stem):
        file = own.get(_spelled(f"{one}.safetensors"), folder / f"{one}.safetensors")
        if _spelled(file.name) not in taken and (not file.exists() or replace(file)):
            return file
    raise AssertionError("numbers do not end")


def _spelled(name: str) -> str:
    """Return what names have in common that some system takes for the same."""
    return folded(name).casefold()


def capture_folder(name: str) -> Path:
    """Return <output>/supsae/captures/<name>."""
    return Path(folder_paths.get_output_directory()) / "supsae" / "captures" / file_name(name, "the capture")


def free_capture_folder(name: str, is_free: Callable[[Path], bool]) -> Path:
    """Return the first of <name>, <name>_2, <name>_3 … that is free for a capture, or holds it already."""
    return next(folder for folder in map(capture_folder, _numbered(name)) if is_free(folder))


def conditioning_folder() -> Path:
    """Return <output>/supsae/conditionings, where they are saved."""
    return Path(folder_paths.get_output_directory()) / "supsae" / "conditionings"


def conditioning_names() -> list[str]:
    """List the saved conditionings as a loader shows them, and behind them what somebody put into the input folder."""
    given = Path(folder_paths.get_input_directory())
    return [*_tensor_files(conditioning_folder()), *(f"{name}{GIVEN}" for name in _tensor_files(given))]


def conditioning_file(name: str) -> Path:
    """Find a saved conditioning by the name that the loader shows.

    Raises:
        ValueError: if there is none of the name, or if it is a link out of its folder.
    """
    names = conditioning_names()
    if name not in names:
        raise ValueError(
            f"There is no saved conditioning {name!r} in output/supsae/conditionings or in the input folder. There "
            f"are: {', '.join(names) or 'none'}."
        )
    folder = Path(folder_paths.get_input_directory()) if name.endswith(GIVEN) else conditioning_folder()
    file = folder / name.removesuffix(GIVEN)
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"The saved conditioning {name!r} is a link to another folder. Copy the file itself here.")
    return file


def new_conditioning_file(name: str, replace: Callable[[Path], bool]) -> Path:
    """Name the file to write: a file that is there and may not be replaced is kept, and a number is appended."""
    folder = conditioning_folder()
    stem = file_name(name.removesuffix(".safetensors"), "the conditioning")
    own = {_spelled(one): folder / one for one in _tensor_files(folder)}
    for one in _numbered(stem):
        file = own.get(_spelled(f"{one}.safetensors"), folder / f"{one}.safetensors")
        if not file.exists() or replace(file):
            return file
    raise AssertionError("numbers do not end")


def _tensor_files(folder: Path) -> list[str]:
    """List the tensor files of a folder by name, those below it and hidden ones left out."""
    if not folder.is_dir():
        return []
    found = (file.name for file in folder.iterdir() if file.suffix == ".safetensors" and file.is_file())
    return sorted((name for name in found if not name.startswith(".")), key=str.casefold)


def _numbered(name: str) -> Iterator[str]:
    """Yield <name>, <name>_2, <name>_3 …"""
    return itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))


def bytes_in(folder: Path) -> int:
    """Return the size of a capture's tensors."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def evaluation_folder(name: str) -> Path:
    """Return <output>/supsae/evaluation-<name>."""
    return Path(folder_paths.get_output_directory()) / "supsae" / file_name(f"evaluation-{name}", "the evaluation")


def free_check_folder(family: str) -> Path:
    """Return <output>/supsae/check-<family>, with a number behind it where there is one already."""
    below = Path(folder_paths.get_output_directory()) / "supsae"
    wanted = (below / one for one in _numbered(file_name(f"check-{family}", "the check")))
    return next(folder for folder in wanted if not folder.exists())


def input_file(name: str, endings: Sequence[str]) -> Path:
    """Return a file below ComfyUI's input folder."""
    folder = Path(folder_paths.get_input_directory()).resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder) or file.suffix.lower() not in endings:
        raise ValueError(f"{name!r} must be a file in ComfyUI's input folder that ends in {', '.join(endings)}.")
    return file


def file_name(name: str, what: str) -> str:
    """Accept a bare name only: workflows come from strangers and must not write elsewhere."""
    wanted = folded(name)
    if not re.fullmatch(r"[^\W_][\w .-]{0,79}", wanted) or wanted.endswith("."):
        raise ValueError(
            f"{name!r} cannot name {what}. Use letters, digits, blanks, '-', '_' and '.', starting with a letter or "
            "a digit, at most 80 of them and no folders."
        )
    size = len(wanted.encode())
    if size > MOST_BYTES:
        raise ValueError(
            f"{name!r} is too long to name {what}: it takes {size} bytes, and {MOST_BYTES} at most leave room for an "
            "ending. Shorten it."
        )
    if wanted.split(".")[0].strip().upper() in DEVICES:
        raise ValueError(f"{name!r} cannot name {what}: Windows keeps this name for a device. Choose another.")
    return wanted


def changed(file: Path) -> tuple[float, int] | None:
    """Return what tells one version of a file from another, None if it is not there."""
    return (file.stat().st_mtime, file.stat().st_size) if file.is_file() else None
