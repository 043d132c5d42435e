"""The words of the templates: every note, title, label and description is translated, and finds its way back."""

import copy
import itertools
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("zh", "ja")
TEMPLATES = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
SAME = {"Portraits", "VAE", "CLIP", "MODEL"}
"""What is the same in every language."""
HOLE = re.compile(r"\{(\w+)\}")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
SPAN = re.compile("`([^`]+)`")
RUN = """
import { TemplateWords, translateWorkflow } from "./templates.mjs";
let text = "";
for await (const part of process.stdin) text += part;
const { tables, asked } = JSON.parse(text);
for (const [workflow, ...languages] of asked)
  for (const one of languages) translateWorkflow(workflow, new TemplateWords(tables, one));
console.log(JSON.stringify(asked.map(([workflow]) => workflow)));
"""


def read(name: str) -> dict:
    return json.loads(TEMPLATES[name].read_text(encoding="utf-8"))


def is_note(node: dict) -> bool:
    return node.get("type") in ("MarkdownNote", "Note")


def graphs(workflow: dict) -> list[dict]:
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]


def texts(workflow: dict) -> Iterator[str]:
    """Yield what is written in a template for people to read: lines of notes, titles, labels, descriptions."""
    for graph in graphs(workflow):
        yield from (graph[key] for key in ("name", "description") if graph.get(key))
        yield from (group["title"] for group in graph.get("groups", []))
        for holder in (graph, *graph["nodes"]):
            slots = [*(holder.get("inputs") or []), *(holder.get("outputs") or [])]
            yield from (slot["label"] for slot in slots if "label" in slot)
            names = {slot["name"] for slot in slots if holder is graph and "label" not in slot} - SAME
            yield from (f"slot|{name}" for name in names)
        for node in graph["nodes"]:
            if "title" in node:
                yield node["title"]
            if is_note(node):
                (note,) = node["widgets_values"]
                yield from (line for line in note.split("\n") if line.strip())


def pattern(english: str) -> re.Pattern:
    """Return what a key of the table stands for; a hole that comes again is filled with the same."""
    body, seen = "", set()
    for i, part in enumerate(HOLE.split(english)):
        again = part in seen
        body += re.escape(part) if i % 2 == 0 else f"(?P={part})" if again else f"(?P<{part}>.+?)"
        seen |= {part} if i % 2 else set()
    return re.compile(body)


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, str]]:
    """Return language → English → own text."""
    found = {one: json.loads((ROOT / "locales" / one / "main.json").read_text(encoding="utf-8")) for one in LANGUAGES}
    return {one: table["supsae_templates"] for one, table in found.items()}


@pytest.fixture(params=LANGUAGES)
def table(request, tables):
    return tables[request.param]


