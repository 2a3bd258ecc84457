"""The figures of a run, counted from what lies in the topics."""

import statistics
from array import array
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from shelftalk.core.explain import because_everybody
from shelftalk.core.rules import ShelfRules
from shelftalk.demo.records import Seen

Figures = dict[str, Any]

#: Of so many newest answers are the percentiles of the live view.
WINDOW = 2_000

#: And of so many a word on how late they are at this moment.
_NEWEST = 100

_PERCENTILES = (50, 95, 99)


class Clock:
    """When each record of the input topics was stored, by its place, and when what it promised came true."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, int], array[int]] = {}
        self._first: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int, int], int] = {}

    def note(self, seen: Seen) -> None:
        """Remember a record's timestamp."""
        place = (seen.topic, seen.partition)
        times = self._times.setdefault(place, array("q"))
        first = self._first.setdefault(place, seen.offset)
        while len(times) < seen.offset - first:
            times.append(-1)  # an offset that holds no record, such as a transaction's marker
        times.append(seen.timestamp_ms)
        ends_ms = seen.value.get("sale_ends_at_ms") if isinstance(seen.value, dict) else None
        if isinstance(ends_ms, int):
            self._ends[*place, seen.offset] = ends_ms

    def began(self, origin: dict[str, Any], at_ms: int) -> int | None:
        """When that began which a card of `at_ms` answers; ``None`` if its record was not seen.

        That is when the record was stored, or, for a sale whose promised end has come since, that end: then time itself was the
        cause, and the record is only where it was written down.
        """
        place = (origin["topic"], origin["partition"])
        times = self._times.get(place)
        index = origin["offset"] - self._first.get(place, 0)
        if times is None or not 0 <= index < len(times) or times[index] < 0:
            return None
        ends_ms = self._ends.get((*place, origin["offset"]))
        return ends_ms if ends_ms is not None and times[index] < ends_ms <= at_ms else times[index]


