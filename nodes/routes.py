"""What the panels ask of the server: routes under /supsae, read-only but for the upload of a dictionary."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from safetensors import SafetensorError, safe_open

from ..hosts.comfyui import comfy_host, spelling
from ..supsae_core.capture import activations, captures
from ..supsae_core.dictionary.concept_list import concept_list
from ..supsae_core.dictionary.file import load_dictionary, read_header
from ..supsae_core.table import check, paste
from ..supsae_core.table.concepts import TableError

VERSION = 1
"""Of what the routes answer; panels that know another say so."""
MOST = 256 * 1024 * 1024
"""Bytes of an uploaded file: SD3.5's dictionaries have some tens of megabytes."""
MOST_HEADER = 8 * 1024 * 1024
"""Bytes of a header that is read: tables of thousands of concepts have one of less than a megabyte."""
MOST_LISTED = 32 * 1024 * 1024
"""Bytes of a capture's index that is read only to tell how far it is."""

_ENDINGS = re.compile(r"(?i)(?:\.safetensors|[._-])+$")

Handler = Callable[[web.Request], Awaitable[dict[str, Any] | web.FileResponse]]
"""Request → JSON or a file; raises ValueError with a sentence."""


class Missing(ValueError):
    """What was asked for is not there."""


# --- dictionaries --------------------------------------------------------------------------------------------------


async def list_dictionaries(request: web.Request) -> dict[str, Any]:
    """Name the dictionaries that a loader offers."""
    return {"version": VERSION, "names": await asyncio.to_thread(comfy_host.dictionary_names)}


async def show_dictionary(request: web.Request) -> dict[str, Any]:
    """Describe a dictionary by its header."""
    name = request.query.get("name", "")
    return await asyncio.to_thread(described, name)


def described(name: str) -> dict[str, Any]:
    """Return the concepts of a dictionary that a loader offers; of its file only the header is read.

    Raises:
        ValueError: as ``offered``, or if it is no dictionary.
    """
    file = offered(name)
    return {"version": VERSION, "name": name, **concept_list(read_header(file))}


async def download(request: web.Request) -> web.FileResponse:
    """Give a dictionary away: the one file that is shared."""
    return web.FileResponse(await asyncio.to_thread(offered, request.query.get("name", "")))


def offered(name: str) -> Path:
    """Find the file of a dictionary that a loader offers.

    Raises:
        Missing: if there is none of the name.
        ValueError: if it is a link out of the folders, or begins as no dictionary does.
    """
    if name not in comfy_host.dictionary_names():
        known = ", ".join(comfy_host.dictionary_names()) or "none"
        raise Missing(f"There is no dictionary {name!r} in models/supsae. There are: {known}.")
    file = comfy_host.dictionary_file(name)
    if not any(file.resolve().is_relative_to(folder.resolve()) for folder in comfy_host.dictionary_folders()):
        raise ValueError(f"The dictionary {name!r} is a link to another folder. Name that in extra_model_paths.yaml.")
    require_small_header(file, name)
    return file


def require_small_header(file: Path, name: str) -> None:
    """Refuse a file whose header says that it is huge, before anything reads it.

    Raises:
        ValueError: with the file's name.
    """
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
    if size > MOST_HEADER:
        raise ValueError(f"{name!r} is not a SupSAE dictionary: it does not begin as one, with a header of a few MB.")


async def upload(request: web.Request) -> dict[str, Any]:
    """Save an uploaded dictionary in models/supsae under its own name, with a number behind it if that is taken."""
    field = await _file_of(request)
    name = re.split(r"[/\\]", field.filename or "")[-1]
    folder = comfy_host.dictionary_folders()[0]
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        await _receive(field, part, name)
        return {"version": VERSION, "name": await asyncio.to_thread(keep, part, name)}
    finally:
        part.unlink(missing_ok=True)


async def _file_of(request: web.Request) -> BodyPartReader:
    field = await (await request.multipart()).next() if request.content_type == "multipart/form-data" else None
    if not isinstance(field, BodyPartReader) or field.name != "file" or not field.filename:
        raise ValueError("No file was sent. Send one as the field 'file' of multipart/form-data.")
    return field


async def _receive(field: BodyPartReader, part: Path, name: str) -> None:
    if not name.lower().endswith(".safetensors"):
        raise ValueError(f"{name!r} is no dictionary: those end in .safetensors.")
    size = 0
    with part.open("xb") as file:
        while chunk := await field.read_chunk(1024 * 1024):
            size += len(chunk)
            if size > MOST:
                raise ValueError(f"{name!r} is larger than {MOST // 2**20} MB. Copy it to models/supsae yourself.")
            file.write(chunk)


