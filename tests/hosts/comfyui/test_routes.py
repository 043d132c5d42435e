"""The routes that the panels ask, in a real server: what they answer, what they refuse, and what they leave on disk."""

import json
import shutil
import struct
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from supsae.supsae_core.dictionary.concept_list import concept_list
from supsae.supsae_core.dictionary.file import read_header

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "portraits" / "weights" / "supsae" / "portraits.safetensors"
TABLE = "hair: [red hair, blond hair]\nhat: [no hat, golden crown]\n"


def ask(server, path, body=None, headers=None):
    """Return the status and the JSON of an answer."""
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body
    request = urllib.request.Request(f"{server.url}/supsae/{path}", data, headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def send(server, content, name="mine.safetensors", field="file"):
    """Upload a file as a browser does."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--edge--\r\n"
    return ask(server, "upload", body, {"Content-Type": "multipart/form-data; boundary=edge"})


@pytest.fixture
def folder(comfy_server):
    """models/supsae, empty before and after."""
    found = comfy_server.base / "models" / "supsae"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir(parents=True)
    yield found
    shutil.rmtree(found)
    found.mkdir()


# --- dictionaries --------------------------------------------------------------------------------------------------


def test_dictionaries_are_listed_and_described(comfy_server, folder):
    assert ask(comfy_server, "dictionaries") == (200, {"version": 1, "names": ["portraits.safetensors"]})
    status, found = ask(comfy_server, "dictionary?name=portraits.safetensors")
    wanted = {"version": 1, "name": "portraits.safetensors", **concept_list(read_header(SHIPPED))}
    assert (status, found) == (200, wanted)


def test_a_dictionary_is_downloaded_as_it_is(comfy_server, folder):
    assert comfy_server.request("/supsae/download?name=portraits.safetensors") == SHIPPED.read_bytes()


def test_routes_stand_under_api_as_well(comfy_server):
    assert comfy_server.get("/api/supsae/dictionaries") == comfy_server.get("/supsae/dictionaries")


NAMES = [
    "",
    "..",
    "../supsae/portraits.safetensors",
    "/etc/passwd",
    "a\0b",
    "gone.safetensors",
    "C:\\x.safetensors",
    "%2e",
]


@pytest.mark.parametrize("route", ["dictionary", "download"])
@pytest.mark.parametrize("name", NAMES)
def test_only_names_that_a_loader_offers_are_known(comfy_server, folder, name, route):
    status, found = ask(comfy_server, f"{route}?name={quote(name)}")
    assert status == 404 and "There are: portraits.safetensors" in found["error"]


def junk(kind):
    whole = SHIPPED.read_bytes()
    newer = whole.replace(b'"format_version":"1"', b'"format_version":"9"')
    assert newer != whole
    found = {
        "empty": b"", "text": b"no safetensors at all, but words enough for a header", "truncated": whole[:-1000],
        "huge header": struct.pack("<Q", 2**40) + whole[8:], "newer": newer,
        "foreign": struct.pack("<Q", 2) + b"{}", "deep": struct.pack("<Q", 60_000) + b"[" * 60_000,
    }  # fmt: skip
    return found[kind]


JUNK = {
    "empty": "not a whole safetensors file",
    "text": "not a SupSAE dictionary",
    "truncated": "not a whole safetensors file",
    "huge header": "not a SupSAE dictionary",
    "newer": "format version 9; this SupSAE reads up to 1",
    "foreign": "not a SupSAE dictionary",
    "deep": "not a whole safetensors file",
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_gets_a_sentence_and_leaves_nothing(comfy_server, folder, kind):
    status, found = send(comfy_server, junk(kind))
    assert status == 400 and JUNK[kind] in found["error"] and "mine.safetensors" in found["error"]
    assert list(folder.iterdir()) == []
    (folder / "there.safetensors").write_bytes(junk(kind))
    status, found = ask(comfy_server, "dictionary?name=there.safetensors")
    if kind != "truncated":  # of a header alone that cannot be told; safetensors does
        assert status == 400 and JUNK[kind] in found["error"]


@pytest.mark.parametrize("route", ["dictionary", "download"])
def test_a_link_out_of_the_folders_is_refused(comfy_server, folder, tmp_path, route):
    shutil.copy(SHIPPED, tmp_path / "outside.safetensors")
    (folder / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    status, found = ask(comfy_server, f"{route}?name=link.safetensors")
    assert status == 400 and "link to another folder" in found["error"]


# --- upload --------------------------------------------------------------------------------------------------------

SAVED = {
    "mine.safetensors": "mine.safetensors",
    "portraits.safetensors": "portraits_2.safetensors",  # the pack's own name is taken
    "../../evil.safetensors": "evil.safetensors",
    "C:\\fake path\\my hair (1).SAFETENSORS": "my_hair_1.safetensors",
    ".safetensors": "dictionary.safetensors",
    "x" * 200 + ".safetensors": "x" * 70 + ".safetensors",
    "portraits.safetensors.safetensors": "portraits_2.safetensors",  # one ending, so that it hides nothing
    "x" * 69 + ".abc.safetensors": "x" * 69 + ".safetensors",  # cut behind the dot
}


@pytest.mark.parametrize("name", SAVED)
def test_uploads_are_saved_under_a_name_that_is_free(comfy_server, folder, name):
    content = SHIPPED.read_bytes()
    assert send(comfy_server, content, name.replace("\\", "\\\\")) == (200, {"version": 1, "name": SAVED[name]})
    assert [one.name for one in folder.iterdir()] == [SAVED[name]]
    assert (folder / SAVED[name]).read_bytes() == content
    options = comfy_server.object_info("SupSAE_LoadDictionary")["input"]["required"]["name"][1]["options"]
    assert SAVED[name] in options
    assert [one.name for one in comfy_server.base.rglob("*evil*")] in ([], [SAVED[name]])


def test_uploads_never_overwrite(comfy_server, folder):
    content = SHIPPED.read_bytes()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(comfy_server, content), range(4)))
    assert sorted(found["name"] for _, found in answers) == [
        "mine.safetensors", "mine_2.safetensors", "mine_3.safetensors", "mine_4.safetensors",
    ]  # fmt: skip
    assert all(one.read_bytes() == content for one in folder.iterdir()) and len(list(folder.iterdir())) == 4


def test_an_upload_is_one_safetensors_file(comfy_server, folder):
    content = SHIPPED.read_bytes()
    for answer in (
        send(comfy_server, content, "mine.ckpt"),
        send(comfy_server, content, field="image"),
        send(comfy_server, content, ""),
        ask(comfy_server, "upload", b"no form", {"Content-Type": "text/plain"}),
        ask(comfy_server, "upload", b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}),
    ):
        assert answer[0] == 400 and len(answer[1]["error"]) > 20
    assert list(folder.iterdir()) == []


# --- tables --------------------------------------------------------------------------------------------------------


def test_a_table_is_checked(comfy_server):
    status, found = ask(comfy_server, "table/check", {"text": TABLE, "tokenizer": None})
    # (1 + 2) · (1 + 2) prompts
    assert status == 200 and found["ok"] and found["unspellable"] == []
    assert [found[name] for name in ("categories", "concepts", "phrases", "prompt_count")] == [2, 4, 4, 9]
    status, found = ask(comfy_server, "table/check", {"text": TABLE + "eyes: [x", "tokenizer": "portraits"})
    assert status == 200 and not found["ok"] and (found["error"]["line"], found["error"]["column"]) == (3, 9)


SPELLING = {
    # phrase: what Portraits' and SD3's encoders cannot do with it; Portraits knows the words of its captions only
    "red hair": ([], []),
    "purple hair": (["it was never taught 'purple'"], []),
    "café crème": (["it has no letter 'è', 'é'"], []),
    "赤い髪": (["it has no letter"], ["it has no token for '赤い髪'"]),
    "a 🎩 hat": (["it has no letter '🎩'"], ["it has no token for '🎩'"]),
    "hair" + "z" * 60: (["it was never taught", "fills a whole prompt"], []),
    "hair" + "zq" * 200: (["it was never taught", "fills a whole prompt"], ["fills more than one of its chunks"]),
}


@pytest.mark.parametrize("phrase", SPELLING)
def test_phrases_that_cannot_be_spelled_are_named(comfy_server, phrase):
    for tokenizer, wanted in zip(("portraits", "sd3"), SPELLING[phrase], strict=True):
        body = {"text": f"hair: ['{phrase}', blond hair]", "tokenizer": tokenizer}
        status, found = ask(comfy_server, "table/check", body)
        assert status == 200 and {one["phrase"] for one in found["unspellable"]} <= {phrase}
        whys = [one["why"] for one in found["unspellable"]]
        assert len(whys) == len(wanted) and all(said in why for said, why in zip(wanted, whys, strict=True))


def test_lists_are_imported(comfy_server):
    status, found = ask(comfy_server, "table/import", {"text": "hat: beanie, golden crown", "table": TABLE})
    assert (status, found["ok"], found["added"], found["error"]) == (200, True, 1, None)
    assert found["text"].startswith("hair: [red hair, blond hair]\n") and "beanie: [beanie]" in found["text"]
    status, found = ask(comfy_server, "table/import", {"text": "", "table": TABLE})
    assert (status, found["ok"], found["text"]) == (200, False, TABLE) and "nothing in this list" in found["error"]


@pytest.mark.parametrize("path", ["table/check", "table/import"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 200_000, {"text": 5},
        {"text": TABLE, "tokenizer": "x", "table": [1]},
    ],
    ids=lambda body: str(body)[:20],
)  # fmt: skip
def test_what_is_no_request_gets_a_sentence(comfy_server, path, body):
    status, found = ask(comfy_server, path, body)
    assert status == 400 and len(found["error"]) > 20


def test_an_encoding_that_there_is_not_gets_a_sentence(comfy_server):
    headers = {"Content-Type": "application/json; charset=nonsense"}
    status, found = ask(comfy_server, "table/check", {"text": TABLE}, headers)
    assert status == 400 and "is not JSON: unknown encoding: nonsense" in found["error"]


@pytest.mark.parametrize("text", ["hair: [!!timestamp foo, x]", "hair: [!!bool maybe, x]", "hair: [!!int '', x]"])
def test_tags_in_a_table_get_a_sentence(comfy_server, text):
    status, found = ask(comfy_server, "table/check", {"text": text})
    assert status == 200 and "is not read, remove it" in found["error"]["message"]


def test_a_phrase_of_two_lines_is_imported(comfy_server):
    status, found = ask(comfy_server, "table/import", {"text": 'hair: {red: ["a\\nb", c], x: y}', "table": ""})
    assert (status, found["ok"], found["added"]) == (200, True, 3)


ODD_HEADERS = {
    "deep": ("[" * 200_000, "damaged header"),
    "family": ({"family": []}, "text of a family that is not described in full"),
    "slider": ({"slider": [[10**400, 1]]}, "lacks something it should hold"),
}


@pytest.mark.parametrize("kind", ODD_HEADERS)
def test_odd_headers_get_a_sentence(comfy_server, folder, kind):
    header, sentence = ODD_HEADERS[kind]
    with safe_open(SHIPPED, "pt") as opened:
        metadata = opened.metadata()
    if isinstance(header, dict):
        header = json.dumps(json.loads(metadata["header"]) | header)
    file = folder / "odd.safetensors"
    save_file({"x": torch.zeros(1)}, file, metadata | {"header": header})
    status, found = ask(comfy_server, "dictionary?name=odd.safetensors")
    assert status == 400 and sentence in found["error"]
    assert send(comfy_server, file.read_bytes())[0] == 400


# --- captures ------------------------------------------------------------------------------------------------------


def test_a_capture_says_how_far_it_is_and_tells_while_it_runs(comfy_server):
    none = {"version": 1, "done": 0, "total": 0, "bytes": 0, "folder": "routes"}
    assert ask(comfy_server, "capture?name=routes") == (200, none)
    for name in ("", "..", "a/b", "/etc"):
        assert ask(comfy_server, f"capture?name={quote(name)}")[0] == 400
    prompt = {
        "1": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
        "2": {"class_type": "SupSAE_ConceptTable", "inputs": {"text": TABLE, "file": ""}},
        "3": {"class_type": "SupSAE_Capture", "inputs": {
            "clip": ["1", 0], "table": ["2", 0], "name": "routes", "prompts": 60, "calibration": 4, "mention": 0.75,
            "held_out": 0.0, "seed": 0, "record": "prompts"}},
        "4": {"class_type": "SupSAE_FitDictionary", "inputs": {"capture": ["3", 0], "save": "no"}},
    }  # fmt: skip
    outputs = comfy_server.run(prompt)
    (made,) = outputs["3"]["supsae_capture"]
    # 60 prompts, and 4 to calibrate with, each with its rewrite
    assert made["finished"] and made["done"] == made["total"] == 68 and 0 < made["bytes"] <= made["all_bytes"]
    (report,) = outputs["4"]["supsae_report"]
    assert report["version"] == 1 and report["level"] in ("good", "fair", "poor") and report["verdict"]
    assert "4 concepts in 2 categories" in report["text"] and outputs["4"]["images"]
    status, found = ask(comfy_server, "capture?name=routes")
    assert status == 200 and found == {
        "version": 1,
        "done": 68,
        "total": 68,
        "bytes": made["bytes"],
        "folder": "routes",
    }
    shards = sorted((comfy_server.base / "output" / "supsae" / "captures" / "routes").glob("shard-*"))
    shards[0].unlink()  # as if it had been stopped: 64 prompts a shard
    assert ask(comfy_server, "capture?name=routes")[1]["done"] == 4
