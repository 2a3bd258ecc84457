"""Decode steps of fixed sizes, as CUDA graphs need them, on the CPU: the same texts. Capturing them takes a GPU."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shelftalk.engine import Engine
from shelftalk.engine.buckets import bucket_sizes
from tests.engine.asking import done, one_by_one, some_requests


def test_sizes_are_powers_of_two_and_the_whole_batch() -> None:
    assert bucket_sizes(1) == [1]
    assert bucket_sizes(6) == [1, 2, 4, 6]
    assert bucket_sizes(16) == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("kind", ["fp32", "fp16", "w8a8", "w8a8-kv8", "pruned"])
def test_padded_steps_write_the_same_texts(model_of: Callable[[str], Path], kind: str) -> None:
    requests = some_requests(24, seed=17)
    with Engine(model_of(kind), rows=1, threads=1, ahead=False) as engine:
        alone = one_by_one(engine, requests)
    with Engine(model_of(kind), rows=6, threads=1, debug=True, bucketed=True) as engine:
        assert [done(future).text for future in [engine.submit(request) for request in requests]] == alone
        assert sorted(engine._runner._buckets._steps) == [1, 2, 4, 6], "every size was used"
    with Engine(model_of(kind), rows=6, threads=1, debug=True, bucketed=True) as engine:
        assert one_by_one(engine, requests) == alone
