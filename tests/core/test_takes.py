"""Several wordings of a brief: two shoppers need not read the same line, and a rare one costs nothing."""

import msgspec

from shelftalk.core.asks import on_ask
from shelftalk.core.brief import Brief
from shelftalk.core.card import Rung
from shelftalk.core.phrasebook import phrase
from shelftalk.core.refresh import refresh
from shelftalk.core.rules import ShelfRules
from shelftalk.core.state import Copybook, LiveCard, Text
from shelftalk.core.words import Words, on_deadline, on_words
from tests.core.making import NOW, after, ask, cards, origin, priced, shelf, with_facts, writes

RULES = ShelfRules(model="m-1")
FIRST = "{name}: holds its heat, yours for {price}."
SECOND = "{name}, {price}: holds its heat."


def shopper_of(take: int) -> str:
    return next(f"s{n}" for n in range(100) if RULES.take(f"s{n}", "kettle-1") == take)


def asked(take: int) -> tuple[LiveCard, list[Brief]]:
    step = on_ask(shelf(), ask(shopper_id=shopper_of(take)), NOW, RULES)
    (card,) = (one for one in step.live.values() if one is not None)
    return card, [write.brief for write in writes(step)]


def test_shopper_and_product_decide_which_and_all_are_drawn() -> None:
    takes = [RULES.take(f"s{n}", "kettle-1") for n in range(300)]
    assert takes == [RULES.take(f"s{n}", "kettle-1") for n in range(300)]
    assert {takes.count(take) > 60 for take in range(RULES.takes)} == {True}
    assert RULES.take("", "kettle-1") == 0
    assert ShelfRules(takes=1).take("s1", "kettle-1") == 0


def test_the_first_wording_answers_for_all_and_others_must_be_earned() -> None:
    card, (first, other) = asked(take=2)
    assert (first.take, other.take) == (0, 2)
    assert first.brief_id != other.brief_id
    assert card.brief_id == first.brief_id
    step = on_ask(shelf(), ask(shopper_id=shopper_of(2)), NOW, RULES)
    urgent, earned = writes(step)
    assert (urgent.urgent, urgent.earn) == (True, False)
    assert (earned.urgent, earned.earn) == (False, True)


def test_a_shopper_reads_the_wording_that_is_theirs_once_it_is_there() -> None:
    _, (first, other) = asked(take=1)
    known = Copybook({first.brief_id: Text(FIRST, "m-1"), other.brief_id: Text(SECOND, "m-1")})
    texts = set()
    for take in (0, 1, 2):
        (publish,) = cards(on_ask(shelf(copybook=known), ask(shopper_id=shopper_of(take)), NOW, RULES))
        assert publish.card.provenance.rung is Rung.CACHED
        texts.add((take, publish.card.slotted))
    assert texts == {(0, FIRST), (1, SECOND), (2, FIRST)}


def test_words_of_the_first_wording_reach_whoever_waits_or_has_a_phrase() -> None:
    card, (first, _) = asked(take=1)
    state = after(shelf(), on_ask(shelf(), ask(shopper_id=shopper_of(1)), NOW, RULES))
    (publish,) = cards(on_words(state, [card], Words(first, (FIRST,)), NOW, RULES))
    assert (publish.card.slotted, publish.card.provenance.rung) == (FIRST, Rung.GENERATED)
    late = on_deadline(state, card, NOW + 400, RULES)
    (phrased,) = (one for one in late.live.values() if one is not None)
    assert phrased.rung is Rung.PHRASEBOOK
    (better,) = cards(on_words(after(state, late), [phrased], Words(first, (FIRST,)), NOW + 800, RULES))
    assert better.card.slotted == FIRST


def test_a_price_move_keeps_the_words_of_either_wording() -> None:
    for take in (0, 1):
        _, briefs = asked(take)
        known = shelf(copybook=Copybook({briefs[0].brief_id: Text(FIRST, "m-1")}))
        step = on_ask(known, ask(shopper_id=shopper_of(take), origin=origin(9)), NOW, RULES)
        (card,) = (one for one in step.live.values() if one is not None)
        moved = with_facts(after(known, step), priced(4_100))
        (publish,) = cards(refresh(moved, card, NOW, RULES))
        assert (publish.card.slotted, publish.card.provenance.rung) == (FIRST, Rung.CACHED)
        assert not writes(refresh(moved, card, NOW, RULES))


def test_phrases_differ_with_the_take() -> None:
    _, (first, _) = asked(take=1)
    drawn = {phrase(msgspec.structs.replace(first, sku=f"k{n}", take=take)) for n in range(3) for take in range(3)}
    assert len(drawn) > 3
    assert phrase(first) == phrase(msgspec.structs.replace(first, model="phrasebook"))
