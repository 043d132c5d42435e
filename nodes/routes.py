"""What the panels ask of the server: routes under /supsae, read-only but for the upload of a dictionary."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web

from ..hosts.comfyui import folders, messages, shelf, spelling
from ..hosts.comfyui.capture_progress import how_far
from ..supsae_core.files import part_beside
from ..supsae_core.table import check, paste
from ..supsae_core.table.concepts import TableError

VERSION = 1
"""Of what the routes answer; panels that know another say so."""
MOST = 256 * 1024 * 1024
"""Bytes of an uploaded file: SD3.5's dictionaries have some tens of megabytes."""
Handler = Callable[[web.Request], Awaitable[dict[str, Any] | web.FileResponse]]
"""Request → JSON or a file; raises ValueError with a sentence."""


# --- dictionaries --------------------------------------------------------------------------------------------------


async def list_dictionaries(request: web.Request) -> dict[str, Any]:
    """Name the dictionaries that a loader offers."""
    return {"version": VERSION, "names": await asyncio.to_thread(folders.dictionary_names)}


async def show_dictionary(request: web.Request) -> dict[str, Any]:
    """Describe a dictionary by its header."""
    name = request.query.get("name", "")
    return {"version": VERSION, **await asyncio.to_thread(shelf.described, name)}


async def download(request: web.Request) -> web.FileResponse:
    """Give a dictionary away: the one file that is shared."""
    return web.FileResponse(await asyncio.to_thread(shelf.offered, request.query.get("name", "")))


KEEPING = asyncio.Lock()
"""Held while an upload gets its name: of several at once each finds what the others took."""


async def upload(request: web.Request) -> dict[str, Any]:
    """Save an uploaded dictionary in models/supsae under its own name, with a number behind it if that is taken."""
    field = await _file_of(request)
    name = re.split(r"[/\\]", field.filename or "")[-1]
    folder = folders.dictionary_folders()[0]
    folder.mkdir(parents=True, exist_ok=True)
    part = part_beside(folder / name)
    try:
        await _receive(field, part, name)
        async with KEEPING:
            return {"version": VERSION, "name": await asyncio.to_thread(shelf.keep, part, name)}
    finally:
        part.unlink(missing_ok=True)


async def _file_of(request: web.Request) -> BodyPartReader:
    is_form = request.content_type == "multipart/form-data"
    field: Any = await (await request.multipart()).next() if is_form else None
    if not isinstance(field, BodyPartReader) or field.name != "file" or not field.filename:
        raise ValueError("No file was sent. Send one as the field 'file' of multipart/form-data.")
    return field


async def _receive(field: BodyPartReader, part: Path, name: str) -> None:
    if not name.lower().endswith(".safetensors"):
        raise ValueError(f"{name!r} is no dictionary: those end in .safetensors.")
    size = 0
    with part.open("xb") as file:
        while piece := await field.read_chunk(1024 * 1024):
            size += len(piece)
            if size > MOST:
                raise ValueError(f"{name!r} is larger than {MOST // 2**20} MB. Copy it to models/supsae yourself.")
            file.write(piece)


# --- tables --------------------------------------------------------------------------------------------------------


async def check_table(request: web.Request) -> dict[str, Any]:
    """Say what is wrong with a table's text, or how much can be drawn from it."""
    text, tokenizer = await _texts(request, "text", "tokenizer")
    if tokenizer and tokenizer not in spelling.SPELLERS:
        raise ValueError(f"There is no tokenizer {tokenizer!r}. There are: {', '.join(spelling.SPELLERS)}.")

    def checked() -> dict[str, Any]:
        return check.describe_table(text, spelling.SPELLERS[tokenizer]()) if tokenizer else check.describe_table(text)

    return {"version": VERSION, **await asyncio.to_thread(checked)}


async def import_table(request: web.Request) -> dict[str, Any]:
    """Merge a pasted list into a table's text."""
    pasted, table, apart = await _texts(request, "text", "table", "apart")
    try:
        made = await asyncio.to_thread(paste.merge_list, table, pasted, apart=bool(apart))
    except TableError as error:
        return {"version": VERSION, "ok": False, "text": table, "added": 0, "loose": 0, "error": str(error)}
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
        except shelf.NotOnShelfError as error:
            return web.json_response({"error": str(error)}, status=404)
        except (ValueError, OSError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return answer


def register() -> None:
    """Add the routes to the server, where there is one."""
    routes = messages.route_table()
    if routes is None:
        return
    for (method, path), handler in ROUTES.items():
        routes.route(method, path)(answering(handler))
