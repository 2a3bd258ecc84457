"""The torch model against the numpy reference and the builder's merge: what is trained is what is served."""

from pathlib import Path

import numpy as np
import pytest

from shelftalk.modelling.adapter import load_adapter, merge
from shelftalk.modelling.reference import forward
from shelftalk.modelling.slots import slot_embeddings, slot_ids
from shelftalk.modelling.tiny import tiny_config, tiny_tokenizer_json, tiny_weights
from shelftalk.modelling.tokenizer import make_tokenizer, spelled_slots

torch = pytest.importorskip("torch", reason="torch is in the extra `train`, not in the base install")

from shelftalk.train.export import write_adapter  # noqa: E402
from shelftalk.train.llama import Llama  # noqa: E402
from shelftalk.train.lora import LoraSettings, adapter_tensors, attach  # noqa: E402
from shelftalk.train.sample import generate  # noqa: E402

WEIGHTS = tiny_weights(tiny_config(tied=True))
TOKENIZER = make_tokenizer(tiny_tokenizer_json())
HEAD_IDS = np.array([2, *range(3, 15), *range(40, 500, 3)], np.int32)
SETTINGS = LoraSettings(first_layer=1, rank=4, alpha=8.0)
IDS = [1, 50, 60, 70, 3, 80]


def trained() -> Llama:
    """A model whose adapter is not zero any more."""
    rows = slot_embeddings(WEIGHTS["model.embed_tokens.weight"], spelled_slots(TOKENIZER)).astype(np.float32)
    model = Llama(WEIGHTS, HEAD_IDS.tolist(), torch.from_numpy(rows), list(slot_ids().values()))
    attach(model, SETTINGS, seed=1)
    torch.manual_seed(2)
    with torch.no_grad():
        for _, tensor in adapter_tensors(model):
            moved = tensor + 0.05 * torch.randn_like(tensor)
            tensor.copy_(moved.half().float())  # what the file keeps
    model.eval()
    return model


def scores(model: Llama, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        x = model.embedding[torch.tensor([ids])]
        found: np.ndarray = model.logits(model(x, 0, model.config.layers))[0].numpy()
    return found


def test_the_merged_adapter_gives_the_trainers_logits(tmp_path: Path) -> None:
    model = trained()
    write_adapter(
        tmp_path,
        tensors=dict(adapter_tensors(model)),
        head_ids=HEAD_IDS,
        base_hash=WEIGHTS.source_hash,
        base_name="tiny",
        name="tiny-line",
        variant="line-v2",
        lora=SETTINGS,
        training={},
    )
    merged, head = merge(WEIGHTS, load_adapter(tmp_path), TOKENIZER)
    assert head.ids is not None
    assert head.rows is not None
    # The reference scores with the whole embedding; the pruned head's rows go over the same hidden states.
    full = np.zeros_like(merged.head)
    full[head.ids] = head.rows
    untied = type(merged)(tiny_config(tied=False), {**merged.tensors, "lm_head.weight": full}, merged.source_hash)
    np.testing.assert_allclose(forward(untied, IDS)[:, head.ids], scores(model, IDS), atol=2e-4)


def test_padding_on_the_right_changes_nothing() -> None:
    model = trained()
    np.testing.assert_allclose(scores(model, [*IDS, 0, 0, 0])[: len(IDS)], scores(model, IDS), atol=1e-4)


def test_sampling_with_a_cache_equals_scoring_from_the_start() -> None:
    model = trained()
    prompts = [IDS, IDS[:3], [*IDS, 90, 95]]
    written = generate(model, prompts, end=2, limit=8, temperature=0)
    for prompt, text in zip(prompts, written, strict=True):
        ids = list(prompt)
        for _ in range(8):
            best = int(HEAD_IDS[scores(model, ids)[-1].argmax()])
            if best == 2:
                break
            ids.append(best)
        assert text == ids[len(prompt) :]


def test_a_slot_that_the_brief_forbids_is_never_written() -> None:
    model = trained()
    slots = list(slot_ids().values())
    texts = generate(
        model, [IDS] * 8, end=2, allowed=[[slots[0]]] * 8, banned_from=slots, limit=30, temperature=2.0, top_p=1.0
    )
    used = {token for text in texts for token in text} & set(slots)
    assert used <= {slots[0]}


def test_the_base_is_frozen() -> None:
    model = trained()
    names = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    assert all("lora_" in name or name == "slot_head" for name in names)
    assert len(names) == 7 * 2 + 1
