"""What Python says is translated: every sentence that panels show has an entry, and real reports come out whole."""

import json
import re
import shutil
import subprocess
import time
from collections import Counter

import pytest
import report_templates as source
import torch

from supsae.evaluation.check import judged, trial
from supsae.evaluation.check.layout import check_layout, draw_texts
from supsae.evaluation.intervals import Interval
from supsae.evaluation.report.panel import dictionary_panel
from supsae.hosts.comfyui import (
    comparing,
    conditionings,
    edit_reports,
    prompt_reading,
    saved_conditioning,
    saved_reports,
)
from supsae.hosts.embedded import PortraitsText
from supsae.hosts.sights import HeardBlocks
from supsae.portraits import captions
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing import edits, mix
from supsae.supsae_core.editing.mix_text import parse_mix
from supsae.supsae_core.table.check import describe_table

SCRIPT = source.ROOT / "web" / "js" / "sentences.js"
LANGUAGES = sorted(path.name for path in (source.ROOT / "locales").iterdir() if path.name != "en")
JOINTS = {"; ", ": ", ", "}
WORD = re.compile("[A-Za-z]{2,}")
QUOTED = re.compile("'[^']*'|“[^”]*”|「[^」]*」")
RUN = """
import { Sentences } from "./sentences.mjs";
let text = "";
for await (const part of process.stdin) text += part;
const { table, texts } = JSON.parse(text), sentences = new Sentences(table);
console.log(JSON.stringify(texts.map((one) => sentences.translated(one))));
"""
NAMES = {
    "ComfyUI", "CLIP", "JSON", "MB", "KB", "SupSAE", "UTF", "YAML", "Portraits", "Latent", "token", "pooled", "clip",
    "skip", "fit", "supsae", "embedding", "bfloat", "float", "models", "safetensors", "enable", "cors",
    "header", "multipart", "form", "data", "extra", "model", "paths", "yaml", "output", "fvu", "docs", "method", "md",
    "conditionings",
}  # fmt: skip
"""What is the same in every language."""


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def table(language):
    return json.loads((source.ROOT / "locales" / language / "main.json").read_text(encoding="utf-8"))["supsae_reports"]


