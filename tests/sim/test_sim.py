"""The simulator holds what it promises, replays exactly, and catches what is planted."""

import os
import subprocess
import sys

import pytest

from shelftalk.sim import run_seed
from shelftalk.sim.__main__ import main
from shelftalk.sim.broker import Producer
from shelftalk.sim.bugs import Bug
from shelftalk.sim.check import Auditor
from shelftalk.stream.fence import Fence

SEEDS = 60


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_every_promise_holds(first: int) -> None:
    broken = [result for result in map(run_seed, range(first, first + 20)) if result.broken]
    assert not broken, "\n".join((f"seed {broken[0].seed}: {broken[0].broken}", *broken[0].diary))


def test_the_histories_are_eventful() -> None:
    """A simulation in which nothing goes wrong proves nothing."""
    counts = [run_seed(seed).counts for seed in range(12)]
    happened = {
        kind: sum(count[kind] for count in counts) for kind in ("crash", "revoke", "lost_in_flight", "dead letter")
    }
    assert all(count >= 5 for count in happened.values()), happened
    kinds = set().union(*counts)
    assert {"drop superseded", "drop nothing_to_show", "drop unknown_sku", "card live", "card withdrawn"} <= kinds


def test_a_seed_replays_exactly() -> None:
    one, other = run_seed(7), run_seed(7)
    assert (one.counts, one.diary) == (other.counts, other.diary)
    assert run_seed(8).diary != one.diary


def test_also_in_another_process_whatever_its_hashes_are() -> None:
    code = "from shelftalk.sim import run_seed; print(*run_seed(7).diary)"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_planted_bug_is_caught_at_the_commit() -> None:
    results = [run_seed(seed, Bug.LEDGER) for seed in range(5)]
    assert {result.promise for result in results} == {"commit"}


def test_and_would_be_by_what_it_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without looking at commits at all: events are gone, and it shows."""
    monkeypatch.setattr(Auditor, "committing", lambda *_: None)
    promises = {run_seed(seed, Bug.LEDGER).promise for seed in range(60)}
    assert promises & {"lost", "unanswered", "stale", "copy", "outcome"}, promises


def test_who_publishes_before_the_backlog_is_read_shows_older_facts() -> None:
    promises = {run_seed(seed, Bug.CATCH_UP).promise for seed in range(20)}
    assert "older_facts" in promises


def test_a_fence_that_forgets_erasures_lets_cards_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fence, "_is_straggler", lambda *_: False)
    promises = {run_seed(seed).promise for seed in range(45)}
    assert promises & {"came_back", "backwards", "erasure"}


def test_without_the_fence_older_cards_follow_newer_ones() -> None:
    assert "backwards" in {run_seed(seed, Bug.FENCE).promise for seed in range(30)}


def test_what_was_only_posted_is_lost_by_a_crash() -> None:
    promises = {run_seed(seed, Bug.OUTBOX).promise for seed in range(40)}
    assert promises & {"lost", "unanswered", "copy", "outcome", "stale", "older_facts"}, promises


def is_caught(bug: Bug, promises: set[str], *seeds: int) -> bool:
    """Whether one of these histories breaks with it as it should. Every rule of the core changes them, so others are tried, too."""
    return any(run_seed(seed, bug).promise in promises for seed in (*seeds, *range(300)))


def test_who_goes_on_without_a_lease_is_caught() -> None:
    assert is_caught(Bug.LEASE, {"older_facts", "commit"}, 3, 16, 21)


def test_who_takes_a_blind_answer_for_a_lease_is_caught() -> None:
    """A coordinator that is still reading its groups says to all of them that all is well: seen on a real Kafka."""
    assert is_caught(Bug.BLIND, {"older_facts", "commit"}, 21, 33, 67)


def test_who_takes_the_next_generation_for_a_lease_on_the_last_is_caught() -> None:
    assert is_caught(Bug.REJOIN, {"older_facts"}, 3, 16, 27)


def test_what_a_zombie_had_on_the_wire_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without epochs in the changelogs a late record stands for what the partition's next owner left there."""
    monkeypatch.setattr(Producer, "drop", lambda _: None)  # the wire carries more than a history of this length has
    assert is_caught(Bug.EPOCH, {"lost", "older_facts", "revision", "id", "stale"}, 120, 122, 187)


def test_zombies_are_about() -> None:
    counts = [run_seed(seed).counts for seed in range(30)]
    happened = {
        kind: sum(count[kind] for count in counts) for kind in ("cut off", "frozen", "blind answer", "expelled")
    }
    assert all(count >= 5 for count in happened.values()), happened


@pytest.mark.parametrize("seed", [145, 308, 489, 1200, 1959, 1976, 2905, 54255])
def test_a_history_that_once_broke_a_promise(seed: int) -> None:
    assert run_seed(seed).broken is None


@pytest.mark.parametrize("bug", Bug)
def test_a_seed_with_a_planted_bug_replays_exactly(bug: Bug) -> None:
    assert run_seed(3, bug) == run_seed(3, bug)


def test_the_command_says_which_seed_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2"]) == 0
    assert "2 histories" in capsys.readouterr().out
    assert main(["--seed", "3", "--break", "ledger"]) == 1
    said = capsys.readouterr().out
    assert "seed 3 broke a promise: commit" in said
    assert "--seed 3" in said
