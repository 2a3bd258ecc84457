"""The ledger against a model that is too simple to be wrong."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shelftalk.core.ledger import Entry, Ledger


class LedgerMachine(RuleBasedStateMachine):
    """Fetch, drop, open, hold, finish, fail, seek back and revoke in any order."""

    @initialize()
    def start(self) -> None:
        self.ledger: Ledger[str] = Ledger(limit=1000, on_failed=self.take_over)
        self.log: dict[str, list[int]] = {"a": [], "b": []}  # offsets on the broker
        self.fetched: dict[str, int] = {"a": 0, "b": 0}  # how many of them were fetched
        self.owed: dict[tuple[str, int], int] = {}  # of opened ones
        self.entries: dict[tuple[str, int], Entry] = {}
        self.taken: list[Entry] = []
        self.highest: dict[str, int] = {}

    def take_over(self, entry: Entry, _error: Exception) -> None:
        self.taken.append(entry)

    @rule(partition=st.sampled_from("ab"), step=st.integers(1, 3))
    def fetch(self, partition: str, step: int) -> None:
        log = self.log[partition]
        offset = (log[-1] if log else -1) + step  # compaction leaves gaps
        log.append(offset)
        self.fetched[partition] = len(log)
        self.ledger.expect(partition, offset)

    @rule(partition=st.sampled_from("ab"), pick=st.integers(0, 10))
    def open(self, partition: str, pick: int) -> None:
        if not self.log[partition]:
            return
        offset = self.log[partition][pick % len(self.log[partition])]
        entry = self.ledger.open(partition, offset)
        first = (partition, offset) not in self.entries
        assert (entry is not None) == first
        if entry is not None:
            self.entries[partition, offset] = entry
            self.owed[partition, offset] = 1

    def unfinished(self) -> list[tuple[str, int]]:
        return [key for key, owed in self.owed.items() if owed]

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.unfinished()))
        self.entries[key].hold()
        self.owed[key] += 1

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.unfinished()))
        entry = self.entries[key]
        if entry in self.taken and self.owed[key] == 1:
            self.taken.remove(entry)
        entry.done()
        self.owed[key] -= 1

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.unfinished()))
        entry = self.entries[key]
        first = entry.error is None
        entry.fail(RuntimeError("x"))
        if first:
            assert self.taken[-1] is entry
        else:
            self.owed[key] -= 1
            if not self.owed[key]:
                self.taken = [taken for taken in self.taken if taken is not entry]

    @rule(partition=st.sampled_from("ab"))
    def revoke(self, partition: str) -> None:
        stale = [(key, entry) for key, entry in self.entries.items() if key[0] == partition]
        self.ledger.forget([partition])
        committed = self.highest.get(partition, 0)
        self.highest.pop(partition, None)
        for key, entry in stale:
            owed = self.owed.pop(key)
            assert entry.forgotten or not owed
            for _ in range(owed):
                entry.done()  # late work of a lost partition has no effect
            del self.entries[key]
        assert partition not in self.ledger.committable()
        for offset in self.log[partition]:  # the next owner, here the same, starts at the committed offset
            if offset >= committed:
                self.ledger.expect(partition, offset)
        self.log[partition] = [offset for offset in self.log[partition] if offset >= committed]

    @invariant()
    def nothing_past_an_unfinished_one(self) -> None:
        for partition, position in self.ledger.committable().items():
            for offset in self.log[partition]:
                if offset < position:
                    assert self.owed[partition, offset] == 0

    @invariant()
    def as_far_as_possible(self) -> None:
        committable = self.ledger.committable()
        for partition, log in self.log.items():
            expected = None
            for offset in log:
                if self.owed.get((partition, offset)) != 0:
                    break
                expected = offset + 1
            assert committable.get(partition) == expected

    @invariant()
    def never_goes_back(self) -> None:
        for partition, position in self.ledger.committable().items():
            assert position >= self.highest.get(partition, 0)
            self.highest[partition] = position

    @invariant()
    def holds_its_own(self) -> None:
        self.ledger.check()
        assert self.ledger.unfinished == len(self.unfinished())
        assert len(self.ledger.open_entries()) == len(self.unfinished())

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for partition, log in self.log.items():
            for offset in log:
                entry = self.ledger.open(partition, offset) or self.entries[partition, offset]
                for _ in range(entry.holds):
                    entry.done()
        assert self.ledger.committable() == {key: log[-1] + 1 for key, log in self.log.items() if log}
        assert (self.ledger.unfinished, self.ledger.kept) == (0, 0)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def opened(ledger: Ledger[str], offset: int) -> Entry:
    entry = ledger.open("a", offset)
    assert entry is not None
    return entry


def test_the_case_that_lost_an_event_under_faust() -> None:
    ledger: Ledger[str] = Ledger()
    entries = [opened(ledger, offset) for offset in range(6)]
    for entry in entries[1:]:
        entry.done()
    assert ledger.committable() == {}
    entries[0].done()
    assert ledger.committable() == {"a": 6}


def test_an_event_that_was_fetched_but_never_handled_holds_the_commit_back() -> None:
    ledger: Ledger[str] = Ledger()
    for offset in range(3):
        ledger.expect("a", offset)
    opened(ledger, 0).done()
    opened(ledger, 2).done()
    assert ledger.committable() == {"a": 1}
    ledger.expect("a", 1)  # it comes again
    opened(ledger, 1).done()
    assert ledger.committable() == {"a": 3}


def test_later_offsets_of_an_earlier_assignment_cannot_make_repeats_of_those_to_come() -> None:
    """Without an error 40 and 41 would be skipped as repeats, and 43 committed; the worker stops instead and does them again."""
    ledger: Ledger[str] = Ledger()
    opened(ledger, 42).done()
    for early in (40, 41):
        with pytest.raises(LookupError, match="comes after 42"):
            ledger.open("a", early)
    ledger.forget(["a"])
    opened(ledger, 40).done()
    assert ledger.committable() == {"a": 41}


def test_room_counts_finished_entries_behind_a_stuck_one() -> None:
    ledger: Ledger[str] = Ledger(limit=3)
    stuck = opened(ledger, 0)
    for offset in (1, 2):
        opened(ledger, offset).done()
    assert (ledger.room, ledger.unfinished, ledger.kept) == (0, 1, 3)
    stuck.done()
    assert ledger.room == 3


def test_more_done_than_held_is_an_error() -> None:
    ledger: Ledger[str] = Ledger()
    entry = opened(ledger, 0)
    entry.done()
    for misuse in (entry.done, entry.hold, lambda: entry.fail(RuntimeError())):
        with pytest.raises(ValueError, match="is finished"):
            misuse()


def test_without_anyone_to_take_a_failure_the_commit_waits() -> None:
    ledger: Ledger[str] = Ledger()
    opened(ledger, 0).fail(RuntimeError("x"))
    assert ledger.committable() == {}


def test_changes_are_told() -> None:
    told: list[int] = []
    ledger: Ledger[str] = Ledger(on_change=lambda: told.append(1))
    opened(ledger, 0).done()
    ledger.forget(["a"])
    assert len(told) == 2


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ledger(limit=0)