@pytest.fixture
def translated(node, table, tmp_path):
    """Return `translated(*texts)`: what the panels show of them."""
    shutil.copy(SCRIPT, tmp_path / "sentences.mjs")
    (tmp_path / "run.mjs").write_text(RUN)

    def run(*texts):
        asked = json.dumps({"table": table, "texts": texts})
        done = subprocess.run([node, "run.mjs"], cwd=tmp_path, input=asked, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


# --- the table -----------------------------------------------------------------------------------------------------


def test_every_sentence_is_translated_and_nothing_else(table):
    there = {*source.templates(), *JOINTS}
    assert (sorted(there - set(table)), sorted(set(table) - there)) == ([], [])


def test_words_stand_in_the_source():
    assert {word.split("|")[-1] for word in source.WORDS} - source.words_in_source() == set()


def test_no_two_templates_match_the_same_lines():
    assert [one for one, count in Counter(map(source.shape, source.templates())).items() if count > 1] == []


def test_translations_have_the_holes(table):
    def holes(text):
        return sorted(one for one in source.HOLE.findall(text) if one != "s")  # the plural of what may have none

    assert [one for one, own in table.items() if holes(one) != holes(own)] == []
    assert [own for own in table.values() if re.search("[{}]", source.HOLE.sub("", own))] == []


def test_translations_have_no_english(table):
    said = {one: QUOTED.sub("", source.HOLE.sub("", own)) for one, own in table.items()}
    assert {one: own for one, own in said.items() if set(WORD.findall(own)) - NAMES} == {}


# --- what the panels show ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shipped():
    return load_dictionary(DICTIONARY)


@pytest.fixture(scope="session")
def encode():
    host = PortraitsText()

    def one(*texts):
        return [[cond[None], {"pooled_output": pooled[None]}] for cond, pooled in zip(*host.encode(texts), strict=True)]

    return one


RED = "hair: red"
PROMPT = "a portrait of a woman with blond hair, green eyes, a golden crown"
MADE = {
    "changed": [edits.Swap(RED)],
    "did not take": [edits.Swap(RED, 0.25)],
    "several": [edits.Swap(RED), edits.Keep("eyes"), edits.Remove("hat: crown"), edits.Add("eyewear: glasses")],
    "kept": [edits.Swap(RED), edits.Keep("eyes"), edits.Keep("hat")],
    "weak": [edits.Swap(RED, 0.52), edits.Remove("hat: crown", 0.3), edits.Scale("eyes: green", 1.4)],
    "nothing": [edits.Swap("hair: blond")],
}


def report(shipped, conditioning, wanted):
    """Return the report of Apply Edits."""
    made = conditionings.edit_places(conditioning, shipped, wanted)
    again = edit_reports.read_again(shipped, made.edited)
    told = edit_reports.told_again(shipped, made.places, again, len(made.places))
    beside = edit_reports.told_beside(shipped, conditioning, made.places, made.edited)
    return "\n".join([made.report, *told, *beside])


def english(text, shipped, more=()):
    """Return the English words of a translation that are neither names nor quoted."""
    known = {*more, *NAMES, *(one.name for one in shipped.family.encoders)}
    for concept in shipped.table.concepts:
        known |= {*WORD.findall(str(concept)), *(word for phrase in concept.phrases for word in WORD.findall(phrase))}
    return set(WORD.findall(QUOTED.sub("", text))) - known


def test_every_sentence_comes_out_as_it_is_translated(table, translated):
    """Whatever stands in its holes, if a name or a number, no other template takes a sentence for its own."""

    def filled(template, names):
        return source.HOLE.sub(lambda hole: names[hole[1]], template)

    wanted = {}
    for template, own in ((one, own) for one, own in table.items() if one not in {*JOINTS, *source.WORDS}):
        holes = source.HOLE.findall(template)
        names = {name: f"{i + 2}.5%" if re.search("_n[0-9]*$", name) else f"X{i}x" for i, name in enumerate(holes)}
        wanted[filled(template, names)] = filled(own, names)
    assert dict(zip(wanted, translated(*wanted), strict=True)) == wanted


def checked_lines():
    """Return lines of Check Model: of Portraits' layout, and of edits and blocks as any model may have them."""
    host = PortraitsText()
    texts = draw_texts(captions.table(), captions.WORDING, host, 0)
    figures = {name: {"error": Interval(0.5, 0.4, 0.6, 8).json(), "kinds": {}, "refused": 0} for name in trial.METHODS}
    ways = [judged._split("swaps", figures), judged._split("adds", None), judged._split("among other things", None)]
    return [*check_layout(host, texts), *ways, judged.blocks(HeardBlocks(3, 3, True))]


@pytest.fixture(scope="session")
def shown(shipped, encode):
    """What the panels show of edits, a reading, a comparison, a dictionary, and refusals: title → text."""
    several = encode(PROMPT, "a man with black hair, crowned like a queen, a top hat")
    found = {f"edits, {name}": report(shipped, several, some) for name, some in MADE.items()}
    controlled = [[several[0][0], {**several[0][1], "control": object()}], *several]
    made, _ = conditionings.edit(controlled, shipped, MADE["kept"])
    parts = saved_conditioning.stored(made, lambda dictionary: "red.safetensors").parts
    found["saved"] = saved_reports.saved_as("red.safetensors", parts)
    found["saved elsewhere"] = saved_reports.told_of((), ["red.safetensors"])
    found["one prompt"] = report(shipped, several[:1], MADE["weak"])
    found["read"] = prompt_reading.as_text(prompt_reading.read_prompt(several, shipped))
    dark, half = torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3)
    half[:, :4] = 1
    found["compared"] = comparing.compare(dark, half, None).report
    for one in checked_lines():
        found |= {f"check {one.what}": one.what, f"check {one.what} told": one.told}
    made = dictionary_panel(shipped, unknown={RED: "it was never taught 'red', so nothing of it will be drawn"})
    found |= {"verdict": made["verdict"], "whole text": made["text"]}
    for one in made["sections"]:
        for row in [[one["title"]], one["head"], *one["rows"]]:
            found |= {f"cell {text}": text for text in row}
    asked = {"hair": {"say": "purpel"}, "hats": {"say": "crown"}, "eyes": {"say": "blue"}, "Eyes": {"say": "green"}}
    left_out = mix.usable_mix(shipped, parse_mix(json.dumps({"version": 1, "mix": asked}))).left_out
    found |= {f"left out {name}": why for name, why in left_out.items()}
    for text in ("hair: [red", "hair: [red]", "hair: [red, (red:1.2)]", "a: [b, c]\na: [d, e]", ""):
        found[f"table {text}"] = describe_table(text)["error"]["message"]
    return found


METHODS = {"kernel", "share", "shortcut", "levels", "replace", "nothing"}
"""Names of how an edit is made."""