def keep(part: Path, name: str) -> str:
    """Give a received file its name, if it is a dictionary; return the name that a loader shows.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        require_small_header(part, name)
        load_dictionary(part)
    except ValueError as error:
        raise ValueError(str(error).replace(part.name, name)) from error
    while True:
        file = comfy_host.free_dictionary_file(stem(name))
        try:
            file.touch(exist_ok=False)  # two uploads of one name may race
        except FileExistsError:
            continue
        part.replace(file)
        return file.name


def stem(name: str) -> str:
    """Return what a file is to be called: harmless characters, at most 70, and no ending."""
    tidy = _ENDINGS.sub("", re.sub(r"[^\w.-]+", "_", name)).lstrip("._-")
    return _ENDINGS.sub("", tidy[:70]) or "dictionary"


# --- tables --------------------------------------------------------------------------------------------------------


async def check_table(request: web.Request) -> dict[str, Any]:
    """Say what is wrong with a table's text, or how much can be drawn from it."""
    text, tokenizer = await _texts(request, "text", "tokenizer")
    if tokenizer and tokenizer not in spelling.SPELLERS:
        raise ValueError(f"There is no tokenizer {tokenizer!r}. There are: {', '.join(spelling.SPELLERS)}.")

    def checked() -> dict[str, Any]:
        return check.check(text, spelling.SPELLERS[tokenizer]()) if tokenizer else check.check(text)

    return {"version": VERSION, **await asyncio.to_thread(checked)}


async def import_table(request: web.Request) -> dict[str, Any]:
    """Merge a pasted list into a table's text."""
    pasted, table = await _texts(request, "text", "table")
    try:
        made = await asyncio.to_thread(paste.merge, table, pasted)
    except TableError as error:
        return {"version": VERSION, "ok": False, "text": table, "added": 0, "error": str(error)}
    return {"version": VERSION, "ok": True, **made._asdict(), "error": None}


async def _texts(request: web.Request, *names: str) -> list[str]:
    """Return members of a JSON object that are texts, null and missing ones as nothing."""
    try:
        body = await request.json()
    except (ValueError, RecursionError, LookupError) as error:  # no JSON, too deep, in no encoding that there is
        raise ValueError(f"The request is not JSON: {error}.") from error
    found = [body.get(name) or "" for name in names] if isinstance(body, dict) else [None]
    if not all(isinstance(one, str) for one in found):
        raise ValueError(f"The request must be a JSON object with texts as {' and '.join(map(repr, names))}.")
    return found


# --- captures ------------------------------------------------------------------------------------------------------


async def show_capture(request: web.Request) -> dict[str, Any]:
    """Say how far a capture is."""
    return {"version": VERSION, **await asyncio.to_thread(how_far, request.query.get("name", ""))}


def how_far(name: str) -> dict[str, Any]:
    """Return prompts done, of how many, and bytes of a capture's folder; none of none if there is no capture yet.

    Raises:
        ValueError: if the name cannot be one, or the capture is damaged.
    """
    folder = comfy_host.capture_folder(name)
    index = folder / "capture.json"
    if not index.is_file() or index.stat().st_size > MOST_LISTED:
        return {"done": 0, "total": 0, "bytes": 0, "folder": folder.name}
    capture = captures.load(folder)
    total = len(capture.plan.entries)
    left = sum(len(capture.entries(shard)) for shard in capture.missing())
    done = total - left if capture.plan.sampling is None else _sampled(folder)
    return {"done": done, "total": total, "bytes": comfy_host.bytes_in(folder), "folder": folder.name}


def _sampled(folder: Path) -> int:
    """Count the pictures in a capture of activations by the headers alone; opening it would tidy its files up."""
    found: set[int] = set()
    for file in (folder / activations.SUMS, *folder.glob(activations.BATCHES)):
        if file.is_file():
            with safe_open(file, "pt") as opened:
                found.update(_prompts(file.name, opened.metadata() or {}))
    return len(found)


def _prompts(name: str, metadata: Mapping[str, str]) -> list[int]:
    try:
        return [int(one) for one in json.loads(metadata["prompts"])]
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{name!r} of this capture does not say which prompts it holds. Delete it.") from error


# --- the server ----------------------------------------------------------------------------------------------------

ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/supsae/dictionaries"): list_dictionaries,
    ("GET", "/supsae/dictionary"): show_dictionary,
    ("GET", "/supsae/download"): download,
    ("GET", "/supsae/capture"): show_capture,
    ("POST", "/supsae/table/check"): check_table,
    ("POST", "/supsae/table/import"): import_table,
    ("POST", "/supsae/upload"): upload,
}
"""Method and path → handler."""


def answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what the server calls: JSON, a file, or a sentence with 404 or 400."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            found = await handler(request)
            return web.json_response(found) if isinstance(found, dict) else found
        except Missing as error:
            return web.json_response({"error": str(error)}, status=404)
        except (ValueError, OSError, SafetensorError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return answer


def register() -> None:
    """Add the routes to the server, where there is one."""
    routes = comfy_host.route_table()
    for (method, path), handler in ROUTES.items() if routes is not None else ():
        routes.route(method, path)(answering(handler))
