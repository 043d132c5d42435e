"""How long the browser takes over a Concept Mixer of 200 concepts: ``python benchmarks/panel.py``; writes
``benchmarks/results/panel.json``.

Needs Playwright and a Chromium ($CHROMIUM, else on the PATH), no ComfyUI: the panel's modules are served as they are,
to a page that stands in for the frontend. Times are medians, layout included.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import writing
from playwright.sync_api import sync_playwright

WEB = Path(__file__).resolve().parents[1] / "web"
SIZES = ((4, 20), (20, 200), (50, 500))
"""Categories and concepts in all."""
BUDGET = 100.0
"""Milliseconds in which a panel of 200 concepts is to be built."""
PAGE = """
async ([categories, concepts, rounds]) => {
    const { mixerPanel } = await import("/js/mixer.js");
    document.body.innerHTML = "";
    const each = concepts / categories;
    const table = Array.from({ length: categories }, (_, i) => ({
        name: `category ${i}`, identified: true,
        concepts: Array.from({ length: each }, (_, j) => ({ name: `concept ${j}`, warning: j ? "" : "poorly learnt" })),
    }));
    const not = () => false;
    const host = { listen() {}, changed() {}, resize() {}, fit() {}, source: () => null, isMe: not, has: not };
    const timed = (act) => {
        const began = performance.now();
        act();
        document.body.getBoundingClientRect(); // lays out
        return performance.now() - began;
    };
    const median = (some) => some.sort((a, b) => a - b)[Math.floor(some.length / 2)];
    const found = { build: [], "move one": [], search: [] };
    for (let round = 0; round < rounds; round += 1) {
        let panel;
        found.build.push(timed(() => {
            panel = mixerPanel(host);
            panel.element.classList.add("supsae");
            document.body.append(panel.element);
            panel.know({ categories: table, safe: [0, 1] });
        }));
        found["move one"].push(timed(() => panel.set("category 1", { say: "concept 1", strength: 0.8 })));
        found.search.push(timed(() => { panel.search.value = "category 3"; panel.filter(); }));
        panel.element.remove();
    }
    return Object.fromEntries(Object.entries(found).map(([name, some]) => [name, median(some)]));
}
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def measure(executable: str, rounds: int) -> dict[str, dict[str, float]]:
    """Return milliseconds by size and act."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(WEB)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/supsae.css")
            page.add_style_tag(path=WEB / "supsae.css")
            page.evaluate(PAGE, [4, 20, 3])  # warm
            found = {f"{concepts} concepts": page.evaluate(PAGE, [n, concepts, rounds]) for n, concepts in SIZES}
            browser.close()
    finally:
        server.shutdown()
    return found


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        parser.error("no Chromium: install it, or set CHROMIUM to its path")
    found = measure(executable, args.rounds)
    built = found["200 concepts"]["build"]
    result = {
        "milliseconds": found,
        "200 concepts / 20 concepts": built / found["20 concepts"]["build"],
        "budget_ms": BUDGET,
        "within_budget": built < BUDGET,
    }
    writing.write(result, args.out)


if __name__ == "__main__":
    main()