@pytest.mark.slow
def test_what_is_shown_has_no_english_but_names(shown, shipped, translated):
    assert len([name for name in shown if name.startswith("left out")]) == 3
    made = dict(zip(shown, translated(*shown.values()), strict=True))
    more = {"portraits", "purpel", "control", *METHODS}
    left = {name: english(text, shipped, more) for name, text in made.items()}
    assert {(shown[name], made[name]): words for name, words in left.items() if words} == {}


STARTS = {"zh": ("第 [12] 部分第 1 行：", "hair: blond 改为"), "ja": ("パート [12] の 1 行目：", "hair: blond を")}


@pytest.mark.slow
def test_places_of_lists_stay_apart(language, shown, translated):
    """Lists are taken apart before what stands in them, and the place in front of a line keeps to itself."""
    place, first = STARTS[language]
    (several, weak) = translated(shown["edits, several"], shown["edits, did not take"])
    lines = [*several.splitlines(), *weak.splitlines()]
    assert len(lines) > 9 and all(re.match(place, line) for line in lines)
    assert re.match(place + first, lines[1]) and len(re.findall("[，、]", lines[1])) == 3


WHOLE = (
    "part 1, row 1: removing hat: crown did not take: 'golden crown' can still be told there (score 1.0 against -7.8); "
    "raise the strength",
    "Left out, hats: There is no category 'hats' in this table. It has: hair, hat.",
    "hair: red: did not take, 'blond hair' reads stronger there than 'red hair' (score 0.8 against -0.9)",
    "hair: held back, nothing of it is strong enough to be let through. Move its slider up, or lower the threshold or "
    "the floor of Lock.",
    "Works for most: 80% of the edits show in the picture (rewriting the words: 90%). Capture more prompts and fit "
    "again; the table below says what falls short.",
    "times 1.25:",
    "While the model draws: swap hair: red (strength 1), keep eyes.",
)
"""Lines of several sentences."""
MADE_OF_THEM = {
    "zh": (
        "第 1 部分第 1 行：去掉 hat: crown 未生效：那里仍能读出 'golden crown'（得分 1.0 对 -7.8）；请提高强度",
        "已略过 hats：概念表里没有类别 'hats'。有的是：hair, hat。",
        "hair: red：未生效，那里 'blond hair' 读来比 'red hair' 更强（得分 0.8 对 -0.9）",
        "hair：被锁住，没有强到可以放行的部分。请调高滑块，或调低“锁定”的阈值或下限。",
        "多数有效：80% 的编辑在图像里可见（重写词语：90%）。请采集更多提示词并重新训练；下表说明哪里不足。",
        "1.25 倍：",
        "模型绘制时：替换 hair: red（强度 1），保留 eyes。",
    ),
    "ja": (
        "パート 1 の 1 行目：hat: crown の削除は効きませんでした：そこに 'golden crown' がまだ読めます"
        "（スコア 1.0 対 -7.8）。強度を上げてください",
        "hats を省きました：この表にカテゴリ 'hats' はありません。あるのは：hair, hat。",
        "hair: red：効かなかった、そこでは 'red hair' より 'blond hair' が強く読めます（スコア 0.8 対 -0.9）",
        "hair：固定されました。通せるほど強い変化がありません。スライダーを上げるか、「ロック」のしきい値か下限を"
        "下げてください。",
        "おおむね働きます：編集の 80% が画像に表れます（言葉の書き直しでは 90%）。もっと多くのプロンプトを"
        "キャプチャして学習し直してください。何が足りないかは下の表にあります。",
        "1.25 倍：",
        "モデルが描いている間：hair: red の置き換え（強度 1）、eyes を保持。",
    ),
}


def test_lines_of_several_sentences_are_put_together(language, translated):
    assert tuple(translated(*WHOLE)) == MADE_OF_THEM[language]


def test_a_long_list_of_names_takes_no_time(translated):
    names = ", ".join(f"clear sky {number}: nothing" for number in range(70))
    began = time.monotonic()
    (made,) = translated(f"not mentioned: {names}")
    assert time.monotonic() - began < 5 and "not mentioned" not in made


def test_words_that_may_be_names_are_translated_in_their_holes_alone(translated):
    lines = (
        "sky reads clear now and add before, though nobody asked",
        "Cannot clear 'x': the prompt does not say it (x).",
    )
    named, verb = translated(*lines)
    assert "clear" in named and "add" in named and "clear" not in verb
    assert "both" not in translated("both")


def test_names_stay_as_they_are(translated):
    some = [
        "hair: red, hat: none",
        "none",
        "sky: clear",
        "clear, both",
        "swap",
        "add",
        "a word that nobody knows: 5",
        "",
        "weakly",
        "红头发, hat: x",
    ]
    assert translated(*some) == some
