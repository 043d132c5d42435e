"""A real ComfyUI with every node's widgets and sockets, and every route, fed with what does not belong there."""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from .faults import FOREIGN, SENTENCE, Tally
from .texts import HOSTILE, SEEDS, noisy

HARNESS = Path(__file__).parents[2] / "tests" / "hosts" / "comfyui"
"""Starts a server with a copy of this checkout as its only custom node."""
LITERALS = (
    None, True, -1, 2**70, 1e308, "", "x", "\x00", "../../x", "1" * 400, [], {}, [[]], {"a": 1}, "nan", "-0",
    "0, 1, 2, 3", "portraits.safetensors", "CON", "a.b.", "é" * 90,
)  # fmt: skip
"""What is written into a widget or onto a socket."""
PROVIDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIP": ("SupSAE_LoadPortraitsCLIP", {}),
    "MODEL": ("UNETLoader", {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"}),
    "VAE": ("VAELoader", {"vae_name": "supsae_portraits_vae.safetensors"}),
    "CONDITIONING": ("CLIPTextEncode", {"clip": ["CLIP", 0], "text": "a portrait of a person with red hair"}),
    "LATENT": ("EmptySD3LatentImage", {"width": 128, "height": 128, "batch_size": 1}),
    "MASK": ("SolidMask", {"value": 1.0, "width": 16, "height": 16}),
    "SUPSAE_TABLE": ("SupSAE_ConceptTable", {"text": "hair: [red hair, blond hair]\nhat: [a cap, no hat]", "file": ""}),
    "SUPSAE_DICTIONARY": ("SupSAE_LoadDictionary", {"name": "portraits.safetensors"}),
    "SUPSAE_EDITS": ("SupSAE_ConceptEdit", {"action": "swap", "concept": "hair: blond", "strength": 1.0}),
    "SUPSAE_CAPTURE": ("SupSAE_Capture", {
        "clip": ["CLIP", 0], "table": ["SUPSAE_TABLE", 0], "name": "torture", "prompts": 12, "calibration": 4,
        "mention": 0.75, "held_out": 0.0, "seed": 0, "record": "prompts",
    }),
    "SUPSAE_LOCK": ("SupSAE_Lock", {"model": ["MODEL", 0], "threshold": 1.0, "floor": 0.1, "grow": 1}),
}  # fmt: skip
"""Type of a socket → a node that gives one (the lock is its second output), under the type's name."""
SLOW = ("SupSAE_EvaluateDictionary",)
"""Not run as they are: minutes."""
STEPS = {"steps": 2}
"""Widgets that are set low, so that a picture is quick."""
NAMES = ("../x", "..\\x", "a\x00b.safetensors", ".hidden.safetensors", "portraits.safetensors")
BODIES = (
    b"",
    b"[",
    b"[]",
    b"null",
    b'{"text": 3}',
    b"[" * 100_000,
    b"\xff\xfe",
    b" " * 3_000_000,
    b'{"text": ' + b"1" * 5000 + b"}",
)
CONTENTS = (b"", b"x" * 50, b"\xff" * 8 + b"x" * 100, b"\x10" + bytes(7) + b"{}" + b" " * 14)
"""Of files that are no dictionaries."""
PROMPT_SECONDS = 20.0
"""Seconds a queued prompt may take: it draws pictures."""


def torture_server(folder: Path, inputs: int, seed: int) -> list[Tally]:
    """Try ``inputs`` workflows and requests; without a ComfyUI there is nothing to try."""
    sys.path.insert(0, str(HARNESS))
    harness: Any = importlib.import_module("server")  # needs pytest

    if not isinstance(harness.COMFY, harness.Comfy):
        print(f"Nodes and routes are not tried: {harness.COMFY}.", file=sys.stderr)
        return []
    base = folder / "comfy"
    base.mkdir()
    with harness.serving(harness.COMFY, base) as running:
        return [_nodes(running, inputs // 2, seed), _routes(running, inputs - inputs // 2, seed)]


# --- nodes ---------------------------------------------------------------------------------------------------------


def _nodes(server: Any, inputs: int, seed: int) -> Tally:
    """Put something odd into one input of one node at a time, and run it."""
    tally, rng = Tally("inputs of nodes"), random.Random(seed)
    nodes = {name: info for name, info in server.object_info().items() if name.startswith("SupSAE_")}
    cases = [(name, one) for name in nodes if name not in SLOW for one in _named(nodes[name])]
    for _ in tqdm(range(inputs), desc="nodes", unit="prompt"):
        name, wanted = rng.choice(cases)
        value = rng.choice([*LITERALS, *HOSTILE[:8], noisy(rng.choice(SEEDS), rng)[:2000]])
        prompt = _workflow(nodes[name])
        prompt["it"]["inputs"][wanted] = value
        said = f"{name}.{wanted} = {json.dumps(value)[:80]}"
        tally.count += 1
        began = time.monotonic()
        wrong = _run(server, prompt)
        took = time.monotonic() - began
        if wrong:
            tally.fault(f"{said}: {wrong}")
        if took > tally.worst_seconds:
            tally.worst_seconds, tally.worst_input = took, said
        if took > PROMPT_SECONDS:
            tally.fault(f"{said}: took {took:.0f} s")
    return tally


def _named(info: dict[str, Any]) -> list[str]:
    """Return the names of a node's inputs, those of a choice's first option among them."""
    return [name for name, _ in _inputs(info["input"])]


def _inputs(described: dict[str, Any], before: str = "") -> Iterator[tuple[str, list[Any]]]:
    for kind in ("required", "optional"):
        for name, spec in described.get(kind, {}).items():
            yield before + name, spec
            if spec[0] == "COMFY_DYNAMICCOMBO_V3":
                yield from _inputs(spec[1]["options"][-1]["inputs"], f"{before}{name}.")


def _workflow(info: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow that runs a node with everything connected and all widgets at their defaults."""
    prompt = {name: {"class_type": kind, "inputs": dict(values)} for name, (kind, values) in PROVIDERS.items()}
    values: dict[str, Any] = {}
    either = {"conditioning", "model"} <= {name for name, _ in _inputs(info["input"])}
    for name, spec in _inputs(info["input"]):
        kind, more = spec[0], spec[1] if len(spec) > 1 else {}
        if kind in PROVIDERS:
            if not (either and name == "model"):
                values[name] = [kind, 1 if kind == "SUPSAE_LOCK" else 0]
        elif kind == "COMFY_DYNAMICCOMBO_V3":
            values[name] = more["options"][-1]["key"]
        elif isinstance(kind, list) or kind == "COMBO":
            options = kind if isinstance(kind, list) else more["options"]
            values[name] = more.get("default", options[0] if options else "")
        else:
            values[name] = more.get("default", "")
        values |= {name: STEPS[name]} if name in STEPS else {}
    if "where" in values:
        values |= {"where": "everywhere"}
    if "record" in values:
        values |= {"record": "prompts", "prompts": 12, "calibration": 4}
    prompt["it"] = {"class_type": info["name"], "inputs": values}
    if not info["output_node"]:
        prompt["seen"] = {"class_type": "PreviewAny", "inputs": {"source": ["it", len(info["output"]) - 1]}}
    return prompt


def _run(server: Any, prompt: dict[str, Any]) -> str:
    """Run a workflow; return what is wrong with how it went, nothing if it ran or was refused in a sentence."""
    status, answer = server.ask("/prompt", {"prompt": prompt})
    if status >= 500:
        return f"HTTP {status}: {answer[:200]!r}"
    said = json.loads(answer)
    if status >= 400 or said.get("node_errors"):  # ComfyUI's own words for what it checks itself
        texts = [one["details"] for node in said.get("node_errors", {}).values() for one in node["errors"]]
        return next((text for text in texts if FOREIGN.search(text) and "Traceback" in text), "")
    queued = said["prompt_id"]
    deadline = time.monotonic() + 5 * PROMPT_SECONDS
    while not (history := server.get(f"/history/{queued}")):
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"ComfyUI has ended, or runs for ever: {json.dumps(prompt)}")
        time.sleep(0.01)
    for event, data in history[queued]["status"]["messages"]:
        if event == "execution_error" and data["node_type"].startswith("SupSAE_"):
            kind, text = data["exception_type"], data["exception_message"].strip()
            ours = kind in ("ValueError", "OSError") or kind.endswith(("Error",)) and "supsae" in kind.lower()
            if not ours or not SENTENCE.fullmatch(text) or FOREIGN.search(text):
                return f"{kind}: {text}"
    return ""


# --- routes --------------------------------------------------------------------------------------------------------


def _routes(server: Any, inputs: int, seed: int) -> Tally:
    """Ask every route for what it does not have, in every form."""
    tally, rng = Tally("requests of routes"), random.Random(seed)
    for _ in tqdm(range(inputs), desc="routes", unit="request"):
        said, path, body, headers = _request(rng)
        tally.count += 1
        began = time.monotonic()
        status, answer = server.ask(path, body, headers)
        took = time.monotonic() - began
        if took > tally.worst_seconds:
            tally.worst_seconds, tally.worst_input = took, said
        if took > 1.0:  # of a wall, with the server's other threads beside it
            tally.fault(f"{said}: took {took:.1f} s")
        if status >= 500:
            tally.fault(f"{said}: HTTP {status}: {answer[:100]!r}")
        elif status >= 400 and answer and not answer.startswith(b'{"error"'):
            tally.fault(f"{said}: HTTP {status} without a sentence: {answer[:100]!r}")
        if headers.get("Origin") and body is not None and status != 403:
            tally.fault(f"{said}: {status} for a page of another address")
    return tally


def _request(rng: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Return what it is, the path, the body (None to get) and the headers."""
    kind = rng.choice(["name", "table", "json", "form", "origin"])
    text = noisy(rng.choice(SEEDS), rng)
    name = rng.choice(
        [*HOSTILE[:12], "../x", "..\\x", "a\x00b.safetensors", ".hidden.safetensors", "portraits.safetensors"]
    )
    written = {"Content-Type": "application/json"}
    if kind == "name":
        route = rng.choice(["dictionary", "download", "capture"])
        return f"{route} {name[:30]!r}", f"/supsae/{route}?name={quote(name, errors='replace')}", None, {}
    route = rng.choice(["check", "import"])
    body = json.dumps({"text": text, "table": rng.choice(["", *SEEDS[:3], text])}).encode()
    if kind == "table":
        return f"{route} of {text[:40]!r}", f"/supsae/table/{route}", body, written
    if kind == "origin":
        page = rng.choice(["null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1.evil.example"])
        return f"{route} from {page}", f"/supsae/table/{route}", body, {**written, "Origin": page}
    if kind == "json":
        odd = rng.choice([*BODIES, body[: len(body) // 2]])
        return f"{route} of {odd[:20]!r}", f"/supsae/table/{route}", odd, written
    content = rng.choice(CONTENTS)
    filename = name.encode("utf-8", "replace").translate(None, b'"\n') + rng.choice([b"", b".safetensors"])
    head = rng.choice([
        b'Content-Disposition: form-data; name="file"; filename="' + filename + b'"',
        b'Content-Disposition: form-data; name="file"',
        b"X: " + b"y" * 100_000,
        b"Content-Disposition: " + rng.randbytes(20).replace(b"\n", b"").replace(b"\r", b""),
        b"",
    ])  # fmt: skip
    edge = rng.choice([b"edge", b"other"])
    form = b"--" + edge + b"\r\n" + head + b"\r\n\r\n" + content + rng.choice([b"\r\n--edge--\r\n", b"", b"\r\n--edge"])
    return f"upload {head[:60]!r}", "/supsae/upload", form, {"Content-Type": "multipart/form-data; boundary=edge"}
