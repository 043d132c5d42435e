"""The routes that the panels ask, in a real server: what they answer, what they refuse, and what they leave on disk."""

import base64
import hashlib
import json
import shutil
import struct
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
import torch
from api_workflows import fitting
from shelf_files import SHIPPED, write_header, write_qwen3

from supsae.supsae_core.dictionary import file as files
from supsae.supsae_core.dictionary.concept_list import concept_list
from supsae.supsae_core.tensor_files import write_tensors

TABLE = "hair: [red hair, blond hair]\nhat: [no hat, golden crown]\n"
FORM = {"Content-Type": "multipart/form-data; boundary=edge"}


@pytest.fixture(scope="module")
def ask(comfy_server):
    """Return `ask(path, body, headers)`: the status and the JSON of an answer."""

    def asked(path, body=None, headers=None):
        status, answer = comfy_server.ask(f"/supsae/{path}", body, headers)
        return status, json.loads(answer)

    return asked


@pytest.fixture(scope="module")
def send(ask):
    """Return what uploads a file as a browser does."""

    def sent(content, name="mine.safetensors", field="file"):
        head = f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        return ask("upload", head.encode() + content + b"\r\n--edge--\r\n", FORM)

    return sent


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


def test_dictionaries_are_listed_described_and_downloaded(comfy_server, ask, folder):
    family = {"name": "portraits", "title": "Portraits"}
    listed = {"names": ["portraits.safetensors"], "families": {"portraits.safetensors": family}}
    assert ask("dictionaries") == (200, {"version": 1, **listed})
    assert comfy_server.get("/api/supsae/dictionaries") == comfy_server.get("/supsae/dictionaries")
    header = files.read_header(SHIPPED)
    wanted = {"version": 1, "name": "portraits.safetensors", "family": family, **concept_list(header)}
    wanted |= {"words": header.table.to_json(), "bytes": SHIPPED.stat().st_size, "light": False}
    assert ask("dictionary?name=portraits.safetensors") == (200, wanted)
    assert comfy_server.request("/supsae/download?name=portraits.safetensors") == SHIPPED.read_bytes()


def test_a_list_says_for_whom_files_are_as_they_are_now(ask, folder):
    (folder / "junk.safetensors").write_bytes(b"words that are no safetensors file")
    for family, title in (("flux", "FLUX.1"), ("minilm", "minilm")):  # nobody calls MiniLM's models anything
        write_header(folder / "mine.safetensors", family)
        found = ask("dictionaries")[1]["families"]
        assert found["mine.safetensors"] == {"name": family, "title": title} and found["junk.safetensors"] is None
        assert ask("dictionary?name=mine.safetensors")[1]["family"] == found["mine.safetensors"]


def test_two_hundred_files_are_listed_fast(ask, folder):
    for number in range(200):
        (folder / f"{number}.safetensors").hardlink_to(SHIPPED)
    start = time.perf_counter()
    found = ask("dictionaries")[1]["families"]
    assert len(found) == 201 and {one["name"] for one in found.values()} == {"portraits"}
    assert time.perf_counter() - start < 10  # 0.7 s on two shared cores


@pytest.mark.parametrize("route", ["dictionary", "download", "light"])
@pytest.mark.parametrize(
    "name",
    ["", "..", "../supsae/portraits.safetensors", "/etc/passwd", "a\0b", "gone.safetensors", "C:\\x.safetensors"],
)
def test_only_names_that_a_loader_offers_are_known(ask, folder, name, route):
    status, found = ask(f"{route}?name={quote(name)}")
    assert status == 404 and "There are: portraits.safetensors" in found["error"]


@pytest.mark.parametrize("route", ["dictionary", "download", "light"])
def test_a_link_out_of_the_folders_is_refused(ask, folder, tmp_path, route):
    shutil.copy(SHIPPED, tmp_path / "outside.safetensors")
    (folder / "link.safetensors").symlink_to(tmp_path / "outside.safetensors")
    status, found = ask(f"{route}?name=link.safetensors")
    assert status == 400 and "link to another folder" in found["error"]


