from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from shelftalk.engine import Device
from shelftalk.engine.fact_lock import FactLock, LockState
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.engine.runner import TOP_K, Runner, select
from shelftalk.engine.session import open_session
from shelftalk.errors import ModelFolderError
from shelftalk.modelling.tiny import build_tiny

FREE = LockState((), started=True)


def make_runner(path: Path, *, rows: int = 4, row_tokens: int = 64) -> tuple[Runner, FactLock]:
    folder = open_model_folder(path)
    lock = FactLock(folder.vocabulary, columns=folder.head_ids)
    return Runner(
        folder, open_session(folder.graph, Device.CPU, threads=1), lock, rows=rows, row_tokens=row_tokens
    ), lock


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.booleans())
def test_selection_is_the_head_of_a_full_sort(seed: int, columns: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((3, columns)).astype(np.float32)
    if ties:
        logits = logits.round()
    values, ids = select(logits)
    assert values.shape == (3, min(TOP_K, columns))
    assert (values == -np.sort(-logits, axis=1)[:, :TOP_K]).all()
    assert (np.take_along_axis(logits, ids, axis=1) == values).all()
    assert all(len(set(row)) == len(row) for row in ids.tolist())


def test_selection_keeps_a_nan_in_sight() -> None:
    logits = np.zeros((1, 100), np.float32)
    logits[0, 63] = np.nan
    assert np.isnan(select(logits)[0]).any()


def test_a_banned_token_is_not_among_the_likeliest(tiny_model: Path) -> None:
    runner, lock = make_runner(tiny_model)
    _, ids = runner.prefill(0, [[30, 40, 50]], lock.rows([FREE]))
    likeliest = int(ids[0, 0])
    lock.table[lock.row(FREE), likeliest] = -1e30
    _, ids = runner.prefill(0, [[30, 40, 50]], lock.rows([FREE]))
    assert likeliest not in ids


def test_a_copied_row_goes_on_as_the_original(tiny_model: Path) -> None:
    runner, lock = make_runner(tiny_model)
    masks = lock.rows([FREE] * 3)
    runner.prefill(2, [[30, 40, 50, 60]], masks[:1])
    runner.prefill(0, [[31, 41], [32, 42, 52]], masks[:2])
    expected, _ = runner.decode([9, 9, 70], [2, 3, 4], masks)
    runner.copy_row(2, 0)
    values, _ = runner.decode([70], [4], masks[:1])
    assert (values[0] == expected[2]).all()
    runner.prefill(0, [[33, 43, 53, 63]], masks[:1])
    runner.copy_row(2, 0)  # with the binding of the first time
    again, _ = runner.decode([70], [4], masks[:1])
    assert (again[0] == expected[2]).all()


def test_a_cached_head_stands_for_its_tokens(tiny_model: Path) -> None:
    runner, lock = make_runner(tiny_model)
    head, rest = list(range(30, 50)), [60, 61, 62]
    masks = lock.rows([FREE])
    plain, plain_ids = runner.prefill(1, [head + rest], masks)
    runner.cache_head(head)
    values, ids = runner.prefill(1, [head + rest], masks, len(head))
    np.testing.assert_allclose(values, plain, atol=1e-4)
    assert (ids[0, :8] == plain_ids[0, :8]).all()
    with pytest.raises(ValueError, match="alone"):
        runner.prefill(1, [head + rest, head + rest], lock.rows([FREE] * 2), len(head))


def test_a_prompt_with_guesses_after_one_that_began_alike_gives_the_bits_of_single_passes(
    model_of: Callable[[str], Path],
) -> None:
    runner, lock = make_runner(model_of("w8a8-kv8"))
    masks = lock.rows([lock.start(())] * 3)
    prompt, guesses = [50, 60, 70, 80, 90], [61, 71]
    singly = [runner.prefill(1, [prompt], masks[:1])]
    runner.copy_row(1, 0)
    for place, guess in enumerate(guesses):
        singly.append(runner.decode([guess], [len(prompt) + place], masks[:1]))
    for before in ([], [50, 60, 99, 98, 97, 96], prompt, [*prompt, 40]):
        if before:
            runner.begin(before, [], masks[:1])
        values, ids = runner.begin(prompt, guesses, masks)
        np.testing.assert_array_equal(values, np.concatenate([one for one, _ in singly]))
        np.testing.assert_array_equal(ids, np.concatenate([other for _, other in singly]))


def test_what_a_row_held_is_forgotten_when_another_text_comes(model_of: Callable[[str], Path]) -> None:
    runner, lock = make_runner(model_of("w8a8-kv8"))
    masks = lock.rows([lock.start(())])
    prompt, other = [50, 60, 70, 80], [90, 91, 92, 93]
    expected, _ = runner.begin(prompt, [], masks)
    runner.prefill(0, [other], masks)
    np.testing.assert_array_equal(runner.begin(prompt, [], masks)[0], expected)
    runner.prefill(1, [other], masks)
    runner.copy_row(1, 0)
    np.testing.assert_array_equal(runner.begin(prompt, [], masks)[0], expected)


def test_a_graph_with_an_unknown_input_is_refused(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "tiny")
    (folder / "manifest.json").unlink()
    model = onnx.load(folder / "model.onnx")
    model.graph.input.append(helper.make_tensor_value_info("beam_ids", TensorProto.INT64, ["B"]))
    model.graph.node.append(helper.make_node("Identity", ["beam_ids"], ["unused"]))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ModelFolderError, match="beam_ids"):
        make_runner(folder)


def test_a_graph_without_selection_is_refused(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "tiny")
    (folder / "manifest.json").unlink()
    model = onnx.load(folder / "model.onnx")
    kept = [output for output in model.graph.output if output.name != "topk_ids"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ModelFolderError, match="topk_ids"):
        make_runner(folder)