class Tally:
    """Counts records as they come.

    Attributes:
        silent: by channel, the products of which too little is known for it.
        latest_ms: latencies of the newest answers, for the live view.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self.cards: Counter[str] = Counter()
        self.rungs: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.triggers: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.latest_ms: deque[int] = deque(maxlen=WINDOW)
        self.silent: dict[str, set[str]] = {}
        self.withdrawn = 0
        self.tombstones = 0
        self.refreshed = 0
        self.passed_on = 0
        self._clock = Clock()
        self._asked_ms = array("q")
        self._refreshed_ms = array("q")
        self._unresolved: list[tuple[array[int], dict[str, Any], int]] = []
        self._answered: dict[tuple[str, str], tuple[str, int, int]] = {}
        self._sources: dict[tuple[str, str], tuple[str, int, int]] = {}

    def newest_ms(self) -> float | None:
        """What the newest answers took, in the median; ``None`` before the first. Another thread may be noting."""
        newest = [self.latest_ms[-place] for place in range(1, min(len(self.latest_ms), _NEWEST) + 1)]
        return statistics.median(newest) if newest else None

    def note(self, seen: Seen) -> int | None:
        """Count a record.

        Returns:
            How long a card took from its cause, in ms, where that can be told already.
        """
        self.records[seen.stream] += 1
        match seen.stream:
            case "behaviour" | "inventory":
                self._clock.note(seen)
                kind = seen.value.get("type") if isinstance(seen.value, dict) else None
                self.events[str(kind) if isinstance(kind, str) else "unreadable"] += 1
            case "cards" | "copy":
                return self._card(seen)
            case "dead_letters":
                self.dead_letters[seen.headers.get("dead-letter-reason", "unknown")] += 1
        return None

    @property
    def inputs(self) -> int:
        """Events so far."""
        return self.records["behaviour"] + self.records["inventory"]

    def _card(self, seen: Seen) -> int | None:
        card = seen.value
        audience = (seen.topic, seen.key or "")
        if not isinstance(card, dict):
            self.tombstones += 1
            self._sources.pop(audience, None)
            self._answered.pop(audience, None)
            return None
        source = (card["sku"], card["facts"]["source_partition"], card["facts"]["source_offset"])
        before = self._sources.get(audience)
        self._sources[audience] = source
        provenance = card["provenance"]
        trigger = provenance["trigger"]
        self.triggers[trigger] += 1
        if card["status"] == "live":
            self.cards[seen.stream] += 1
            self.rungs[provenance["rung"]] += 1
        elif not self._is_silent(card):
            self.withdrawn += 1
        if seen.stream == "copy":
            skus = self.silent.setdefault(card["channel"], set())
            (skus.add if self._is_silent(card) else skus.discard)(card["sku"])
        if trigger == "ask":
            origin = provenance["origin"]
            place = (origin["topic"], origin["partition"], origin["offset"])
            if self._answered.get(audience) == place:
                # The placement had its answer; its product was withdrawn since, and this is the next best one.
                self.passed_on += 1
                return None
            self._answered[audience] = place
            self.answers[provenance["rung"]] += 1
            return self._latency(self._asked_ms, origin, seen.timestamp_ms)
        if trigger == "facts" and before is not None and before != source:
            self.refreshed += 1
            return self._latency(self._refreshed_ms, provenance["cause"], seen.timestamp_ms)
        return None

    @staticmethod
    def _is_silent(card: dict[str, Any]) -> bool:
        """Whether a record says that there is too little to say."""
        return bool(card["provenance"]["because"] == because_everybody(card["locale"], told=False))

    def _latency(self, into: "array[int]", origin: dict[str, Any], at_ms: int) -> int | None:
        began_ms = self._clock.began(origin, at_ms)
        if began_ms is None:  # the card was read before its cause; partitions are not in step
            self._unresolved.append((into, origin, at_ms))
            return None
        into.append(at_ms - began_ms)
        if into is self._asked_ms:
            self.latest_ms.append(at_ms - began_ms)
        return at_ms - began_ms

    def figures(self) -> Figures:
        """All of it so far."""
        unresolved, self._unresolved = self._unresolved, []
        for into, origin, at_ms in unresolved:
            self._latency(into, origin, at_ms)
        return {
            "events": self.inputs,
            "events_by_type": dict(self.events.most_common()),
            "cards": self.cards["cards"],
            "copy": self.cards["copy"],
            "answered": {rung: self.answers[rung] for rung in ("cached", "generated", "phrasebook")},
            "answered_all": {rung: self.rungs[rung] for rung in ("cached", "generated", "phrasebook")},
            "triggers": dict(self.triggers),
            "answer_ms": percentiles(self._asked_ms),
            "refresh_ms": percentiles(self._refreshed_ms),
            "refreshed": self.refreshed,
            "withdrawn": self.withdrawn,
            "too_little_to_say": {channel: len(skus) for channel, skus in self.silent.items() if skus},
            "passed_on": self.passed_on,
            "tombstones": self.tombstones,
            "held_for_review": self.records["review"],
            "dead_letters": dict(self.dead_letters),
        }


def percentiles(values_ms: "array[int] | deque[int]") -> dict[str, float | int]:
    """p50, p95, p99 and the largest, with how many they are of; nothing but the count where there are none."""
    if not values_ms:
        return {"count": 0}
    found = np.percentile(np.asarray(values_ms, dtype=np.int64), _PERCENTILES)
    named = {f"p{q}": round(float(value), 1) for q, value in zip(_PERCENTILES, found, strict=True)}
    return {"count": len(values_ms), **named, "max": int(max(values_ms))}


def shares(counts: dict[str, int]) -> str:
    """``"cached 63%, generated 21%, phrasebook 16%"``."""
    total = sum(counts.values())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items()) if total else "none yet"


def lines(figures: Figures) -> list[str]:
    """The summary to read, label and value in two columns."""
    rows = [
        ("events in", f"{figures['events']:,} ({_top(figures['events_by_type'])})"),
        ("cards out", f"{figures['cards']:,} to shoppers, {figures['copy']:,} of product copy, ads and posts"),
        ("asks answered", _counted(figures["answered"])),
        ("all texts", _counted(figures["answered_all"])),
        ("from event to card", _spread(figures["answer_ms"])),
        ("from price or stock to card", _spread(figures["refresh_ms"])),
        ("refreshed by price or stock", _refreshed(figures)),
    ]
    extra: dict[str, tuple[str, Callable[[Any], str]]] = {
        "too_little_to_say": ("products with too little to write about", _silent),
        "asks": ("what became of events", _top),
        "generations": ("texts generated", lambda n: _generated(n, figures)),
        "steady": ("in the last third", _steady),
        "simulated": ("in simulated time, once warm", _cost),
        "dead_letters": (
            "dead letters",
            lambda letters: f"{_top(letters)}; poison sent: {_top(figures.get('poison_sent', {}))}",
        ),
        "lost_events": ("lost events", str),
        "wrong_prices": ("wrong prices published", lambda n: f"{n}, of {figures['cards_checked']:,} cards checked"),
        "findings": ("other findings", _top),
    }
    rows += [(label, str(say(figures[name]))) for name, (label, say) in extra.items() if figures.get(name) is not None]
    width = max(len(label) for label, _ in rows)
    return [f"{label:<{width}}  {value}" for label, value in rows]


#: What a channel is called for everybody.
_CALLED = {"copy": "product copy", "social": "post", "ad": "ad"}


def _silent(counts: dict[str, int]) -> str:
    """``"1,344 without product copy, 12 without ad"``: the shop should say what they are, and what is good about them."""
    most = sorted(counts.items(), key=lambda item: -item[1])
    said = [f"{count:,} without {_CALLED.get(channel, channel)}" for channel, count in most]
    return ", ".join(said) if said else "none"


def _generated(generations: int, figures: Figures) -> str:
    an_event = f"{figures['generations_per_event']:.3f} an event, into a copybook that began empty"
    return f"{generations:,} of {figures['drafts']:,} drafts, {an_event}"


def _steady(steady: dict[str, Any] | None) -> str:
    """The share of events that cost a text, and why it is what it is."""
    if steady is None:
        return "not measured"
    said = _cost(steady)
    pays = ShelfRules()
    enough_per_s = pays.texts_per_s / pays.texts_per_event
    if steady["events_per_s"] < enough_per_s:
        said += (
            f"; a second pays for {pays.texts_per_s:g} texts at least, and {pays.texts_at_once:,} are saved up in the "
            f"beginning, so that a quiet shop has its words; from {enough_per_s:g} events a second on they pay for "
            f"{pays.texts_per_event:g} each (--rush sends as many as the worker takes here)"
        )
    return said


def _cost(counted: dict[str, Any]) -> str:
    return (
        f"{counted['texts']:,} of {counted['events']:,} events cost a text ({counted['texts_per_event']:.2%}), "
        f"at {counted['events_per_s']:,.0f} events a second"
    )


def _refreshed(figures: Figures) -> str:
    replaced = f"{figures['passed_on']:,} replaced by the next best product"
    return f"{figures['refreshed']:,} cards; {figures['withdrawn']:,} withdrawn, {replaced}"


def _top(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()) or "none"


def _counted(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {count:,} ({count / total:.0%})" for name, count in counts.items()) if total else "none"


def _spread(found: dict[str, float | int]) -> str:
    if not found["count"]:
        return "none"
    spread = ", ".join(f"{name} {found[name]:g} ms" for name in ("p50", "p95", "p99"))
    return f"{spread}, longest {found['max']} ms (of {found['count']:,})"
