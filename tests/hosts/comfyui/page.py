"""Drives ComfyUI's page in a real, headless Chromium: one `ComfyPage` with one workflow."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # not everyone who tests has it
    from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Locator, Page

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip
RENDERERS = {"classic": False, "vue": True}
"""Name → value of Comfy.VueNodes.Enabled."""
READY = (
    "!!(window.app?.extensionManager && window.app.canvas && "
    "window.LiteGraph?.registered_node_types['SupSAE_ConceptEdit'])"
)
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VueNodes.Enabled": False,
    "Comfy.ColorPalette": "dark",
    "Comfy.Locale": "en",
}
"""What a page starts with."""
VIEWPORT = {"width": 1500, "height": 950}
NOT_OURS = ("net::ERR", "huggingface.co", "graph accessed before initialization", "gone.safetensors")
"""Complaints of the frontend itself, on a machine without network; and a file that tests ask for in vain."""
OURS = "ComfyUI-SupSAE"
"""Folder of the pack on the server; messages of its scripts carry it."""


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: $CHROMIUM, else one on the PATH."""
    wanted = os.environ.get("CHROMIUM")
    names = (wanted,) if wanted else ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class ComfyPage:
    """A page of ComfyUI with what it said."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        page.set_default_timeout(15_000)
        self.said: list[str] = []
        self.expected: list[str] = []
        self._debugger: CDPSession | None = None
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        where = (message.location or {}).get("url", "")
        if message.type == "error" or (message.type == "warning" and OURS in where + message.text):
            self.said.append(f"{message.type}: {message.text} ({where})")

    def complaints(self) -> list[str]:
        """Return errors of any script, warnings of ours, and what the server refused us."""
        known = (*NOT_OURS, *self.expected)
        return [one for one in self.said if not any(some in one for some in known) and not _of_others(one)]

    def open(self) -> None:
        self.page.goto(self.url, wait_until="domcontentloaded")
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.wait_for_function("!document.querySelector('#splash-loader')", timeout=60_000)

    def rest(self, still: bool = True) -> None:
        """Stop the page as a debugger does, or wake it: what it does in every frame takes a tenth of a core.

        A page that is frozen (Page.setWebLifecycleState) still takes that.
        """
        self._debugger = self._debugger or self.page.context.new_cdp_session(self.page)
        for command in ("Debugger.enable", "Debugger.pause") if still else ("Debugger.disable",):
            self._debugger.send(command)

    def setting(self, name: str, value: Any) -> None:
        """Change a setting of the frontend in the running page."""
        self.page.evaluate("([name, value]) => window.app.extensionManager.setting.set(name, value)", [name, value])

    def load(self, workflow: dict, app: bool = False) -> None:
        """Open a workflow; one that is an app as a graph all the same, unless it is to be seen as one."""
        if not app:
            extra = {key: value for key, value in workflow.get("extra", {}).items() if not key.startswith("linear")}
            workflow = workflow | {"extra": extra}
        self.page.evaluate("async (w) => { await window.app.loadGraphData(w) }", workflow)
        self.frames()

    def skip_tour(self) -> None:
        """Close the frontend's own tour of apps, which it offers the first time."""
        from playwright.sync_api import TimeoutError as NotShownError

        with suppress(NotShownError):
            self.page.get_by_text("Skip", exact=True).click(timeout=5000)

    def frames(self, count: int = 3) -> None:
        for _ in range(count):
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")

    def value(self, node: int | str, widget: str) -> Any:
        find = "([id, name]) => window.app.graph.getNodeById(id).widgets.find((one) => one.name === name).value"
        return self.page.evaluate(find, [node, widget])

    def mix(self, node: int | str) -> dict:
        return json.loads(self.value(node, "mix")).get("mix", {})

    def workflow(self) -> dict:
        return self.page.evaluate("() => window.app.graph.serialize()")

    def show(self, node: int | str) -> None:
        """Bring a node to the middle of the screen."""
        self.page.evaluate(
            """(id) => {
                const { canvas, graph } = window.app, node = graph.getNodeById(id), ds = canvas.ds;
                const box = canvas.canvas.getBoundingClientRect();
                ds.scale = 1;
                [box.width, box.height].forEach((n, i) => { ds.offset[i] = (n - node.size[i]) / 2 - node.pos[i]; });
                canvas.setDirty(true, true);
            }""",
            node,
        )
        self.frames()

    def command(self, name: str) -> None:
        """Run a command of the frontend, such as Comfy.Undo."""
        self.page.evaluate("async (name) => await window.app.extensionManager.command.execute(name)", name)
        self.frames()

    def changed(self) -> None:
        """Let the frontend notice what a script changed, as letting go of the mouse does."""
        self.page.evaluate("() => window.dispatchEvent(new MouseEvent('mouseup'))")
        self.frames()

    def row(self, category: str) -> Locator:
        return self.page.get_by_role("group", name=category, exact=True)

    def run(self, timeout: float = 120) -> dict:
        """Press Run and wait; return the outputs by node."""
        self.page.evaluate(
            """() => { window.__done = null;
                const api = window.app.api ?? window.comfyAPI.api.api;
                const heard = new AbortController();
                const end = (e) => { window.__done = e.type; heard.abort(); };
                for (const type of ["execution_success", "execution_error", "execution_interrupted"])
                    api.addEventListener(type, end, { signal: heard.signal }); }"""
        )
        self.page.evaluate("async () => { await window.app.queuePrompt(0, 1) }")
        self.page.wait_for_function("window.__done", timeout=timeout * 1000)
        done = self.page.evaluate("window.__done")
        if done != "execution_success":
            raise RuntimeError(f"the run ended with {done}")
        self.frames()
        return self.page.evaluate("() => window.app.nodeOutputs")


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """Start a browser, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS), headless=True)
        try:
            yield browser
        finally:
            browser.close()


def _of_others(said: str) -> bool:
    """Tell whether a message is about a file that the frontend itself did not find."""
    return "Failed to load resource" in said and OURS not in said and "/supsae/" not in said
