"""What a changelog gives back when more than one worker wrote into it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.tables.table import Table
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.rows import DiskRows, MakeRows, in_memory
from shelftalk.stream.tables import EPOCH_HEADER, _FaustTable, _PartitionStore

TOPIC = "app-t-changelog"


def store(make_rows: MakeRows = in_memory) -> _PartitionStore:
    made = _PartitionStore.__new__(_PartitionStore)
    made.table = SimpleNamespace(
        decode=msgspec.msgpack.decode, changelog_topic=SimpleNamespace(get_topic_name=lambda: TOPIC)
    )
    made.data, made.offsets, made.epochs = {}, {}, {}
    made.make_rows = make_rows
    return made


def record(offset: int, key: str, value: int | None, epoch: int | None) -> Any:
    headers = [] if epoch is None else [(EPOCH_HEADER, str(epoch).encode())]
    raw = None if value is None else msgspec.msgpack.encode(value)
    return SimpleNamespace(offset=offset, key=key.encode(), value=raw, headers=headers)


def batch(records: list[Any], topic: str = TOPIC) -> Any:
    return SimpleNamespace(message=SimpleNamespace(topic=topic, partition=0, value=SimpleNamespace(records=records)))


def replay(made: _PartitionStore, records: list[Any], size: int = 3) -> dict[str, int]:
    batches = [batch(records[start : start + size]) for start in range(0, len(records), size)]
    made.apply_changelog_batch(batches, lambda key: key, lambda value: value)
    return dict(made.data.get(0, {}))


def test_a_late_batch_of_another_table_is_left_alone() -> None:
    made = store()
    made.apply_changelog_batch([batch([record(0, "a", 1, 5)], "app-other-changelog")], str, str)
    assert (made.data, made.offsets) == ({}, {})


def test_rows_on_disk_are_recovered_likewise_and_let_go_with_their_partition(tmp_path: Path) -> None:
    on_disk = store(lambda _: DiskRows(tmp_path, 2, msgspec.msgpack.encode, msgspec.msgpack.decode))
    records = [record(n, f"k{n % 7}", n, 100) for n in range(50)] + [record(50, "k3", None, 100)]
    assert replay(on_disk, records) == replay(store(), records)
    on_disk.drop([0])
    assert on_disk.data == {}
    assert replay(on_disk, [record(51, "k1", 1, 200)]) == {"k1": 1}


def test_what_a_worker_that_was_cut_off_wrote_late_is_passed_over() -> None:
    """Its record of an older price arrived after its successor's two newer ones, and was recovered: two prices were lost."""
    late = [record(0, "sku", 1, 100), record(1, "sku", 2, 200), record(2, "sku", 1, 100), record(3, "sku", None, 100)]
    made = store()
    assert replay(made, late) == {"sku": 2}
    assert made.persisted_offset(SimpleNamespace(partition=0)) == 3, "passed over is read, too"


def test_records_without_an_epoch_are_of_the_first_one() -> None:
    assert replay(store(), [record(0, "a", 1, None), record(1, "a", 2, None)]) == {"a": 2}


def test_a_new_owner_writes_in_a_later_epoch_than_any_it_found_even_if_its_clock_is_behind() -> None:
    made = store()
    replay(made, [record(0, "a", 1, 5_000)])
    assert made.take_over(0, 3_000) == 5_001
    assert made.take_over(1, 3_000) == 3_000


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 9)), st.booleans()), max_size=40),
    st.integers(1, 50),
)
def test_late_records_change_nothing_wherever_they_fall(writes: list[tuple[str, int | None, bool]], size: int) -> None:
    """The successor's own writes alone give the same state, once it has written."""
    first = ("a", 7, False)
    both = [record(n, key, value, 100 if late else 200) for n, (key, value, late) in enumerate([first, *writes])]
    own = [record(n, key, value, 200) for n, (key, value, late) in enumerate([first, *writes]) if not late]
    assert replay(store(), both, size) == replay(store(), own)


def faust_table(
    monkeypatch: pytest.MonkeyPatch, *, read: int, end: int, generation: int
) -> tuple[_FaustTable, list[Any]]:
    told: list[Any] = []

    async def nothing(*_args: object) -> None: ...

    monkeypatch.setattr(Table, "on_recovery_completed", nothing)
    table = _FaustTable.__new__(_FaustTable)
    table.owner = SimpleNamespace(recovered=told.append)  # type: ignore[assignment]
    table.name = "t"
    table._data = made = store()
    made.offsets = {0: read}
    recovery = SimpleNamespace(active_highwaters={TP(TOPIC, 0): end})
    table.app = SimpleNamespace(consumer_generation_id=generation, tables=SimpleNamespace(recovery=recovery))
    table._generation = 5
    return table, told


@pytest.mark.parametrize(
    ("read", "end", "generation", "ours"), [(7, 7, 5, True), (8, 7, 5, True), (6, 7, 5, False), (7, 7, 6, False)]
)
async def test_a_partition_is_ours_only_when_its_changelog_is_read_to_the_end(
    monkeypatch: pytest.MonkeyPatch, read: int, end: int, generation: int, *, ours: bool
) -> None:
    """Faust tells of completion, too, when a rebalance overtakes a recovery."""
    table, told = faust_table(monkeypatch, read=read, end=end, generation=generation)
    await table.on_recovery_completed({TP(TOPIC, 0)}, set())
    assert told == ([frozenset({0})] if ours else [])


@pytest.mark.parametrize(
    ("generation", "expelled", "kept"), [(5, False, True), (6, False, True), (7, False, False), (6, True, False)]
)
async def test_what_a_worker_keeps_it_keeps_while_nobody_else_can_have_had_it(
    monkeypatch: pytest.MonkeyPatch, generation: int, *, expelled: bool, kept: bool
) -> None:
    """It may be given the same generation again. Where the group went on without it, its last writes were dropped."""

    async def nothing(*_args: object) -> None: ...

    monkeypatch.setattr(Table, "on_rebalance", nothing)
    table, _ = faust_table(monkeypatch, read=7, end=7, generation=generation)
    table.app.tables.recovery.active_offsets = {TP(TOPIC, 0): 7}
    table.changelog_topic = SimpleNamespace(get_topic_name=lambda: TOPIC)
    lost: list[Any] = []
    table.owner.lost = lost.append  # type: ignore[assignment, method-assign]
    if expelled:
        table.expelled()
    await table.on_rebalance({TP(TOPIC, 0)}, set(), set(), generation)
    assert lost == [frozenset() if kept else frozenset({0})]
    assert table.data.persisted_offset(TP(TOPIC, 0)) == (7 if kept else None)