def test_a_large_dictionary_is_given_in_a_light_form_that_can_be_uploaded(ask, send, folder):
    name = SHIPPED.name
    status, found = ask(f"light?name={name}")
    content = base64.b64decode(found["data"], validate=True)
    assert status == 200 and (found["version"], found["name"], found["size"]) == (1, name, SHIPPED.stat().st_size)
    assert found["light"] and len(content) == found["bytes"] <= found["most"] == 1_000_000
    assert hashlib.sha256(content).hexdigest() == found["sha256"]
    start = time.perf_counter()
    assert ask(f"light?name={name}") == (200, found)
    assert time.perf_counter() - start < 1  # remembered; it is made in some seconds
    assert send(content) == (200, {"version": 1, "name": "mine.safetensors"})
    assert ask("dictionary?name=mine.safetensors")[1]["light"] is True
    again = ask("light?name=mine.safetensors")[1]
    assert (again["data"], again["light"], again["size"]) == (
        found["data"],
        True,
        len(content),
    )  # small enough as it is


def test_a_small_dictionary_is_given_as_it_is(ask, folder):
    write_header(folder / "mine.safetensors", "flux")  # so is what only its header says
    found = ask("light?name=mine.safetensors")[1]
    assert base64.b64decode(found["data"]) == (folder / "mine.safetensors").read_bytes() and found["light"] is False


def test_of_what_is_no_dictionary_no_light_form_is_made(ask, folder):
    (folder / "cut.safetensors").write_bytes(WHOLE[:-1000])
    status, found = ask("light?name=cut.safetensors")
    assert status == 400 and "'cut.safetensors' is not a whole safetensors file" in found["error"]


