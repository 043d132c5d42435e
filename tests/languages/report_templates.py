"""The sentences that Python writes and the panels show, collected from the source as templates with named holes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES: dict[str, tuple[str, ...]] = {
    "supsae_core/editing/outcome.py": (),
    "supsae_core/editing/offered.py": (),
    "supsae_core/editing/room.py": (),
    "supsae_core/editing/change.py": (),
    "supsae_core/editing/edits.py": ("spell_edit", "resolve_edits", "_occurrence", "_add"),
    "supsae_core/editing/mix.py": ("usable_mix", "told_whens"),
    "supsae_core/editing/evenness.py": ("tell_evenness",),
    "supsae_core/dictionary/concept_list.py": (),
    "supsae_core/dictionary/file.py": ("_read", "_damaged", "_lacking", "_header", "_parsed"),
    "supsae_core/dictionary/checks.py": (),
    "supsae_core/dictionary/shipped.py": ("told_of_shipped",),
    "supsae_core/dictionary/model.py": ("phrase",),
    "supsae_core/dictionary/combine.py": (
        "combine", "_require_same_encoders", "_named", "_resolved", "_united", "_words", "_streams", "_told",
    ),
    "nodes/combine.py": ("execute",),
    "supsae_core/dictionary/slider_map.py": (),
    "supsae_core/tensor_files.py": (),
    "supsae_core/files.py": ("missing", "CHANGED"),
    "supsae_core/encoders/placing.py": (),
    "supsae_core/encoders/layout.py": (),
    "supsae_core/encoders/chunked.py": (),
    "supsae_core/encoders/padded.py": (),
    "supsae_core/encoders/templated.py": (),
    "supsae_core/encoders/families/stored.py": (),
    "supsae_core/words.py": (),
    "supsae_core/table/concepts.py": (),
    "supsae_core/table/parsing.py": (),
    "supsae_core/table/paste.py": ("merge_list",),
    "hosts/comfyui/spelling.py": (),
    "hosts/comfyui/shelf.py": ("offered", "_sound", "require_small_header"),
    "hosts/comfyui/negative.py": (),
    "hosts/comfyui/quick.py": ("told", "GUESS", "BESIDE"),
    "nodes/routes.py": (),
    "supsae_core/reading/readout.py": (),
    "supsae_core/reading/known_text.py": (),
    "supsae_core/reading/offer.py": (),
    "supsae_core/reading/prompt_report.py": (),
    "hosts/comfyui/edit_reports.py": (),
    "hosts/comfyui/idle.py": (),
    "hosts/comfyui/mixing.py": (),
    "hosts/comfyui/saved_reports.py": (),
    "hosts/comfyui/placed.py": (),
    "hosts/comfyui/conditionings.py": (),
    "hosts/comfyui/steering_run.py": (),
    "hosts/comfyui/applying.py": ("announced",),
    "hosts/comfyui/comparing.py": (),
    "hosts/comfyui/locked_picture.py": (),
    "hosts/comfyui/references.py": ("told",),
    "hosts/comfyui/trying.py": ("_tried", "_in_picture", "_report", "_told"),
    "hosts/comfyui/sweeping.py": ("sweep", "_told_calibrated"),
    "nodes/sweep.py": ("execute",),
    "hosts/comfyui/map_reports.py": ("said", "as_text"),
    "hosts/comfyui/prompt_reading.py": (),
    "evaluation/report/panel.py": (),
    "evaluation/report/describe.py": (),
    "evaluation/text/metrics.py": ("_why_poor",),
    "evaluation/audit.py": ("tell", "_counted", "_as_asked", "_beside"),
    "evaluation/check/layout.py": ("_family", "_lengths", "_words", "_weights"),
    "evaluation/check/judged.py": (
        "learning", "edits", "_split", "_ranged", "pictures", "blocks", "verdicts", "_of_swaps", "_beside",
    ),
    "evaluation/check/run.py": ("NO_PICTURES", "NO_BLOCKS"),
    "nodes/check.py": ("saved_in",),
}  # fmt: skip
"""Module → the functions and constants whose strings are shown; all of the module's if none is named."""
WORDS = {
    "did not take", "cannot be tried", "nothing", "block", "Encoder", "Pictures", "Prompts", "cell|swaps", "cell|both",
    "from this block on", "only before this block", "no edit", "prompt rewrite", "how|told", "how|sure", "how|likely",
    "Checks", "cell|check", "cell|found", "cell|family", "cell|rows", "cell|words", "cell|weights", "cell|learning",
    "cell|reading", "cell|adds", "cell|removals", "cell|pictures", "cell|blocks", "verb|swap", "verb|add",
    "verb|remove", "verb|scale", "verb|clear",
}  # fmt: skip
"""Words that are shown alone, which no rule tells from keys; each stands in ``WORD_SOURCES``. What may as well be a
concept's name says in which hole it is meant; ``cell`` is a whole text."""
WORD_SOURCES = (
    *SOURCES, "hosts/comfyui/patching.py", "evaluation/pictures/methods.py", "evaluation/check/files.py",
)  # fmt: skip
NUMBER = "_n"
"""End of the name of a hole that holds a number, as the panels know it."""
HOLE = re.compile(r"\{(\w+)\}")
NOT_SHOWN = {"{list}, times", "attachment; filename*=UTF-8''{quote}", "sha256 of tensors"}
"""What is drawn into a picture, or said to the browser alone."""
SHAPE = re.compile("->|^[a-z]( [a-z])+$")
"""How einops is told what to do."""


