"""The engine's benchmark: what it counts, and that the peers get our weights. No test here takes time into account."""

import dataclasses
import json
import sys
import threading
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from shelftalk.bench.engine import limit, report
from shelftalk.bench.engine.clients import Arrival, Clients, Course, Wanted, gather
from shelftalk.bench.engine.export import interleaved, whole_head, write_gguf
from shelftalk.bench.engine.process import ContestantFailedError, Process
from shelftalk.engine import Device, Engine, Priority, Request
from shelftalk.modelling.graph import Head
from shelftalk.modelling.tiny import build_tiny, tiny_config, tiny_weights
from shelftalk.modelling.weights import unpermute


def wanted(count: int = 5) -> list[Wanted]:
    return [Wanted(f"p{number}", [number], [], 3 + number, 9) for number in range(count)]


def test_every_caller_is_served_once_and_comes_back_until_time_is_up() -> None:
    clients = Clients(wanted(), concurrency=3, seconds=0.7)
    numbers = []
    while arrivals := clients.take(2):
        assert len(arrivals) <= 2
        for arrival in arrivals:
            numbers.append(arrival.number)
            assert arrival.wanted.prompt == [arrival.number % 5]
            clients.finish(arrival)
    assert clients.over
    assert numbers == list(range(len(numbers)))
    course = clients.course(12.0)
    assert course.requests == len(numbers) == len(course.waits_s) > 3
    assert course.tokens == sum(3 + number % 5 for number in numbers)


def test_no_more_callers_wait_than_the_concurrency_says() -> None:
    clients = Clients(wanted(), concurrency=4, seconds=0.2)
    held: list[Arrival] = []
    while len(held) < 4:
        held += clients.take(4)
    assert clients.take(4, timeout_s=0) == []
    finishing = threading.Thread(target=lambda: list(map(clients.finish, held)))
    finishing.start()
    while arrivals := clients.take(4):
        for arrival in arrivals:
            clients.finish(arrival)
    finishing.join()
    assert clients.over


def test_a_peer_that_runs_whole_batches_waits_for_those_who_come_within_its_window() -> None:
    clients = Clients(wanted(), concurrency=4, seconds=0.1)
    batch = gather(clients, limit=4, window_s=30)
    assert [arrival.number for arrival in batch] == [0, 1, 2, 3]


def test_medians_and_ratios() -> None:
    ours = report.figure([Course(10, 100, 2.0, [0.1] * 10, 1, 0.5), Course(30, 300, 2.0, [0.2] * 120, 7, 1.5)])
    assert (ours.requests_per_s, ours.tokens_per_s, ours.p50_s, ours.p99_s, ours.peak_mb) == (10, 100, 0.2, 0.2, 7)
    slow, fast = dataclasses.replace(ours, requests_per_s=4), dataclasses.replace(ours, requests_per_s=8)
    figures = {"ours": ours, "slow": slow, "fast": fast}
    assert report.best_peer(figures, "ours") == "fast"
    assert report.ratio(figures, "ours") == 10 / 8
    assert report.ratio({"ours": ours}, "ours") is None
    assert "1.25" in report.table(8, figures, "ours", 100)


def test_the_limit_is_memory_for_one_row_and_arithmetic_for_many() -> None:
    work = limit.Work(layer_weights=100, head_weights=10, prompt_tokens=3, new_tokens=6)
    machine = limit.Machine(products_per_s=1000, bytes_per_s=100)
    prompt_s = (3 * 100 + 10) / 1000
    assert work.requests_per_s(machine, 1) == pytest.approx(1 / (prompt_s + 5 * 110 / 100))
    assert work.requests_per_s(machine, 100) == pytest.approx(1 / (prompt_s + 5 * 110 / 1000))


def test_gguf_holds_our_weights(tmp_path: Path) -> None:
    weights = tiny_weights(tiny_config())
    write_gguf(tmp_path / "tiny.gguf", weights, Head(rows=weights.head), "Q8_0", 128)
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "tiny.gguf").tensors}
    assert len(found) == len(weights.tensors) + ("lm_head.weight" not in weights.tensors)
    for theirs, ours in (
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
    ):
        again = dequantize(found[theirs].data, found[theirs].tensor_type).reshape(weights[ours].shape)
        np.testing.assert_allclose(again, weights[ours], atol=np.abs(weights[ours]).max() / 100)


def test_queries_and_keys_are_reordered_for_llama_cpp() -> None:
    config = tiny_config()
    matrix = tiny_weights(config)["model.layers.0.self_attn.q_proj.weight"]
    assert not np.array_equal(interleaved(matrix, config), matrix)
    np.testing.assert_array_equal(unpermute(interleaved(matrix, config), config.heads), matrix)


def test_peers_get_the_whole_head_with_our_rows() -> None:
    weights = tiny_weights(tiny_config())
    rows = np.full((2, weights.config.hidden), 7, np.float32)
    whole = whole_head(weights, Head(rows=rows, ids=np.array([3, 9], np.int32)))
    assert len(whole) == weights.config.vocab
    np.testing.assert_array_equal(whole[[3, 9]], rows)
    np.testing.assert_array_equal(whole[4], weights.head[4])


def test_our_own_contestant_serves_a_course_in_its_process(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "tiny", variant="w8a8")
    prompts = ["a kettle", "warm gloves", "trail running shoes", "the lamp"]
    with Engine(folder, device=Device.CPU, rows=4) as engine:
        asked = [Request(prompt, prompt, ("price",), 12, Priority.SHOPPER, None) for prompt in prompts]
        lengths = [engine.submit(request).result(30).new_tokens for request in asked]
    entries = [Wanted(prompt, [1], ["price"], length, 12) for prompt, length in zip(prompts, lengths, strict=True)]
    workload = tmp_path / "workload.json"
    workload.write_text(json.dumps([dataclasses.asdict(entry) for entry in entries]))
    with Process(Path(sys.executable), "ours", folder, workload, 1) as process:
        process.prepare(4)
        course = process.course(4, 0.6, 2)
        assert course.requests >= 4
        assert course.peak_mb > 10

    # A text of another length than alone is a broken promise, not a figure.
    entries[0] = dataclasses.replace(entries[0], new_tokens=lengths[0] + 1)
    workload.write_text(json.dumps([dataclasses.asdict(entry) for entry in entries]))
    with Process(Path(sys.executable), "ours", folder, workload, 1) as process:
        process.prepare(4)
        with pytest.raises(ContestantFailedError, match="not as long as alone"):
            process.course(4, 0.6, 2)


def test_a_peer_that_is_not_installed_is_named(tmp_path: Path) -> None:
    workload = tmp_path / "workload.json"
    workload.write_text("[]")
    with pytest.raises(ContestantFailedError, match="make bench-engine"):
        Process(tmp_path / "python", "genai", tmp_path, workload, 1)
    with pytest.raises(ContestantFailedError, match="No module named 'llama_cpp'"):
        Process(Path(sys.executable), "llama.cpp", tmp_path, workload, 1)
