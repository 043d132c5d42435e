"""What the person at the browser is told while a node runs: progress, sentences, events; and the server's routes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import comfy.model_management
import comfy.utils
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from server import PromptServer

from ...supsae_core.host import Progress


def progress() -> Progress:
    """Return a callback (done, total) that moves the node's progress bar and heeds the stop button."""
    bar = comfy.utils.ProgressBar(1)

    def tell(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return tell


def log(message: str) -> None:
    """Write a line to the log."""
    logging.info("SupSAE: %s", message)


def say(message: str) -> None:
    """Write a line to the log, and below the running node where the frontend draws such text."""
    log(message)
    context = get_executing_context()
    send = getattr(getattr(PromptServer, "instance", None), "send_progress_text", None)
    if context is not None and send is not None:
        send(message, context.node_id)


def send(event: str, data: Mapping[str, Any]) -> None:
    """Send an event to the browser that queued what is running; without one it goes to nobody in particular."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.send_sync(event, dict(data), server.client_id)


def node_id() -> str | None:
    """Return the id of the node that runs, as the browser knows it."""
    context = get_executing_context()
    return None if context is None else context.node_id


def route_table() -> Any:
    """Return aiohttp's table of the server's routes; None where there is no server."""
    server = getattr(PromptServer, "instance", None)
    return None if server is None else server.routes


def blocked(sentence: str) -> Any:
    """Return an output that has nothing in it: a node it is wired to fails with the sentence."""
    return ExecutionBlocker(sentence)
