"""How what was fetched is cut into batches."""

from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.batch import BatchScheduler

Fetched = dict[TP, list[int]]

places = st.builds(TP, st.sampled_from(["events", "others"]), st.integers(0, 3))


@given(st.dictionaries(places, st.lists(st.integers(), max_size=20)), st.integers(1, 7))
def test_each_partition_keeps_its_order_and_loses_nothing(fetched: Fetched, size: int) -> None:
    came: dict[TP, list[Any]] = {tp: [] for tp in fetched}
    for tp, batch in BatchScheduler(size).iterate(fetched):
        assert 0 < len(batch) <= size
        came[tp] += batch
    assert came == fetched


def test_partitions_take_turns() -> None:
    fetched = {TP("events", 0): [0, 1, 2, 3], TP("events", 1): [10]}
    assert list(BatchScheduler(2).iterate(fetched)) == [
        (TP("events", 0), [0, 1]),
        (TP("events", 1), [10]),
        (TP("events", 0), [2, 3]),
    ]
