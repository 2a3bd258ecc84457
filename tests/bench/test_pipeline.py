"""What the benchmark's contestants are asked to do, without a broker."""

from collections import Counter, deque
from typing import Any

import msgspec
import pytest

from shelftalk.asking import request_for
from shelftalk.bench.pipeline.course import Answers, Seen
from shelftalk.bench.pipeline.faults import Faults, faults
from shelftalk.bench.pipeline.holding import WITHIN, held, keeps
from shelftalk.bench.pipeline.job import TABLES, In, Job
from shelftalk.bench.pipeline.naive import brief_for
from shelftalk.bench.pipeline.plain import PlainModel
from shelftalk.bench.pipeline.workload import Record, Shop
from shelftalk.core.prompt import prompt_for
from shelftalk.core.render import SLOT
from shelftalk.core.state import LiveCard
from shelftalk.engine import Engine
from shelftalk.modelling.build import ensure_small_model

NOW = 1_789_000_000_000


class Memory:
    """State in dicts."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
        self.live_cards: dict[str, dict[str, LiveCard]] = {}

    def get(self, table: str, key: str) -> Any:
        return self.tables[table].get(key)

    def put(self, table: str, key: str, value: msgspec.Struct | None) -> None:
        if value is None:
            self.tables[table].pop(key, None)
        else:
            assert isinstance(value, TABLES[table])
            self.tables[table][key] = value

    def live(self, sku: str) -> dict[str, LiveCard]:
        return self.live_cards.setdefault(sku, {})

    def at_hand(self, sku: str) -> Any:
        return self.get("shelves", sku)


def run(records: list[Record]) -> Counter[str]:
    """The job without a framework: every record and all that follows from it, before the next."""
    job, state, offsets = Job(), Memory(), Counter[str]()
    for record in records:
        waiting = deque([(record.topic, record.key, record.value)])
        while waiting:
            topic, key, value = waiting.popleft()
            offsets[topic] += 1
            if topic in {"behaviour", "inventory", "asks", "offers"}:
                made = In(topic, 0, offsets[topic], key.encode(), value)
                waiting += [(out.topic, out.key, out.value) for out in job.handle(topic, made, state, NOW)]
    return offsets


def test_the_same_seed_is_the_same_work() -> None:
    def day() -> list[Record]:
        shop = Shop(50, seed=3)
        return [*shop.catalogue(NOW), *(shop.event(NOW + number) for number in range(100))]

    assert day() == day()


def test_a_crowd_is_as_large_as_its_rate_needs() -> None:
    """A few visitors who click without a pause would be debounced, and the cards bounded by their number."""

    def shoppers(rate_per_s: float) -> int:
        shop = Shop(60, seed=3)
        shop.crowd(rate_per_s)
        return len({shop.view(NOW).key for _ in range(3_000)})

    assert shoppers(400) > 2 * shoppers(10)


def test_events_become_cards_and_none_is_refused() -> None:
    shop = Shop(60, seed=3)
    records = [*shop.catalogue(NOW - 60_000), *(shop.event(NOW - 50_000 + number * 100) for number in range(400))]
    came = run(records)
    assert came["dead_letters"] == 0
    assert came["cards"] > 200
    assert came["behaviour"] + came["inventory"] == len(records)


def test_what_no_rule_can_read_is_a_dead_letter() -> None:
    came = run([Record("behaviour", "s", b"{", ""), Record("asks", "x", b"[]", ""), Record("offers", "s", b"1", "")])
    assert came["dead_letters"] == 3


def test_cards_in_time_are_counted_by_card_and_late_ones_not() -> None:
    answers = Answers(2.0, [[100, 900], [1_100, 50]])
    assert answers.first_ms == [100, 50]
    assert answers.in_time_per_s(1_000) == 1.5
    assert answers.late_share(1_000) == 0.25


def paced(capacity_per_s: float, rate_per_s: float, seconds: float = 6.0) -> Answers:
    """What a system of this capacity answers: at once, or in the order of its backlog."""
    waits = [max(0.0, number / capacity_per_s - number / rate_per_s) for number in range(int(rate_per_s * seconds))]
    return Answers(seconds, [[50 + round(1_000 * wait_s)] for wait_s in waits])


def test_a_rate_is_held_while_cards_come_in_time_and_not_later_and_later() -> None:
    assert keeps(paced(100, 90))
    assert not keeps(paced(100, 110)), "in time for six seconds, and late after some ten"
    assert not keeps(paced(100, 200))
    assert keeps(Answers(4.0, [[20 + 3 * number] for number in range(40)])), "no backlog yet, whatever the slope"
    assert not keeps(Answers(6.0, []))


def test_what_is_held_is_found() -> None:
    found = held(lambda rate: paced(300, rate), 50)
    assert found.events_per_s <= 300 <= found.events_per_s * (1 + WITHIN)
    assert found.cards_per_s == pytest.approx(found.events_per_s, rel=0.05)
    assert found.best_per_s >= found.cards_per_s
    assert held(lambda _: Answers(6.0, []), 50).events_per_s == 0


PRODUCT = {
    "sku": "k1",
    "kind": "kettle",
    "points": ["folds flat", "quiet at night"],
    "price_minor": 1_999,
    "currency": "GBP",
}


def seen(slotted: str, text: str) -> Seen:
    provenance = {"origin": {"event_id": "e"}, "rung": "generated", "trigger": "ask"}
    card = {"sku": "k1", "slotted": slotted, "text": text, "status": "live", "revision": 1, "provenance": provenance}
    return msgspec.convert(card, Seen)


def test_a_price_that_moved_after_the_words_were_written_is_a_wrong_one() -> None:
    cards = [
        seen("{name}, {price}.", "Pico, £19.99."),
        seen("{name}, {price}.", "Pico, £21.00."),
        seen("{name}.", "Pico."),
    ]
    assert faults(cards, {"k1": PRODUCT}, None) == Faults(cards=3, priced=2, wrong_price=1, unfit=0)


def test_words_that_nobody_checked_are_checked_afterwards() -> None:
    cards = [seen("The best kettle in the world.", ""), seen("{name} folds flat.", "")]
    assert faults(cards, {"k1": PRODUCT}, "line-v2").unfit == 1


def test_the_plain_loop_writes_what_the_engine_writes() -> None:
    """The same model, so only the way to the words differs: but that the engine's fact lock lets no slot be written that is not of
    the brief, and none twice.
    """
    folder = ensure_small_model(lambda *_: None)
    model = PlainModel(folder)
    compared = 0
    with Engine(folder, rows=1) as engine:
        for kind in ("kettle", "rain jacket", "board game", "desk lamp", "wall clock", "suitcase"):
            brief = brief_for(PRODUCT | {"kind": kind}, engine.prompt_variant or "")
            plain = model.write(prompt_for(brief), 48)
            request, slots = request_for(brief, kind, temperature=0.0), SLOT.findall(plain)
            if len(slots) == len(set(slots)) and set(slots) <= set(request.slots):
                assert plain == engine.submit(request).result(60).text
                compared += 1
    assert compared
