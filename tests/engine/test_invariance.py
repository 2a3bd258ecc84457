"""The same request gives the same text, whoever shares the batch, for every kind of model."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shelftalk.engine import Engine, Priority
from shelftalk.engine.characters import forbidden
from tests.engine.asking import ask, done, one_by_one, some_requests
from tests.engine.conftest import KINDS
from tests.engine.gate import gated

_HEAD = "<|im_start|>user\nwarm playful plain card introduce goes with the lamp and the kettle that folds away\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [3, 8])
def test_a_text_alone_is_the_text_in_any_batch(model_of: Callable[[str], Path], kind: str, rows: int) -> None:
    requests = some_requests(24, seed=rows)
    with Engine(model_of(kind), rows=1, threads=1, ahead=False) as engine:
        alone = one_by_one(engine, requests)
    assert len(set(alone)) > len(alone) // 2, "nonsense, but not the same nonsense"
    with Engine(model_of(kind), rows=rows, threads=1, debug=True) as engine:
        together = [done(future).text for future in [engine.submit(request) for request in requests]]
        shuffled = random.Random(0).sample(requests, len(requests))
        again = {request.key: engine.submit(request) for request in shuffled}
        assert [done(again[request.key]).text for request in requests] == alone
        assert max(engine.stats().batch_sizes) == rows
    assert together == alone


@pytest.mark.parametrize("kind", ["fp32", "w8a8", "w8a8-kv8", "genai"])
def test_drafts_that_come_together_are_those_written_one_by_one(model_of: Callable[[str], Path], kind: str) -> None:
    """Their prompt is computed once."""
    drafts = [
        replace(request, key=f"{request.key}/{draft}", temperature=1.0, seed=draft)
        for request in some_requests(6, seed=3)
        for draft in range(3)
    ]
    with Engine(model_of(kind), rows=1, threads=1, ahead=False) as engine:
        alone = one_by_one(engine, drafts)
    with Engine(model_of(kind), rows=8, threads=1, debug=True) as engine:
        futures = [engine.submit(drafts[0])]
        with gated(engine) as gate:
            futures += [engine.submit(draft) for draft in drafts[1:]]
            gate.open()
            assert [done(future).text for future in futures] == alone


def test_guessing_ahead_changes_no_text(model_of: Callable[[str], Path]) -> None:
    """Greedy and drawn, with and without a penalty; the second time most guesses come true."""
    requests = some_requests(32, seed=11)
    with Engine(model_of("w8a8-kv8"), rows=1, threads=1, ahead=False) as engine:
        plain = one_by_one(engine, requests)
        assert engine.stats().drafted == 0
    with Engine(model_of("w8a8-kv8"), rows=1, threads=1, debug=True) as engine:
        assert one_by_one(engine, requests) == plain
        first = engine.stats()
        assert one_by_one(engine, [replace(request, key=f"{request.key} again") for request in requests]) == plain
        second = engine.stats()
        assert second.tokens == 2 * first.tokens
        assert second.steps - first.steps < first.steps, "what was written before is guessed"


@pytest.mark.parametrize("kind", ["fp32", "w8a8", "w8a8-kv8", "genai"])
def test_late_joiners_and_leavers_change_nobodys_text(model_of: Callable[[str], Path], kind: str) -> None:
    requests = some_requests(16, seed=5)
    with Engine(model_of(kind), rows=1, threads=1) as engine:
        alone = one_by_one(engine, requests)
    with Engine(model_of(kind), rows=5, threads=1, debug=True) as engine:
        futures = []
        with gated(engine) as gate:
            for number, request in enumerate(requests):
                futures.append(engine.submit(request))
                leaver = engine.submit(ask(f"leaver{number}", "desk " * (number + 1), max_new_tokens=30))
                if number == 0:
                    gate.wait()
                gate.step()
                leaver.cancel()
                gate.step()
        assert [done(future).text for future in futures] == alone


def test_an_evicted_text_comes_out_as_if_nothing_had_happened(model_of: Callable[[str], Path]) -> None:
    warm_up = ask("warm", "mug", priority=Priority.WARM_UP, max_new_tokens=20, temperature=1.0, seed=3)
    with Engine(model_of("fp32"), rows=1, threads=1, debug=True) as engine:
        alone = done(engine.submit(warm_up)).text
        with gated(engine) as gate:
            evicted = engine.submit(warm_up)
            gate.wait()
            gate.step()
            gate.step()
            shopper = engine.submit(ask("shopper"))
        assert done(shopper)
        assert done(evicted).text == alone
        assert engine.stats().evicted == 1


@pytest.mark.parametrize("kind", ["fp32", "w8a8", "genai"])
def test_a_cached_head_changes_no_text(model_of: Callable[[str], Path], kind: str) -> None:
    requests = [ask(f"h{number}", "", prompt=_HEAD + "shoes " * number + "<|im_end|>") for number in range(8)]
    requests += some_requests(4, seed=2)
    with Engine(model_of(kind), rows=1, threads=1) as engine:
        plain = one_by_one(engine, requests)
    with Engine(model_of(kind), rows=4, threads=1, prompt_head=_HEAD, debug=True) as engine:
        assert engine._generator.cached_tokens(engine._encode(requests[3].prompt)) >= 16
        cached = [done(future).text for future in [engine.submit(request) for request in requests]]
    # The head is computed apart from the rest, so the numbers differ in their last bits; these texts do not.
    assert cached == plain


@pytest.mark.parametrize("kind", ["fp32", "pruned", "genai"])
def test_no_text_states_a_fact(model_of: Callable[[str], Path], kind: str) -> None:
    with Engine(model_of(kind), rows=8, threads=1) as engine:
        for request in some_requests(40, seed=9):
            text = done(engine.submit(request)).text
            for slot in request.slots:
                text = text.replace(f"{{{slot}}}", "")
            assert not any(map(forbidden, text)), text