@pytest.fixture
def shown(node, tables, tmp_path):
    """Return `shown(*asked)`: each workflow as it is after it was opened in each of the languages behind it."""
    shutil.copy(ROOT / "web" / "js" / "templates.js", tmp_path / "templates.mjs")
    (tmp_path / "run.mjs").write_text(RUN)

    def run(*asked: list) -> list[dict]:
        given = json.dumps({"tables": tables, "asked": asked})
        done = subprocess.run([node, "run.mjs"], cwd=tmp_path, input=given, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


# --- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_text_of_a_template_is_translated(table, name):
    """What is missing goes into "supsae_templates" of locales/zh/main.json and locales/ja/main.json."""
    known = [pattern(english) for english in table]
    said = set(texts(read(name))) - SAME
    assert sorted(one for one in said if not any(some.fullmatch(one) for some in known)) == []
    assert any(one.startswith("# ") for one in said), "without a note that begins with a heading nothing is translated"


def test_nothing_else_is_translated(table):
    said = set(itertools.chain.from_iterable(map(texts, map(read, TEMPLATES))))
    assert [english for english in table if not any(pattern(english).fullmatch(one) for one in said)] == []


def test_every_text_is_meant_by_one_entry(table):
    said = set(itertools.chain.from_iterable(map(texts, map(read, TEMPLATES)))) - SAME
    meant = {one: [english for english in table if pattern(english).fullmatch(one)] for one in said}
    assert {one: some for one, some in meant.items() if len(some) != 1} == {}


def test_numbers_holes_and_marks_are_the_english_ones(table):
    lost = []
    for english, own in table.items():
        lost += [(english, one) for one in Counter(NUMBER.findall(english)) - Counter(NUMBER.findall(own))]
        lost += [(english, "holes")] * (Counter(HOLE.findall(english)) != Counter(HOLE.findall(own)))
        lead = re.match(r"(?:#+|-|\d\.) ", english)
        lost += [(english, "lead")] * (lead is not None and not own.startswith(lead[0]))
        lost += [(english, "bold")] * (own.count("**") != english.count("**"))
        lost += [(english, "marks")] * (own.count("*") % 2 + own.count("`") % 2)
    assert lost == []


def test_what_is_named_is_named_as_it_is_shown(tables):
    """Values and files are the English ones, inputs and titles of the templates those of the language."""
    for language, table in tables.items():
        defs = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
        inputs = [item for node in defs.values() for item in node.get("inputs", {}).items()]
        for english, own in table.items():
            for span in SPAN.findall(english):
                name, _, value = span.partition(": ")
                labels = {one["name"] for key, one in inputs if key == name or key.endswith(f"_{name}")}
                held = any(f"`{label}`" in own and value in own for label in labels)
                assert held or f"`{span}`" in own or f"`{HOLE.sub('{}', span)}`" in own, (language, english, span)
            for title in (one for one in table if f"*{one}*" in english and not one.startswith("#")):
                assert f"*{table[title]}*" in own, (language, english, title)


# --- a workflow that is opened -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_finds_its_way_through_the_languages(shown, tables, name):
    """Opened and saved in any language after any other it is what it would be at once; in English it is the file."""
    file = read(name)
    ways = [["zh"], ["ja"], ["zh", "ja"], ["ja", "zh"], ["zh", "ja", "en"], ["ja", "zh", "fr"], ["en"]]
    zh, ja, zh_ja, ja_zh, *english = shown(*([file, *way] for way in ways))
    assert (zh_ja, ja_zh, *english) == (ja, zh, file, file, file)
    said = set(texts(file))
    assert said & set(texts(zh)) == said & set(texts(ja)) == said & SAME
    assert not any(re.search("[ぁ-ヺ]", one) for one in texts(zh))


def test_what_a_template_does_is_the_same_in_every_language(shown):
    """Apart from words nothing is touched: values of other nodes, names of inputs, links."""

    def silent(workflow):
        made = copy.deepcopy(workflow)
        for graph in graphs(made):
            for one in (graph, *graph["nodes"], *graph.get("groups", [])):
                for slot in [*(one.get("inputs") or []), *(one.get("outputs") or [])]:
                    slot.pop("label", None)
                for key in ("title", "name", "description"):
                    one.pop(key, None)
                if is_note(one):
                    del one["widgets_values"]
        return made

    files = [read(name) for name in TEMPLATES]
    made = shown(*([file, "zh"] for file in files))
    assert [silent(one) for one in made] == [silent(one) for one in files]


def small(note: str, **more: object) -> dict:
    node = {"type": "MarkdownNote", "widgets_values": [note], **more}
    return {"nodes": [node, {"type": "CLIPTextEncode", "title": "Prompt", "widgets_values": ["Prompt"]}]}


MINE = "# Edit a portrait\n\nPress **Run**.\nAnd mind the hat."


def test_a_note_that_was_edited_stays(shown, tables):
    (made,) = shown([small(MINE), "ja"])
    note, prompt = made["nodes"]
    assert note["widgets_values"] == [MINE]
    assert (prompt["title"], prompt["widgets_values"]) == (tables["ja"]["Prompt"], ["Prompt"])


def test_slots_keep_their_names_and_what_somebody_called_them(shown, tables):
    file = read("Edit a portrait")
    (box,) = [one for one in file["definitions"]["subgraphs"] if one["name"] == "Draw, and hold the rest"]
    box["outputs"][0]["label"] = "mine"
    (made,) = shown([file, "zh"])
    (drawn,) = [one for one in made["definitions"]["subgraphs"] if one["id"] == box["id"]]
    assert [one["name"] for one in drawn["outputs"]] == ["before", "after"]
    assert [one["label"] for one in drawn["outputs"]] == ["mine", tables["zh"]["slot|after"]]


def test_somebody_elses_workflow_stays(shown):
    own = small("# My portraits\nPress **Run**.")
    assert shown([own, "zh"]) == [own]
    bare = {"nodes": [{"type": "Reroute"}], "groups": [{"title": "Mix"}]}
    assert shown([bare, "zh"], [{}, "zh"]) == [bare, {}]


def test_values_by_name_are_translated_too(shown, tables):
    """Frontend 1.58 saves values by their names besides."""
    text = "# Edit a portrait\n"
    (made,) = shown([small(text, widgets_values_named={"text": text}), "zh"])
    wanted = tables["zh"]["# Edit a portrait"] + "\n"
    assert made["nodes"][0]["widgets_values"] == [wanted]
    assert made["nodes"][0]["widgets_values_named"] == {"text": wanted}
