"""What must hold when a history has come to rest."""

import msgspec

from shelftalk.core.brief import Promotion
from shelftalk.core.card import Card, Status
from shelftalk.core.meaning import promotion
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Shelf
from shelftalk.events.codec import decode_behaviour
from shelftalk.events.types import ShopperErased
from shelftalk.sim.broker import Broker, Record
from shelftalk.sim.check import Auditor
from shelftalk.sim.store import standing
from shelftalk.sim.world import World

_card = msgspec.json.Decoder(Card)
_shelf = msgspec.msgpack.Decoder(Shelf)


def judge(world: World, broker: Broker, auditor: Auditor, rules: ShelfRules) -> None:
    """All promises about the end.

    Raises:
        PromiseBrokenError: one does not hold.
    """
    _all_committed(broker, auditor)
    _one_outcome_each(broker, auditor)
    _every_ask_answered(broker, auditor)
    shelves = _shelves(broker)
    _state_is_true(auditor, shelves)
    for topic in ("cards", "copy"):
        for key, card in _shown(broker.topic(topic)).items():
            if card is not None and card.status is Status.LIVE and card.valid_until_ms > world.now_ms:
                means = promotion(shelves[card.sku].facts, world.now_ms, rules.facts)
                _card_is_true(world, auditor, means, key, card)
    _copy_is_there(world, broker, auditor, rules)
    _erased_are_gone(broker, auditor)


def _all_committed(broker: Broker, auditor: Auditor) -> None:
    for topic in ("behaviour", "inventory", "asks", "offers"):
        for partition in range(broker.partitions):
            end, done = len(broker.log(topic, partition)), broker.committed.get((topic, partition), 0)
            auditor.require(done == end, "progress", f"{topic}[{partition}]: {done} of {end} committed")


def _one_outcome_each(broker: Broker, auditor: Auditor) -> None:
    """Each input came to one kind of end: applied, dead letter, or what react said of it."""
    for record in (*broker.topic("behaviour"), *broker.topic("inventory")):
        place = (record.topic, record.partition, record.offset)
        kinds = {
            "dead_letter" if said == "dead_letter" else "applied" if said == "applied" else "react"
            for said in auditor.outcomes[place]
        }
        auditor.require(len(kinds) == 1, "outcome", f"{place} ended as {sorted(kinds)}")


def _every_ask_answered(broker: Broker, auditor: Auditor) -> None:
    """With a card, or a reason for none. Who was erased after asking is owed nothing any more."""
    erased = {(record.partition, record.key): record.offset for record in _erasures(broker, auditor)}
    for place, placements in auditor.asked.items():
        _, partition, offset = place
        record = broker.log("behaviour", partition)[offset]
        missing = placements - auditor.answered[place]
        answered = not missing or bool(auditor.drops[place]) or erased.get((partition, record.key), -1) > offset
        auditor.require(answered, "unanswered", f"{place} asked for {sorted(missing)}: nothing came")


def _erasures(broker: Broker, auditor: Auditor) -> list[Record]:
    return [
        record
        for record in broker.topic("behaviour")
        if "dead_letter" not in auditor.outcomes[record.topic, record.partition, record.offset]
        and isinstance(decode_behaviour(record.value, record.at_ms), ShopperErased)
    ]


def _shelves(broker: Broker) -> dict[str, Shelf]:
    """The shelves as a new worker would find them."""
    return {
        sku: _shelf.decode(value)
        for partition in range(broker.partitions)
        for sku, value in standing(broker.log("changelog-shelves", partition))[0].items()
    }


def _state_is_true(auditor: Auditor, shelves: dict[str, Shelf]) -> None:
    for sku, book in auditor.books.items():
        truth = book.now()
        auditor.require(sku in shelves, "lost", f"{sku} has no shelf")
        facts = shelves[sku].facts
        held = (facts.name, facts.prices[-1].price_minor if facts.prices else None, facts.stock, facts.delisted)
        known = (truth.name, truth.price_minor, truth.stock, truth.delisted)
        auditor.require(held == known, "lost", f"{sku}: the shelf has {held}; the log says {known}")


def _shown(records: list[Record]) -> dict[str, Card | None]:
    """What a consumer shows in the end: the highest revision, the later of equals.

    A tombstone takes everything away, and whatever older input is answered again after it: a crash may repeat that.
    """
    shown: dict[str, Card | None] = {}
    erased_ms: dict[str, int] = {}
    for record in records:
        held = shown.get(record.key)
        if record.value is None:
            shown[record.key] = None
            erased_ms[record.key] = record.at_ms
            continue
        card = _card.decode(record.value)
        forgotten = card.provenance.origin.occurred_at_ms <= erased_ms.get(record.key, 0)
        if not forgotten and (held is None or card.revision >= held.revision):
            shown[record.key] = card
    return shown


def _card_is_true(world: World, auditor: Auditor, means: Promotion, key: str, card: Card) -> None:
    truth, facts = auditor.books[card.sku].now(), card.facts
    claims = (facts.name, facts.price_minor, facts.stock)
    known = (truth.name, truth.price_minor, truth.stock)
    auditor.require(claims == known, "stale", f"{key} still shows {card.sku} with {claims}; true is {known}: {card}")
    auditor.require(truth.showable(world.now_ms), "stale", f"{key} still offers {card.sku}: {truth}")
    auditor.require(facts.promotion == means, "stale", f"{key}: {card.sku} is told as {facts.promotion}, it is {means}")


def _copy_is_there(world: World, broker: Broker, auditor: Auditor, rules: ShelfRules) -> None:
    """Every product that can be had has its copy in every channel."""
    shown = _shown(broker.topic("copy"))
    for sku, book in auditor.books.items():
        for channel in rules.channels:
            card = shown.get(f"{sku}|{channel}/en-GB")
            live = card is not None and card.status is Status.LIVE
            truth = book.now()
            auditor.require(live == truth.showable(world.now_ms), "copy", f"{sku} {channel}: {truth}, shown {card}")


def _erased_are_gone(broker: Broker, auditor: Auditor) -> None:
    """Of a shopper who asked to be forgotten and did nothing since, no card is left."""
    erased = {(record.partition, record.key): record.offset for record in _erasures(broker, auditor)}
    last = {
        (record.partition, record.key): record.offset
        for record in broker.topic("behaviour")
        if "dead_letter" not in auditor.outcomes[record.topic, record.partition, record.offset]
    }
    forgotten = {key for (place, key), offset in erased.items() if last[place, key] == offset}
    shown = _shown(broker.topic("cards"))
    for key, card in shown.items():
        shopper = key.split("|", 1)[0]
        auditor.require(shopper not in forgotten or card is None, "erasure", f"{key} still has {card}")