def templates() -> dict[str, str]:
    """Return template → the module that it stands in."""
    found = {}
    for module, functions in SOURCES.items():
        tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        for part in _parts(tree, functions):
            for text in _texts(part):
                lines = [] if text in NOT_SHOWN else text.split("\n")
                found |= {one: module for line in lines if (one := trimmed(line)) and _is_prose(one)}
    return found | dict.fromkeys(WORDS, "")


def words_in_source() -> set[str]:
    """Return all plain strings of the modules that words may come from."""
    nodes = (one for module in WORD_SOURCES for one in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))))
    return {one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def shape(template: str) -> str:
    """Return a template whose holes have no names: two of one shape would match the same lines."""
    return HOLE.sub("{}", template)


def trimmed(text: str) -> str:
    """Cut off what only joins a piece to others, at which the panels take lines apart."""
    return text.lstrip(" ,;:.").rstrip(" ,;:")


def _parts(tree: ast.Module, names: tuple[str, ...]) -> list[ast.AST]:
    """Return the functions and constants of these names; all there is if there are none."""
    if not names:
        return [tree]
    found = dict[str, ast.AST]()
    for one in ast.walk(tree):
        if isinstance(one, ast.FunctionDef):
            found[one.name] = one
        elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
            found[one.targets[0].id] = one
    return [found[name] for name in names]


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield what a node's strings say, docstrings and annotations passed over."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.replace("{}", "{value}")
    if isinstance(node, ast.JoinedStr):
        yield _template(node)
    for field, value in ast.iter_fields(node):
        if field not in ("returns", "annotation", "format_spec"):
            some = value if isinstance(value, list) else [value]
            for one in some:
                own = isinstance(node, ast.JoinedStr) and isinstance(one, ast.Constant)  # part of the template
                if isinstance(one, ast.AST) and not own:
                    yield from _texts(one)


def _template(node: ast.JoinedStr) -> str:
    text, used = "", dict[str, int]()
    for one in node.values:
        if isinstance(one, ast.Constant):
            text += str(one.value)
        elif isinstance(one, ast.FormattedValue) and not text.endswith("}"):  # two without a letter between are one
            name = _name(one.value) + (NUMBER if _is_number(one) else "")
            used[name] = used.get(name, 0) + 1
            text += f"{{{name}{used[name] if used[name] > 1 else ''}}}"
    return text


def _name(node: ast.expr) -> str:
    """Return a name for a value; ``s`` for letters that follow a number, which other languages may leave out."""
    chosen = node.body if isinstance(node, ast.IfExp) else node.left if isinstance(node, ast.BinOp) else None
    if isinstance(chosen, ast.Constant) and isinstance(chosen.value, str):
        return "s"
    if isinstance(node, ast.BoolOp):
        return _name(node.values[0])
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").lower()
    if isinstance(node, ast.Name):
        return node.id.strip("_").lower()
    if isinstance(node, ast.Call):
        inner = isinstance(node.func, ast.Name) and node.func.id in ("len", "str", "repr", "max", "min", "float")
        joined = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
        return "list" if joined else _name(node.args[0] if inner else node.func)
    below = (one for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute))
    return next((_name(one) for one in below), "value")


def _is_number(hole: ast.FormattedValue) -> bool:
    """Tell whether a value is written as a number, is a sum with a whole number in it, or a length."""
    if hole.format_spec is not None:
        return bool(re.search("[defg%]'$", ast.unparse(hole.format_spec)))
    node = hole.value
    if isinstance(node, ast.BinOp):
        return any(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in (node.left, node.right))
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def _is_prose(text: str) -> bool:
    said = HOLE.sub(" ", text)
    return bool(re.search("[A-Za-z]{2}", said) and re.search(r"\s", text.strip())) and not SHAPE.search(text)
