"""What the person at the browser is told while a node runs: progress, sentences, events; and the server's routes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import comfy.cli_args
import comfy.model_management
import comfy.utils
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from server import PromptServer
from torch import Tensor

from ...supsae_core.host import Progress


def progress() -> Progress:
    """Return a callback (done, total) that moves the node's progress bar and heeds the stop button."""
    bar = comfy.utils.ProgressBar(1)

    def tell(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return tell


class PartsBar:
    """The node's progress bar through all parts of one run."""

    def __init__(self, tell: Callable[[int, Tensor | None], None]) -> None:
        """Take what is called with (pictures done, denoised latents or None); it may raise to interrupt."""
        self._tell, self._done, self._end = tell, 0, 0

    def part(self, name: str, pictures: int) -> Callable[[int], None]:
        """Begin a part of so many pictures or prompts at most; return what is called with how many are done."""
        say(name)
        self._done, self._end = self._end, self._end + pictures

        def move(count: int) -> None:
            self._done = min(self._done + count, self._end)
            self._tell(self._done, None)

        return move

    def step(self, denoised: Tensor) -> None:
        """Show a preview, and heed the stop button between two pictures as well."""
        self._tell(self._done, denoised)


def throw_if_stopped() -> None:
    """Heed the stop button, in whatever a node runs; never in what a panel asks, which would use the signal up."""
    if get_executing_context() is not None:
        comfy.model_management.throw_exception_if_processing_interrupted()


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


def allowed_origin() -> str | None:
    """Return the origin whose pages ComfyUI was started to answer, if there is one."""
    return comfy.cli_args.args.enable_cors_header


def blocked(sentence: str) -> Any:
    """Return an output that has nothing in it: a node it is wired to fails with the sentence."""
    return ExecutionBlocker(sentence)
