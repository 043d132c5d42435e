"""What the panels ask of the server: routes under /supsae, read-only but for the upload of a dictionary."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import BodyPartReader, web

from ..hosts.comfyui import carried_files, encoder_files, folders, loaders, messages, shelf, spelling
from ..hosts.comfyui.capture_progress import how_far
from ..supsae_core.files import part_beside
from ..supsae_core.table import check, loose, paste
from ..supsae_core.table.concepts import TableError

VERSION = 1
"""Of what the routes answer; panels that know another say so."""
MOST_TEXT = 1024 * 1024
"""Bytes of a request that holds texts."""
FOREIGN_PAGE = "A page of another address asked. Open ComfyUI itself, or start it with --enable-cors-header for that."
MOST = 256 * 1024 * 1024
"""Bytes of an uploaded file: SD3.5's dictionaries have some tens of megabytes."""
Handler = Callable[[web.Request], Awaitable[dict[str, Any] | web.FileResponse]]
"""Request → JSON or a file; raises ValueError with a sentence."""


# --- dictionaries --------------------------------------------------------------------------------------------------


async def list_dictionaries(request: web.Request) -> dict[str, Any]:
    """Name the dictionaries that a loader offers, and for which encoders each is, by their headers."""
    found = await asyncio.to_thread(shelf.families)
    return {"version": VERSION, "names": list(found), "families": found}


async def list_loaders(request: web.Request) -> dict[str, Any]:
    """Say whose encoders ComfyUI's loaders load."""
    return {"version": VERSION, **loaders.described_loaders()}


async def show_encoder(request: web.Request) -> dict[str, Any]:
    """Say which families' encoder a file becomes in CLIPLoader, or a checkpoint holds; null where it cannot be told."""
    file, kind, checkpoint = (request.query.get(key, "") for key in ("file", "type", "checkpoint"))
    if checkpoint:
        found = await asyncio.to_thread(encoder_files.families_in_checkpoint, checkpoint)
    else:
        found = await asyncio.to_thread(encoder_files.families_of, file, kind)
    return {"version": VERSION, "families": found}


async def show_dictionary(request: web.Request) -> dict[str, Any]:
    """Describe a dictionary by its header."""
    name = request.query.get("name", "")
    return {"version": VERSION, **await asyncio.to_thread(shelf.described, name)}


async def download(request: web.Request) -> web.FileResponse:
    """Give a dictionary away: the one file that is shared."""
    file = await asyncio.to_thread(shelf.offered, request.query.get("name", ""))
    return web.FileResponse(file, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"})


LIGHTENING = asyncio.Lock()
"""Held while a light form is made: asked for twice at once it is made once, and several do not take all cores."""


async def light(request: web.Request) -> dict[str, Any]:
    """Give what a workflow carries of a dictionary: the file where it is small, else its light form, else sizes."""
    async with LIGHTENING:
        return {"version": VERSION, **await asyncio.to_thread(carried_files.carried, request.query.get("name", ""))}


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
    field: Any = None
    if request.content_type == "multipart/form-data":
        try:
            field = await (await request.multipart()).next()
        except Exception as error:  # the library's parser has many ways of saying that this is no form
            raise ValueError(
                f"The form that was sent cannot be read ({type(error).__name__}). Send it again."
            ) from error
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
        made = await asyncio.to_thread(paste.merge_list, loose.understood(table), pasted, apart=bool(apart))
    except TableError as error:
        return {"version": VERSION, "ok": False, "text": table, "added": 0, "loose": 0, "error": str(error)}
    return {"version": VERSION, "ok": True, **made._asdict(), "error": None}


async def _texts(request: web.Request, *names: str) -> list[str]:
    """Return members of a JSON object that are texts, null and missing ones as nothing."""
    content = await _content(request)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or too deep
        raise ValueError(f"The request is not JSON in UTF-8 ({type(error).__name__}).") from error
    found = [body.get(name) or "" for name in names] if isinstance(body, dict) else [None]
    if not all(isinstance(one, str) for one in found):
        raise ValueError(f"The request must be a JSON object with texts as {' and '.join(map(repr, names))}.")
    return found


async def _content(request: web.Request) -> bytes:
    """Return what was sent, of which no more is taken into memory than a table has."""
    content = b""
    while piece := await request.content.read(MOST_TEXT + 1 - len(content)):
        content += piece
        if len(content) > MOST_TEXT:
            raise ValueError(f"The request is larger than {MOST_TEXT // 1024} KB. Divide the table.")
    return content


# --- captures ------------------------------------------------------------------------------------------------------


async def show_capture(request: web.Request) -> dict[str, Any]:
    """Say how far a capture is."""
    return {"version": VERSION, **await asyncio.to_thread(how_far, request.query.get("name", ""))}


# --- the server ----------------------------------------------------------------------------------------------------

ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/supsae/dictionaries"): list_dictionaries,
    ("GET", "/supsae/loaders"): list_loaders,
    ("GET", "/supsae/encoder"): show_encoder,
    ("GET", "/supsae/dictionary"): show_dictionary,
    ("GET", "/supsae/download"): download,
    ("GET", "/supsae/light"): light,
    ("GET", "/supsae/capture"): show_capture,
    ("POST", "/supsae/table/check"): check_table,
    ("POST", "/supsae/table/import"): import_table,
    ("POST", "/supsae/upload"): upload,
}
"""Method and path → handler."""


def answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what the server calls: JSON, a file, or a sentence with 404 or 400."""

    async def answer(request: web.Request) -> web.StreamResponse:
        made = await respond(request)
        made.headers["X-Content-Type-Options"] = "nosniff"
        return made

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.method != "GET" and not from_own_page(request.headers, messages.allowed_origin()):
            return web.json_response({"error": FOREIGN_PAGE}, status=403)
        try:
            found = await handler(request)
            return web.json_response(found) if isinstance(found, dict) else found
        except shelf.NotOnShelfError as error:
            return web.json_response({"error": str(error)}, status=404)
        except (ValueError, OSError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return answer


def from_own_page(headers: Mapping[str, str], allowed: str | None) -> bool:
    """Tell whether a request that writes comes from a page of this server, or from no page at all.

    Args:
        allowed: the origin that ComfyUI was started to allow (``--enable-cors-header``); ``*`` is any.
    """
    origin = headers.get("Origin")
    if origin is None or allowed in ("*", origin):
        return True
    hosts = (headers.get("Host"), headers.get("X-Forwarded-Host"))  # no page can set the latter without being asked
    return urlsplit(origin).netloc.lower() in [host.lower() for host in hosts if host]


def register() -> None:
    """Add the routes to the server, where there is one."""
    routes = messages.route_table()
    if routes is None:
        return
    for (method, path), handler in ROUTES.items():
        routes.route(method, path)(answering(handler))
