"""Figures are counted from the topics, latencies from Kafka's own timestamps."""

import msgspec
import pytest

from shelftalk.core.explain import because_everybody
from shelftalk.demo.summary import Tally, lines, percentiles, shares
from tests.demo.making import card, price, product, seen, view


def test_an_answer_takes_from_its_event_to_its_card() -> None:
    tally = Tally()
    tally.note(view(0, 100))
    assert tally.note(card(0, 140, ("behaviour", 0), rung="generated")) == 40
    figures = tally.figures()
    assert figures["answered"] == {"cached": 0, "generated": 1, "phrasebook": 0}
    assert figures["answer_ms"] == {"count": 1, "p50": 40.0, "p95": 40.0, "p99": 40.0, "max": 40}


def test_a_card_that_is_read_before_its_event_still_counts() -> None:
    tally = Tally()
    tally.note(view(5, 0))
    assert tally.note(card(0, 140, ("behaviour", 6))) is None
    tally.note(view(6, 120))
    assert tally.figures()["answer_ms"]["max"] == 20
    assert tally.figures()["answer_ms"]["count"] == 1  # and counts once


def test_a_refresh_takes_from_the_price_to_the_card() -> None:
    tally = Tally()
    tally.note(product(0, 0))
    tally.note(view(0, 10))
    tally.note(card(0, 20, ("behaviour", 0)))
    tally.note(price(1, 100, 900))
    assert tally.note(card(1, 112, ("inventory", 1), trigger="facts", source=1)) == 12
    figures = tally.figures()
    assert figures["refreshed"] == 1
    assert figures["refresh_ms"]["max"] == 12


def test_what_time_alone_changed_is_measured_from_that_time() -> None:
    tally = Tally()
    tally.note(product(0, 0))
    tally.note(price(1, 100, 900, sale_ends_at_ms=view(0, 9_000).timestamp_ms))
    tally.note(card(0, 120, ("inventory", 1), trigger="facts", source=0))
    assert tally.note(card(1, 150, ("inventory", 1), trigger="facts", source=1)) == 50
    withdrawn = card(2, 9_030, ("inventory", 1), trigger="facts", source=2, status="withdrawn")
    assert tally.note(withdrawn) == 30
    assert tally.figures()["answer_ms"] == {"count": 0}  # nobody asked


def test_the_next_best_product_is_no_second_answer() -> None:
    tally = Tally()
    tally.note(view(0, 0))
    tally.note(card(0, 10, ("behaviour", 0)))
    tally.note(card(1, 5_000, ("inventory", 0), trigger="facts", status="withdrawn"))
    assert tally.note(card(2, 5_010, ("behaviour", 0))) is None
    figures = tally.figures()
    assert (figures["passed_on"], figures["answered"]["cached"], figures["answer_ms"]["max"]) == (1, 1, 10)


def test_withdrawals_tombstones_copy_and_dead_letters_are_counted_apart() -> None:
    tally = Tally()
    tally.note(view(0, 0))
    tally.note(card(0, 10, ("behaviour", 0), status="withdrawn"))
    tally.note(seen("cards", 1, 20, None))
    tally.note(card(0, 30, ("inventory", 0), stream="copy", trigger="facts", rung="phrasebook"))
    tally.note(seen("dead_letters", 0, 40, None, headers={"dead-letter-reason": "not_json"}))
    tally.note(seen("review", 0, 50, {}))
    tally.note(seen("inventory", 0, 60, [1]))
    figures = tally.figures()
    assert (figures["cards"], figures["copy"], figures["withdrawn"], figures["tombstones"]) == (0, 1, 1, 1)
    assert (figures["dead_letters"], figures["held_for_review"]) == ({"not_json": 1}, 1)
    assert figures["events_by_type"] == {"product_viewed": 1, "unreadable": 1}
    assert figures["answered_all"]["phrasebook"] == 1


def test_products_with_too_little_to_write_about_are_counted_until_there_is_more() -> None:
    tally = Tally()
    why = because_everybody("en-GB", told=False)
    tally.note(card(0, 10, ("inventory", 0), stream="copy", trigger="facts", status="withdrawn", because=why))
    figures = tally.figures()
    assert (figures["too_little_to_say"], figures["withdrawn"]) == ({"copy": 1}, 0)
    assert any("1 without product copy" in line for line in lines(figures))
    tally.note(card(1, 20, ("inventory", 1), stream="copy", trigger="facts"))
    assert tally.figures()["too_little_to_say"] == {}


def test_percentiles_and_shares() -> None:
    tally = Tally()
    tally.note(view(0, 0))
    for at in range(1, 101):
        tally.note(msgspec.structs.replace(card(at, at, ("behaviour", 0)), key=f"s{at}|next_1"))
    found = percentiles(tally.latest_ms)
    assert found["count"] == found["max"] == 100
    assert found["p50"] == pytest.approx(50.5)
    assert found["p99"] == pytest.approx(99.0, abs=0.1)
    assert shares({"cached": 3, "generated": 1}) == "cached 75%, generated 25%"
    assert shares({"cached": 0}) == "none yet"


def test_what_texts_cost_in_the_end_and_why() -> None:
    steady = {"seconds": 20.0, "events": 500, "events_per_s": 25.0, "texts": 40, "texts_per_event": 0.08}
    figures = Tally().figures() | {"generations": 640, "drafts": 1_920, "generations_per_event": 0.5, "steady": steady}
    said = dict(line.split("  ", 1) for line in lines(figures))
    assert said["texts generated"].endswith("640 of 1,920 drafts, 0.500 an event, into a copybook that began empty")
    quiet = said["in the last third"]
    assert "40 of 500 events cost a text (8.00%), at 25 events a second; a second pays for 2 texts at least" in quiet
    assert "--rush" in quiet
    figures["steady"] = steady | {"events": 10_000, "events_per_s": 500.0, "texts_per_event": 0.004}
    (busy,) = (line for line in lines(figures) if line.startswith("in the last third"))
    assert busy.endswith("40 of 10,000 events cost a text (0.40%), at 500 events a second")


def test_the_summary_reads_even_when_nothing_happened() -> None:
    said = lines(Tally().figures())
    assert any(line.startswith("events in") for line in said)
    assert not any("wrong prices" in line for line in said)  # nobody has checked yet