def newer():
    """Return a whole file as a later SupSAE may write it."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as place:
        patch.setattr(files, "FORMAT_VERSION", 9)
        files.save_dictionary(files.load_dictionary(SHIPPED), Path(place, "newer.safetensors"))
        return Path(place, "newer.safetensors").read_bytes()


WHOLE = SHIPPED.read_bytes()
JUNK = {
    "text": (b"no safetensors at all, but words enough for a header", "not a SupSAE dictionary"),
    "truncated": (WHOLE[:-1000], "not a whole safetensors file"),
    "huge header": (struct.pack("<Q", 2**40) + WHOLE[8:], "not a SupSAE dictionary"),
    "newer": (newer(), "9; this SupSAE reads up to 1"),
    "deep": (struct.pack("<Q", 60_000) + b"[" * 60_000, "not a whole safetensors file"),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_gets_a_sentence_and_leaves_nothing(ask, send, folder, kind):
    content, sentence = JUNK[kind]
    status, found = send(content)
    assert status == 400 and sentence in found["error"] and "mine.safetensors" in found["error"]
    assert list(folder.iterdir()) == []
    (folder / "there.safetensors").write_bytes(content)
    status, found = ask("dictionary?name=there.safetensors")
    if kind != "truncated":  # of a header alone that cannot be told; safetensors does
        assert status == 400 and sentence in found["error"]


def test_every_loader_says_whose_encoders_it_loads(comfy_server, ask):
    status, found = ask("loaders")
    assert status == 200 and found["titles"]["sd3"] == "Stable Diffusion 3 and 3.5"
    for node, kinds in found["loaders"].items():
        required = comfy_server.object_info(node)["input"]["required"]
        options = required["type"][0] if "type" in required else [""]
        assert set(kinds) == set(options)  # in the ComfyUI that this was written for
        assert all(set(one["usual"]) <= set(one["may"]) <= set(found["titles"]) for one in kinds.values())


def test_a_text_encoder_says_what_it_becomes(comfy_server, ask):
    folder = comfy_server.base / "models" / "text_encoders"
    folder.mkdir(parents=True, exist_ok=True)
    write_qwen3(folder / "qwen.safetensors", 2560)  # the 4B's width
    (folder / "junk.safetensors").write_bytes(b"words that are no safetensors file")
    half = {"model.visual.deepstack_merger_list.0.norm.weight": torch.zeros(1)}  # ComfyUI asks for another tensor then
    write_tensors(folder / "half.safetensors", half)
    wanted = {
        ("qwen.safetensors", "lumina2"): ["z-image"],
        ("qwen.safetensors", "qwen_image"): ["z-image"],  # the type does not change what it is
        ("qwen.safetensors", "flux2"): ["klein-4b"],
        ("qwen.safetensors", "no type"): None,
        ("junk.safetensors", "lumina2"): None,
        ("half.safetensors", "lumina2"): None,
        ("../supsae/portraits.safetensors", "lumina2"): None,
        ("gone.safetensors", "lumina2"): None,
    }
    for (file, kind), families in wanted.items():
        assert ask(f"encoder?file={quote(file)}&type={quote(kind)}") == (200, {"version": 1, "families": families})
    for name in ("krea.safetensors", "gone.safetensors", "../text_encoders/qwen.safetensors"):
        assert ask(f"encoder?checkpoint={quote(name)}") == (200, {"version": 1, "families": None})
    write_qwen3(folder / "qwen.safetensors", 4096)
    assert ask("encoder?file=qwen.safetensors&type=lumina2")[1]["families"] == ["klein-9b"]
    for file in folder.iterdir():  # ComfyUI offers no loader of text encoders once a folder that it listed is gone
        file.unlink()


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
def test_uploads_are_saved_under_a_name_that_is_free(comfy_server, send, folder, name):
    assert send(WHOLE, name.replace("\\", "\\\\")) == (200, {"version": 1, "name": SAVED[name]})
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == {SAVED[name]: WHOLE}
    options = comfy_server.object_info("SupSAE_LoadDictionary")["input"]["required"]["name"][1]["options"]
    assert SAVED[name] in options
    assert [one.name for one in comfy_server.base.rglob("*evil*")] in ([], [SAVED[name]])


def test_uploads_never_overwrite(send, folder):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(WHOLE), range(4)))
    names = ["mine.safetensors", *(f"mine_{i}.safetensors" for i in (2, 3, 4))]
    assert sorted(found["name"] for _, found in answers) == names
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == dict.fromkeys(names, WHOLE)


def test_an_upload_is_one_safetensors_file(ask, send, folder):
    for answer in (
        send(WHOLE, "mine.ckpt"),
        send(WHOLE, field="image"),
        send(WHOLE, ""),
        ask("upload", b"no form", {"Content-Type": "text/plain"}),
        ask("upload", b"--edge--\r\n", FORM),
    ):
        assert answer[0] == 400 and len(answer[1]["error"]) > 20
    assert list(folder.iterdir()) == []


# --- tables --------------------------------------------------------------------------------------------------------


def test_a_table_is_checked_and_a_list_imported(ask):
    status, found = ask("table/check", {"text": TABLE, "tokenizer": None})
    # (1 + 2) · (1 + 2) prompts
    assert status == 200 and found["ok"] and found["unspellable"] == []
    assert [found[name] for name in ("categories", "concepts", "phrases", "prompt_count")] == [2, 4, 4, 9]
    status, found = ask("table/check", {"text": TABLE + "eyes: [x", "tokenizer": "portraits"})
    assert status == 200 and not found["ok"] and (found["error"]["line"], found["error"]["column"]) == (3, 9)
    status, found = ask("table/import", {"text": "hat: beanie, golden crown", "table": TABLE})
    assert (status, found["ok"], found["added"], found["error"]) == (200, True, 1, None)
    assert found["text"].startswith("hair: [red hair, blond hair]\n") and "beanie: [beanie]" in found["text"]
    status, found = ask("table/import", {"text": "freckles\ncrown", "table": TABLE, "apart": "yes"})
    assert (found["added"], found["loose"]) == (4, 2) and "no freckles" in found["text"]
    status, found = ask("table/import", {"text": "", "table": TABLE})
    assert (status, found["ok"], found["text"]) == (200, False, TABLE) and "nothing in this list" in found["error"]


SPELLING = {
    # phrase: what Portraits' and SD3's encoders cannot do with it; Portraits knows the words of its captions only
    "red hair": ([], []),
    "purple hair": (["it was never taught 'purple'"], []),
    "café crème": (["it has no letter 'è', 'é'"], []),
    "赤い髪": (["it has no letter"], ["it has no token for '赤い髪'"]),
    "hair" + "zq" * 200: (["it was never taught", "fills a whole prompt"], ["fills more than one of its chunks"]),
}


@pytest.mark.parametrize("phrase", SPELLING)
def test_phrases_that_cannot_be_spelled_are_named(ask, phrase):
    for tokenizer, wanted in zip(("portraits", "sd3"), SPELLING[phrase], strict=True):
        status, found = ask("table/check", {"text": f"hair: ['{phrase}', blond hair]", "tokenizer": tokenizer})
        assert status == 200 and {one["phrase"] for one in found["unspellable"]} <= {phrase}
        whys = [one["why"] for one in found["unspellable"]]
        assert len(whys) == len(wanted) and all(said in why for said, why in zip(wanted, whys, strict=True))


NO_REQUEST = [b"", b"[]", b"\xff", b"[" * 200_000, {"text": 5}, {"text": TABLE, "tokenizer": "x", "table": [1]}]


@pytest.mark.parametrize("body", NO_REQUEST, ids=lambda body: str(body)[:20])
def test_what_is_no_request_gets_a_sentence(ask, body):
    for path in ("table/check", "table/import"):
        status, found = ask(path, body)
        assert status == 400 and len(found["error"]) > 20


def test_a_request_that_is_too_large_is_not_taken_into_memory(ask):
    status, found = ask("table/check", b" " * 2**21)
    assert status == 400 and "larger than 1024 KB" in found["error"]


def test_pages_of_other_addresses_may_look_and_not_write(comfy_server, ask, send, folder):
    json_from = {"Content-Type": "application/json", "Origin": "null"}
    for path in ("table/check", "table/import"):
        status, found = ask(path, {"text": TABLE}, json_from)
        assert status == 403 and "page of another address" in found["error"]
    status, found = ask("upload", WHOLE, {**FORM, "Origin": "null"})
    assert status == 403 and list(folder.iterdir()) == []
    assert ask("table/check", {"text": TABLE}, {**json_from, "Origin": comfy_server.url})[0] == 200
    assert ask("dictionaries", None, json_from)[0] == 200


def test_no_answer_is_taken_for_something_else(comfy_server):
    for path in ("dictionaries", "dictionary?name=gone", "download?name=portraits.safetensors"):
        try:
            answer = urllib.request.urlopen(f"{comfy_server.url}/supsae/{path}", timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if path.startswith("download"):
                assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''portraits.safetensors"


# --- captures ------------------------------------------------------------------------------------------------------


def test_a_capture_says_how_far_it_is_and_tells_while_it_runs(comfy_server, ask):
    none = {"version": 1, "done": 0, "total": 0, "bytes": 0, "folder": "routes"}
    assert ask("capture?name=routes") == (200, none)
    for name in ("", "..", "a/b", "/etc"):
        assert ask(f"capture?name={quote(name)}")[0] == 400
    outputs = comfy_server.run(fitting("routes", table=TABLE, prompts=60, calibration=4))
    (made,), (report,) = outputs["capture"]["supsae_capture"], outputs["fit"]["supsae_report"]
    # 60 prompts, and 4 to calibrate with, each with its rewrite
    assert made["finished"] and made["done"] == made["total"] == 68 and 0 < made["bytes"] <= made["all_bytes"]
    assert report["version"] == 1 and report["level"] in ("good", "fair", "poor") and report["verdict"]
    assert "4 concepts in 2 categories" in report["text"] and outputs["fit"]["images"]
    assert ask("capture?name=routes") == (200, none | {"done": 68, "total": 68, "bytes": made["bytes"]})
    shards = sorted((comfy_server.base / "output" / "supsae" / "captures" / "routes").glob("shard-*"))
    shards[0].unlink()  # as if it had been stopped: 64 prompts a shard
    assert ask("capture?name=routes")[1]["done"] == 4
