"""The commands as a person types them: what they print, what they write, and what they say to bad input."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from supsae.cli import commands, parser
from supsae.cli import demo as demos
from supsae.cli.demo import DemoConfig, demo
from supsae.evaluation.pictures import run as pictures_run
from supsae.evaluation.pictures.parts import Size
from supsae.hosts.diffusers import studio
from supsae.portraits import captions
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.training.capture import CaptureConfig
from supsae.training.solvers.options import option_lines
from supsae.training.solvers.table import SOLVERS

pytestmark = pytest.mark.slow

PROMPT = "a portrait of a person with black hair, no hat, sandy beach"


def run(capsys, *argv):
    """Run a command; return its exit code, and what it printed to either stream."""
    code = parser.main([str(word) for word in argv])
    return code, *capsys.readouterr()


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom supsae.cli import parser\nparser.parser().format_help()\n"
        "print(sorted({'torch', 'numpy', 'diffusers', 'yaml', 'PIL', 'tqdm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_is_spelled_and_done():
    assert list(parser.COMMANDS) == list(commands.COMMANDS)


@pytest.mark.parametrize("name", parser.COMMANDS)
def test_help_shows_an_example_that_parses(capsys, name):
    with pytest.raises(SystemExit) as stop:
        parser.main([name, "--help"])
    example = parser.COMMANDS[name].example
    assert stop.value.code == 0 and example in capsys.readouterr().out
    program, *argv = shlex.split(example)
    assert program == "supsae" and parser.parser().parse_args(argv).command == name


ODD = {
    "no folder": (["capture", "--out", ""], "argument --out: is empty. Name a file or a folder"),
    "seed below": (["demo", "--seed", "-1"], "argument --seed: is '-1'. A seed is a whole number from 0 to"),
    "seed of a word": (["eval", "--seed", "x"], "argument --seed: is 'x'. A seed is"),
    "seed too large": (["prompts", "--seed", str(2**63)], "A seed is a whole number from 0 to 9223372036854775807."),
}


@pytest.mark.parametrize(("line", "sentence"), ODD.values(), ids=ODD)
def test_odd_options_are_refused_before_anything_is_done(capsys, line, sentence):
    with pytest.raises(SystemExit, match="2"):
        parser.parser().parse_args(line)
    assert sentence in capsys.readouterr().err


def test_the_largest_seed_is_one():
    assert parser.parser().parse_args(["prompts", "--seed", str(2**63 - 1)]).seed == 2**63 - 1


def test_prompts_say_what_they_mention(capsys):
    code, out, _ = run(capsys, "prompts", "--count", 3, "--json")
    drawn = json.loads(out)
    assert code == 0 and len(drawn) == 3 and any(one["mentions"] for one in drawn)
    for one in drawn:
        for mention in one["mentions"]:
            start, stop = mention["words"]
            assert " ".join(one["text"].split()[start:stop]).rstrip(",.") == mention["phrase"]
    _, plain, _ = run(capsys, "prompts", "--count", 3)
    assert all(one["text"] in plain for one in drawn)  # the same seed, the same prompts
    assert run(capsys, "prompts", "--count", 3, "--seed", 1)[1] != plain


def test_prompts_of_a_table_file(capsys, tmp_path):
    (tmp_path / "t.yaml").write_text("fruit: [apple, pear]\nbowl: [blue bowl, red bowl]", encoding="utf-8")
    _, out, _ = run(capsys, "prompts", "--table", tmp_path / "t.yaml", "--mention", 1, "--held-out", 0.25)
    assert out.count("fruit: ") == out.count("bowl: ") == 10
    assert "1 pairs of concepts are never" in out  # a quarter of 2 × 2


def test_capture_says_its_size_and_goes_on(capsys, tmp_path):
    argv = ["capture", "--out", tmp_path / "c", "--prompts", 60, "--calibration", 4]
    code, out, _ = run(capsys, *argv)
    # 68 prompts: two shards. A prompt takes (48 · 128 + 48 · 192 + 128) half floats, 31 kB; 68 take 2.1 MB.
    assert code == 0 and out.startswith("68 prompts") and "2.1 MB" in out
    first, second = sorted((tmp_path / "c").glob("shard-*"))
    made = second.read_bytes()
    second.unlink()
    _, out, _ = run(capsys, *argv)
    assert "1 of 2 parts are there already" in out and second.read_bytes() == made
    code, _, said = run(capsys, *argv, "--seed", 1)
    assert code == 2 and "Choose another folder" in said


def test_fit_reports_and_writes(capsys, fitted):
    assert load_dictionary(fitted / "d.safetensors").provenance["prompts"] == 80
    with Image.open(fitted / "d.png") as picture:
        assert picture.width > 400
    code, out, _ = run(capsys, "inspect", fitted / "d.safetensors")
    assert code == 0 and "28 concepts in 8 categories" in out


def test_help_names_every_solver(capsys):
    with pytest.raises(SystemExit):
        parser.main(["fit", "--help"])
    said = capsys.readouterr().out
    for name, solver in SOLVERS.items():
        assert name in said and all(line in said for line in option_lines(solver.options))


def test_fit_takes_options(capsys, fitted, tmp_path):
    options = ["--option", "rank=6", "--option", "shared_ridges=3", "--option", "own_ridges=30"]
    code, _, _ = run(capsys, "fit", fitted / "capture", "--out", tmp_path / "d", *options)
    assert code == 0
    made = load_dictionary(tmp_path / "d.safetensors")
    assert {len(part.decoder) for part in made.parts.values()} == {6}
    assert made.provenance["solver"]["shared_ridges"] == [3.0]


def test_inspect_a_capture(capsys, fitted):
    code, out, _ = run(capsys, "inspect", fitted / "capture")
    assert code == 0 and "finished" in out and "80 fit, 10 calibration, 10 rewrite" in out
    # A tenth of the pairs of concepts of different categories.
    sizes = [len(members) for members in captions.table().categories.values()]
    pairs = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
    assert f"{round(pairs / 10)} pairs of concepts never written together" in out


def test_inspect_reads_a_prompt(capsys, fitted):
    said = "a drawing of someone with golden hair, also smiling, top hat"
    code, out, _ = run(capsys, "inspect", fitted / "d.safetensors", "--prompt", said)
    assert code == 0
    lines = {line.split("  ")[0]: line for line in out.splitlines()[1:-2]}
    assert list(lines) == ["hair: blond", "expression: smile", "hat: top hat"]
    assert "\nnot mentioned: background, haircut, eyes, eyewear, clothing\nnot explained: clip phrases " in out
    # Causal rows fill 0 … 47; of the others "a drawing of someone with" are rows 48 … 52.
    assert "golden hair, " in lines["hair: blond"] and lines["hair: blond"].endswith("6-7")


def test_captured_blocks_are_merged_and_fitted(capsys, weights, tmp_path):
    """With untrained models: there is nothing to learn, but every command goes through."""
    for seed in (0, 1):
        line = f"--out {tmp_path}/{seed} --prompts 20 --calibration 4 --sites img@3,img@0 --steps 4"
        line += f" --size 64x64 --seed {seed}"
        code, out, _ = run(capsys, "capture", *line.split())
        assert code == 0 and out.startswith("28 pictures of 4 steps (20 to fit on, 4 to calibrate on")
    assert run(capsys, "merge", tmp_path / "0", tmp_path / "1", "--out", tmp_path / "both")[0] == 0
    _, out, _ = run(capsys, "inspect", tmp_path / "both")
    assert "prompts: 40 fit, 8 calibration, 8 rewrite" in out
    assert "activations at img@3, img@0, 4 steps, cfg 3, 64 × 64: finished" in out
    code, out, _ = run(capsys, "fit", tmp_path / "both", "--out", tmp_path / "d")
    assert code == 0 and "Inside the model, at noise levels 1.00, 0.90, 0.75, 0.50:" in out
    assert [line.split()[0] for line in out.splitlines() if "a swap and its word agree" in line] == [
        "img@3/mean", "img@0/mean",
    ]  # fmt: skip
    code, _, said = run(capsys, "merge", tmp_path / "0", tmp_path / "0", "--out", tmp_path / "twice")
    assert code == 2 and "hold the same prompts" in said


def test_dictionaries_are_merged_into_one(capsys, paired, scenes, tmp_path):
    for name, one in (("people", paired.dictionary), ("scenes", scenes)):
        save_dictionary(one, tmp_path / f"{name}.safetensors")
    files = [tmp_path / "people.safetensors", tmp_path / "scenes.safetensors"]
    code, out, _ = run(capsys, "merge", *files, "--out", tmp_path / "both")
    assert code == 0
    assert out.startswith("One dictionary of 19 concepts in 5 categories, made of 11 and 8.\n")
    assert "combined of dictionaries: hair, eyes, hat; background, clothing" in out
    assert len(load_dictionary(tmp_path / "both.safetensors").members) == 2 and (tmp_path / "both.png").exists()
    code, _, said = run(capsys, "merge", *files, "--out", tmp_path / "both", "--clashes", "third")
    assert code == 2 and "Choose one of: first, second, both." in said
    code, _, said = run(capsys, "merge", files[0], tmp_path, "--out", tmp_path / "x")
    assert code == 2 and "are a dictionary and a capture" in said


BAD = {
    "no table": ("prompts --table {tmp}/none.yaml", "cannot be read"),
    "count": ("prompts --count 0", "--count of at least 1"),
    "few prompts": ("capture --out {tmp}/x --prompts 3", "at least 10 prompts"),
    "site": ("capture --out {tmp}/x --sites text@1", "There is no site 'text@1'"),
    "size": ("capture --out {tmp}/x --sites txt@1 --size 128", "Write width x height in pixels, such as 128x128"),
    "merge": ("merge {fitted}/capture {tmp}/nothing --out {tmp}/y", "There is no capture"),
    "solver": ("fit {fitted}/capture --out {tmp}/d --solver sgd", "Solvers are: exact, adam"),
    "option": ("fit {fitted}/capture --out {tmp}/d --option width=4", "There is no option 'width'"),
    "no dictionary": ("inspect {tmp}/nothing.safetensors", "There is no dictionary file"),
    "prompt with a capture": ("inspect {fitted}/capture --prompt hat", "is read with a dictionary"),
    "foreign file": ("inspect {weights}/text_encoders.safetensors", "not a SupSAE dictionary"),
    "edit spelling": ("edit --prompt hat --out {tmp}/a.png --edit red", "Write 'swap hair: red'"),
    "edit action": ("edit --prompt hat --out {tmp}/a.png --edit 'turn hair: red'", "no action 'turn'"),
    "picture name": ("edit --prompt hat --out {tmp}/a --edit 'swap hair: red'", "must end in one of .png"),
    "concept": (
        "edit --dictionary {fitted}/d.safetensors --prompt hat --out {tmp}/a.png --edit 'swap hair: rde'",
        "Did you mean 'hair: red'",
    ),
    "not said": (
        "edit --dictionary {fitted}/d.safetensors --prompt 'red hair' --out {tmp}/a.png --edit 'remove hat: crown'",
        "its category is not mentioned",
    ),
    "folder in the way": (
        "capture --out {weights}/reader.safetensors --prompts 10",
        "is a file, and a capture is a folder",
    ),
}


@pytest.mark.parametrize(("line", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_gets_a_sentence(capsys, tmp_path, weights, fitted, line, sentence):
    code, _, said = run(capsys, *shlex.split(line.format(tmp=tmp_path, weights=weights, fitted=fitted)))
    assert code == 2
    assert said.startswith("supsae: ") and sentence in said and "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_dictionary_of_another_encoder_is_refused(capsys, fitted, tmp_path):
    # Fingerprints 10 % longer are 10 % off: above the 5 % that another precision may make.
    made = load_dictionary(fitted / "d.safetensors")
    probes = {}
    for site, values in made.provenance["fingerprint"].items():
        probes[site] = [1.1 * value for value in values]
    other = replace(made, provenance={**made.provenance, "fingerprint": probes})
    save_dictionary(other, tmp_path / "other.safetensors")
    code, _, said = run(capsys, "inspect", tmp_path / "other.safetensors", "--prompt", PROMPT)
    assert code == 2 and "made for another text encoder" in said


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match="text_encoders.safetensors are missing.*supsae.portraits.make.train"):
        studio.load_studio(tmp_path)


def test_demo_learns_edits_and_judges(weights, tmp_path, monkeypatch):
    """With untrained models of pictures: what they show is not told here, test_board does that with the real ones."""
    monkeypatch.setattr(demos, "CaptureConfig", partial(CaptureConfig, calibration=8))
    monkeypatch.setattr(pictures_run, "PROBE", 1)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "old.png").write_bytes(b"")
    config = DemoConfig(prompts=60, size=Size(headline=2, text=4), steps=1)
    found = demo(tmp_path, config, weights=weights)
    assert list(found.results["sections"]) == ["text", "headline"] and found.results["settings"]["size"] == "demo"
    assert not (tmp_path / "pictures" / "old.png").exists() and len(list(tmp_path.rglob("pictures/*/*.png"))) == 12
    table = found.dictionary.table
    assert load_dictionary(tmp_path / "portraits.safetensors").table == table
    assert found.results["dictionary"]["held_out"] == len(found.dictionary.provenance["held_out"]) > 0
    assert {one.pictures.keys() == one.faults.keys() for one in found.examples["headline"]} == {True}
