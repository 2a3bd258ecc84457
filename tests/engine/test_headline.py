"""The headline engine: one pass a text, the engine's promises all the same."""

import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from shelftalk.core.render import SLOT, slots_in
from shelftalk.engine import Engine, Priority, Request, open_writer
from shelftalk.engine.characters import forbidden
from shelftalk.engine.headline import HeadlineEngine, is_headline_folder
from shelftalk.errors import (
    BadInputError,
    CancelledRequestError,
    DeadlineExceededError,
    FatalError,
    ModelFolderError,
    QueueFullError,
    StepFailedError,
)
from shelftalk.modelling.headline import build_headline
from shelftalk.modelling.tiny import build_tiny
from tests.engine.headline_made import HIDDEN, IDS, LATENT, STEPS, WIDTH, build_tiny_headline, source, weights


@pytest.fixture(scope="module", params=[0.0, 1.0], ids=["vae", "gan"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_headline(tmp_path_factory.mktemp("headline"), noise=request.param)


def asked(prompt: str = "<|im_start|>en card\n{kind} kettle", **changes: object) -> Request:
    fields: dict[str, object] = {
        "key": "k",
        "prompt": prompt,
        "slots": ("name", "price"),
        "max_new_tokens": 48,
        "priority": Priority.SHOPPER,
        "deadline_s": None,
        "seed": 1,
        "temperature": 1.0,
    }
    return Request(**(fields | changes))  # type: ignore[arg-type]


def by_hand(prompt: list[int], latent: np.ndarray, mask: np.ndarray, noise: np.ndarray) -> list[int]:
    """The decoder's equations (PyTorch's GRU), one row."""
    w = weights()

    def sigmoid(x: np.ndarray) -> np.ndarray:
        y: np.ndarray = 1 / (1 + np.exp(-x))
        return y

    spoken = w["condition.words.weight"][prompt]
    behind = np.vstack([spoken[1:], np.zeros(WIDTH)]) @ w["condition.behind.weight"].T + w["condition.behind.bias"]
    told = np.tanh(spoken + behind).sum(0) / np.sqrt(len(prompt))
    context = np.concatenate([np.tanh(w["condition.layer.weight"] @ told + w["condition.layer.bias"]), latent])
    hidden = np.tanh(w["start.weight"] @ context + w["start.bias"])
    column, columns = len(IDS), []
    for step in range(STEPS):
        given = np.concatenate([w["tokens.weight"][column], context])
        r, z, n = np.split(w["gru.weight_ih_l0"] @ given + w["gru.bias_ih_l0"], 3)
        hr, hz, hn = np.split(w["gru.weight_hh_l0"] @ hidden + w["gru.bias_hh_l0"], 3)
        new = np.tanh(n + sigmoid(r + hr) * hn)
        hidden = new + sigmoid(z + hz) * (hidden - new)
        scores = w["out.weight"] @ hidden + w["out.bias"] + mask + noise[step]
        if step == 0:
            scores[int(np.flatnonzero(IDS == 2)[0])] = -np.inf
        column = int(scores.argmax())
        columns.append(column)
    return columns


def test_the_graph_computes_the_decoder(folder: Path) -> None:
    assert (HIDDEN, WIDTH) == (16, 12)
    rng = np.random.default_rng(3)
    prompts = np.array([[5, 9, 77, 12], [300, 4, 0, 0]])
    latent = rng.standard_normal((2, LATENT)).astype(np.float32)
    mask = np.where(rng.random((2, len(IDS))) < 0.3, -1e30, 0).astype(np.float32)
    noise = rng.gumbel(size=(2, STEPS, len(IDS))).astype(np.float32)
    session = ort.InferenceSession(str(folder / "model.onnx"))
    (columns,) = session.run(None, {"prompt_ids": prompts, "latent": latent, "mask": mask, "noise": noise})
    assert columns[0].tolist() == by_hand([5, 9, 77, 12], latent[0], mask[0], noise[0])
    assert columns[1].tolist() == by_hand([300, 4], latent[1], mask[1], noise[1])


def test_texts_state_no_fact_and_use_offered_slots_only(folder: Path) -> None:
    with HeadlineEngine(folder, rows=4) as engine:
        texts = [engine.submit(asked(seed=seed, temperature=3.0)).result().text for seed in range(60)]
    assert len(set(texts)) > 20
    assert set().union(*map(slots_in, texts)) <= {"name", "price"}
    assert not [char for text in texts for char in SLOT.sub("", text) if forbidden(char)]


def test_a_text_does_not_depend_on_who_shares_the_pass(folder: Path) -> None:
    with HeadlineEngine(folder, rows=16) as engine:
        alone = [engine.submit(asked(seed=seed)).result().text for seed in range(8)]
        together = [future.result().text for future in [engine.submit(asked(seed=seed)) for seed in range(8)]]
    assert alone == together


def test_what_cannot_be_served_is_told(folder: Path) -> None:
    engine = HeadlineEngine(folder, queue_limit=0)
    with pytest.raises(QueueFullError):
        engine.submit(asked())
    with pytest.raises(BadInputError):
        engine.submit(asked(prompt=""))
    engine.close()
    assert not engine.alive
    with pytest.raises(CancelledRequestError):
        engine.submit(asked())


def test_a_thread_that_dies_leaves_nobody_waiting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    with HeadlineEngine(folder) as engine:
        monkeypatch.setattr(engine, "_completion", broken)
        futures = []
        for seed in range(3):
            try:
                futures.append(engine.submit(asked(seed=seed)))
            except FatalError:  # it had died already
                break
        for future in futures:
            with pytest.raises(StepFailedError):
                future.result(timeout=30)
        engine._thread.join(30)
        assert not engine.alive
        with pytest.raises(FatalError):
            engine.submit(asked())


def test_a_deadline_that_has_come_is_no_text(folder: Path) -> None:
    with HeadlineEngine(folder) as engine:
        with pytest.raises(DeadlineExceededError):
            engine.submit(asked(deadline_s=time.monotonic() - 1)).result()
        engine.submit(asked()).result()
        stats = engine.stats()
    assert (stats.expired, stats.completed, stats.submitted) == (1, 1, 2)


def test_a_text_that_ran_out_of_tokens_says_so(folder: Path) -> None:
    with HeadlineEngine(folder) as engine:
        completion = engine.submit(asked(max_new_tokens=2)).result()
    assert completion.finish_reason == "length"
    assert completion.new_tokens <= 2


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    built = build_tiny_headline(tmp_path)
    path = built / "head_ids.npy"
    path.write_bytes(path.read_bytes()[:-4] + b"\x03\x00\x00\x00")
    with pytest.raises(ModelFolderError, match="head_ids"):
        HeadlineEngine(built)


def test_a_source_with_a_file_missing_says_which(tmp_path: Path) -> None:
    made = source(tmp_path / "source")
    (made / "tokenizer.json").unlink()
    with pytest.raises(ModelFolderError, match=r"lacks tokenizer\.json"):
        build_headline(made, tmp_path / "built")


def test_the_same_source_is_not_built_twice(tmp_path: Path) -> None:
    built = build_tiny_headline(tmp_path)
    before = (built / "model.onnx").stat().st_mtime_ns
    assert build_tiny_headline(tmp_path) == built
    assert (built / "model.onnx").stat().st_mtime_ns == before


def test_each_folder_opens_its_own_runtime(folder: Path, tmp_path: Path) -> None:
    assert is_headline_folder(folder)
    writer = open_writer(folder)
    assert isinstance(writer, HeadlineEngine)
    assert writer.prompt_variant == "slots-v5"
    writer.close()
    other = open_writer(build_tiny(tmp_path / "tiny"))
    assert isinstance(other, Engine)
    assert other.prompt_variant == "line-v2"
    other.close()
