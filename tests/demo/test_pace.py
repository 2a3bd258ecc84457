"""The pace: what is counted, and what is held back until the worker has room."""

import threading
import time
from collections.abc import Iterator

from shelftalk.demo.pace import Pace
from shelftalk.demo.plan import Planned, Stream

FAR_MS = (time.time_ns() // 1_000_000) + 3_600_000


def metrics(behaviour: int, inventory: int, texts: int, drafts: int) -> dict[str, float]:
    return {
        'shelftalk_events_total{agent="react",outcome="done"}': behaviour - 1,
        'shelftalk_events_total{agent="react",outcome="dead_letter"}': 1,
        'shelftalk_events_total{agent="shelf_inventory",outcome="done"}': inventory,
        'shelftalk_events_total{agent="fence",outcome="done"}': 10_000,
        'shelftalk_shelf_total{what="texts_begun"}': texts,
        "shelftalk_desk_drafts_total": drafts,
    }


def records(sent: list[int]) -> Iterator[Planned]:
    for number in range(100_000):
        sent.append(number)
        yield Planned(0, Stream.BEHAVIOUR, "s", b"{}")


def test_the_last_third_is_what_counts() -> None:
    pace = Pace()
    assert pace.steady() is None
    for second in range(91):
        pace.note(second, metrics(600 * second + 1, 100 * second, 2_000 + (5 * second if second > 60 else 0), 0))
    pace.note(91, {})  # it did not answer
    steady = pace.steady()
    assert steady is not None
    assert (steady.seconds, steady.events) == (30, 21_000)
    assert steady.figures()["events_per_s"] == 700
    assert steady.figures()["texts_per_event"] == round((5 * 90) / 21_000, 5)


def test_no_more_is_sent_than_the_worker_takes() -> None:
    pace, sent = Pace(), list[int]()
    held = pace.held_back(records(sent), FAR_MS)
    assert len([next(held) for _ in range(25)]) == 25  # a quarter of a second, at first
    more = threading.Thread(target=lambda: [next(held) for _ in range(26)])
    more.start()
    pace.note(0.25, metrics(25, 1, 0, 0), lag=0)  # and then a little more
    more.join(10)
    assert not more.is_alive()
    blocked = threading.Thread(target=lambda: list(held))
    blocked.start()
    pace.over()
    blocked.join(10)
    assert not blocked.is_alive()
    assert len(sent) <= 25 + 27 + 1, "the one that waited is not sent once it is over"


def test_the_rate_becomes_what_the_worker_holds() -> None:
    """A worker that takes 300 events a second, and no more."""
    pace, sent, took, rates = Pace(), list[int](), 0.0, []
    held = pace.held_back(records(sent), FAR_MS)
    allowed = 25.0
    for quarter in range(1, 121):
        before = len(sent)
        while len(sent) < before + int(allowed):
            next(held)
        took = min(took + 75, len(sent))
        pace.note(quarter / 4, metrics(round(took) + 1, 0, 0, 0), lag=round(6 * (len(sent) - took)))
        allowed = pace._room
        rates.append(4 * (len(sent) - before))
    assert 270 <= sum(rates[-60:]) / 60 <= 330
    assert max(len(sent) - took, 0) < 300


def test_cards_that_come_late_slow_it_down() -> None:
    pace = Pace()
    for quarter in range(1, 9):
        pace.note(quarter / 4, metrics(25 * quarter, 1, 0, 0), lag=0, late_ms=900)
    assert pace._per_s < 60


def test_nobody_is_held_back_beyond_the_end() -> None:
    assert not list(Pace().held_back(records([]), 0))
