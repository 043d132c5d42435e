"""The benchmark of a causal language model, its parts on a tiny model of random weights: no figure is judged."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from supsae.evaluation.text import photographs, rivals

pytestmark = pytest.mark.slow


@pytest.fixture
def host(benchmark):
    spelling = Tokenizer(models.BPE())
    spelling.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<|im_start|>", "<|im_end|>"]
    table, wording = photographs.table(), photographs.WORDING
    texts = [f" {one}" for one in (*(p.text for p in table.phrases), *wording.openers, *wording.others)]
    spelling.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, special_tokens=marks)
    )
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaModel(LlamaConfig(vocab_size=spelling.get_vocab_size(), **sizes)).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelling)
    return benchmark("causal_language_model").TemplatedText(model, tokenizer, name="tiny")


def test_rows_are_the_template_and_the_words_whatever_stands_beside(host):
    texts = ["red hair", "a photo of red hair , a golden fish"]
    together, _ = host.encode(texts)
    for text, rows in zip(texts, together, strict=True):
        layout, tokens = host.family.encoders[0].layout, sum(host.counts(text.split())["tiny"])
        assert len(rows) == layout.before + tokens + layout.after
        torch.testing.assert_close(rows, host.encode([text])[0][0], atol=1e-4, rtol=1e-4)


def test_every_method_is_judged_in_every_group_of_rows(benchmark, host, tmp_path):
    own = benchmark("causal_language_model")
    found = own.judged(host, photographs.table(), 60, 4, tmp_path, 8)
    assert sum(found["share"].values()) == pytest.approx(1, abs=1e-3)
    assert {*found["methods"]} == {own.ONLY, *own.METHODS}
    # the rewrite's own rows leave nothing of the phrase's change, and all of the template's
    only = found["methods"][own.ONLY]["groups"]
    assert only["phrase"]["estimate"] == 0 and only["template tail"]["estimate"] == 1
    assert found["methods"][rivals.OURS]["refused"] <= found["cases"]
