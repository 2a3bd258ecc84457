"""The reference itself, against transformers."""

import numpy as np
import pytest

from shelftalk.modelling.fetch import GGUF_SHA256, cache_dir
from shelftalk.modelling.reference import forward
from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.modelling.tokenizer import load_tokenizer_json, make_tokenizer
from shelftalk.modelling.weights import load_weights, open_gguf

PROMPT = (
    "<|im_start|>user\nWrite a short ad for a red kettle that holds 1.7 litres.<|im_end|>\n"
    "<|im_start|>assistant\nThis kettle is a"
)

# transformers 4.57.6 and torch 2.15, AutoModelForCausalLM.from_pretrained(folder, gguf_file=...), float32, last token.
TOP = {18580: 14.7370, 21720: 14.5069, 21651: 14.4178, 8170: 14.2396, 3468: 14.2193, 1109: 14.1028}


@pytest.mark.model
def test_smollm2_is_what_transformers_says() -> None:
    path = cache_dir() / "smollm2-135m-instruct" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.exists():
        pytest.skip(f"{path} is not there: run `shelftalk model build smollm2-135m-line`")
    reader = open_gguf(path)
    tokenizer = make_tokenizer(load_tokenizer_json(path, reader))
    weights = load_weights(path, reader)
    assert weights.source_hash == GGUF_SHA256[:16]
    logits = forward(weights, tokenizer.encode(PROMPT, add_special_tokens=False).ids)[-1]
    assert np.argsort(-logits)[: len(TOP)].tolist() == list(TOP)
    np.testing.assert_allclose(logits[list(TOP)], list(TOP.values()), atol=1e-3)


def test_a_token_sees_only_what_came_before() -> None:
    weights = tiny_weights(tiny_config())
    one, other = forward(weights, [1, 30, 40, 50]), forward(weights, [1, 30, 99, 98])
    np.testing.assert_allclose(one[:2], other[:2], atol=1e-5)
    assert np.abs(one[2:] - other[2:]).max() > 0.1
