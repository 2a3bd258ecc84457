"""Words: judged, kept, and published only while they are true."""

from collections.abc import Callable
from itertools import product

import msgspec
import pytest

from shelftalk.core.brief import Angle, Brief, Channel, Promotion
from shelftalk.core.card import Rung, Trigger
from shelftalk.core.effects import Hold, Step
from shelftalk.core.facts import Facts
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.prompt import channels_of
from shelftalk.core.rules import PHRASEBOOK
from shelftalk.core.scene import Scene
from shelftalk.core.shelf import no_words, on_ask, on_deadline, on_inventory, on_words, refresh, warm_up
from shelftalk.core.state import MAX_TEXTS, Copybook, LiveCard, ShelfState, Stage, Text
from shelftalk.core.words import Words
from tests.core.making import (
    NOW,
    RULES,
    after,
    ask,
    asks,
    cards,
    folded,
    origin,
    priced,
    shelf,
    stocked,
    upserted,
    with_facts,
    writes,
)

LAST = RULES.max_attempts - 1
GOOD = "{name}: holds its heat, yours for {price}."
BAD = "The best kettle in the world, 50% off!"
#: A person should look at it.
DOUBTFUL = "Worth a look: {name}, value for money."


def waiting() -> tuple[ShelfState, Brief]:
    """A shelf with a card that waits for its words."""
    step = on_ask(shelf(), ask(), NOW, RULES)
    return after(shelf(), step), writes(step)[0].brief


def live(state: ShelfState) -> list[LiveCard]:
    return list(state.live.values())


def test_good_words_go_out_and_are_kept() -> None:
    state, brief = waiting()
    assert judge(brief, GOOD).outcome is Outcome.PASS
    step = on_words(state, live(state), Words(brief, (GOOD,)), NOW + 300, RULES)
    (publish,) = cards(step)
    assert publish.card.text == "Harbour Kettle: holds its heat, yours for £40.00."
    assert (publish.card.revision, publish.card.provenance.rung) == (NOW << 10, Rung.GENERATED)
    assert publish.card.ai_generated
    assert step.copybook is not None
    assert step.copybook.texts == {brief.brief_id: Text(GOOD, "m-1")}


def test_bad_words_are_tried_again_with_another_seed_and_then_the_phrasebook_answers() -> None:
    state, brief = waiting()
    first = on_words(state, live(state), Words(brief, (BAD,)), NOW, RULES)
    assert [(write.attempt, write.urgent) for write in writes(first)] == [(1, True)]
    assert not cards(first)
    second = on_words(state, live(state), Words(brief, (BAD,), attempt=LAST), NOW, RULES)
    assert not writes(second)
    assert cards(second)[0].card.provenance.model == PHRASEBOOK


def test_what_was_refused_is_not_written_again_for_the_next_shopper() -> None:
    state, brief = waiting()
    state = after(state, on_words(state, live(state), Words(brief, (BAD,), attempt=LAST), NOW, RULES))
    step = on_ask(state, ask(shopper_id="bea"), NOW, RULES)
    assert not writes(step)
    assert cards(step)[0].card.provenance.rung is Rung.PHRASEBOOK
    assert not cards(step)[0].card.ai_generated


def test_doubtful_words_are_held_for_a_person() -> None:
    bargain = shelf(folded(upserted(points=("value for money",))))  # its shop says so; is it a claim?
    asked = on_ask(bargain, ask(), NOW, RULES)
    state, brief = after(bargain, asked), writes(asked)[0].brief
    assert judge(brief, DOUBTFUL).outcome is Outcome.HOLD
    step = on_words(state, live(state), Words(brief, (DOUBTFUL,)), NOW, RULES)
    assert [hold.slotted for hold in step.effects if isinstance(hold, Hold)] == [DOUBTFUL]
    assert cards(step)[0].card.provenance.rung is Rung.PHRASEBOOK


@pytest.mark.parametrize("look", [on_deadline, refresh])
def test_who_waits_is_answered_where_a_redelivered_ask_grew_and_the_product_sold_out(look: Callable[..., Step]) -> None:
    state, _ = waiting()
    state = after(state, on_ask(state, ask(), NOW + 80, RULES))
    (card,) = live(state)
    assert card.stage is Stage.AWAITING
    assert card.revision > card.asked_revision
    sold_out = with_facts(state, stocked(0))
    step = look(sold_out, card, NOW + 900, RULES)
    assert step.live[card.audience.key] != card
    assert all(held is None or held.stage is Stage.PASSED for held in step.live.values())


def test_at_the_deadline_the_phrasebook_answers_and_later_words_improve_the_card() -> None:
    state, brief = waiting()
    late = on_deadline(state, live(state)[0], NOW + 900, RULES)
    (phrase,) = cards(late)
    assert (phrase.card.provenance.rung, phrase.card.revision) == (Rung.PHRASEBOOK, NOW << 10)
    state = after(state, late)
    assert on_deadline(state, live(state)[0], NOW + 901, RULES).effects == []
    (better,) = cards(on_words(state, live(state), Words(brief, (GOOD,)), NOW + 1_500, RULES))
    assert better.card.provenance.trigger is Trigger.REWRITE
    assert better.card.revision > phrase.card.revision


def test_words_whose_meaning_moved_meanwhile_are_kept_but_not_shown() -> None:
    state, brief = waiting()
    state = with_facts(state, priced(3_000))
    step = on_words(state, live(state), Words(brief, (GOOD,)), NOW, RULES)
    assert not cards(step)
    assert [write.brief.promotion for write in writes(step)] == ["sale"]
    assert step.copybook is not None


def test_words_for_a_product_that_sold_out_meanwhile_pass_the_shopper_on() -> None:
    state, brief = waiting()
    state = with_facts(state, stocked(0))
    step = on_words(state, live(state), Words(brief, (GOOD,)), NOW, RULES)
    assert not cards(step)
    assert [one.key for one in asks(step)] == ["category:kitchen.kettles"]


def test_a_price_that_moved_meanwhile_is_in_the_words() -> None:
    state, brief = waiting()
    state = with_facts(state, priced(3_950))
    (publish,) = cards(on_words(state, live(state), Words(brief, (GOOD,)), NOW, RULES))
    assert publish.card.text == "Harbour Kettle: holds its heat, yours for £39.50."


def test_a_card_that_asks_for_other_words_is_left_alone() -> None:
    state, _ = waiting()
    sale = with_facts(state, priced(3_000))
    other = writes(refresh(sale, live(sale)[0], NOW, RULES))[0].brief
    assert on_words(state, live(state), Words(other, (GOOD,)), NOW, RULES).live == {}


def test_when_the_model_fails_nobody_waits_any_longer() -> None:
    state, brief = waiting()
    step = no_words(state, live(state), brief, NOW, RULES)
    assert [card.stage for card in step.live.values() if card] == [Stage.SHOWN]
    assert step.copybook is None  # it may work the next time


def test_the_copybook_is_bounded_and_the_oldest_go() -> None:
    book = Copybook()
    for number in range(MAX_TEXTS + 3):
        book = book.with_text(str(number), Text("x", "m"))
    assert list(book.texts) == [str(number) for number in range(3, MAX_TEXTS + 3)]
    assert list(book.with_text("3", Text("y", "m")).texts)[-1] == "3"


def test_a_text_that_shoppers_are_shown_outlives_those_that_nobody_is() -> None:
    book, writes = Copybook().with_text("kept", Text("x", "m")), 0
    for number in range(10 * MAX_TEXTS):
        book = book.with_text(str(number), Text("x", "m"))
        used = book.used("kept")
        writes += used is not book
        book = used
    assert "kept" in book.texts
    assert "0" not in book.texts
    assert writes <= 10 * MAX_TEXTS / (MAX_TEXTS // 2)
    assert book.used("unheard of") is book


def test_an_ask_that_is_answered_from_the_copybook_keeps_its_text() -> None:
    state = shelf()
    first = on_ask(state, ask(), NOW, RULES)
    (brief,) = {write.brief for write in writes(first) if write.urgent}
    book = Copybook().with_text(brief.brief_id, Text("{name}, {price}.", "m-1"))
    assert on_ask(shelf(copybook=book), ask(), NOW, RULES).copybook is None
    for number in range(MAX_TEXTS - 1):
        book = book.with_text(str(number), Text("x", "m"))
    step = on_ask(shelf(copybook=book), ask(), NOW, RULES)
    assert step.copybook is not None
    assert list(step.copybook.texts)[-1] == brief.brief_id


@pytest.mark.parametrize("channel", Channel)
def test_a_small_model_writes_only_where_it_writes_well(channel: Channel) -> None:
    rules = msgspec.structs.replace(RULES, written=channels_of("slots-v5"))
    state, _ = waiting()
    card = msgspec.structs.replace(live(state)[0], channel=channel)
    short = channel in {Channel.CARD, Channel.AD}
    assert Scene(state.shelf.facts, NOW, rules).brief(card).model == ("m-1" if short else PHRASEBOOK)


class TestAhead:
    def test_a_product_that_is_new_here_has_words_written_for_what_may_come(self) -> None:
        step = on_inventory(shelf(Facts(sku="kettle-1")), upserted(), origin(0, "inventory"), RULES)
        ahead = {(effect.brief.channel, effect.brief.promotion) for effect in writes(step) if effect.ahead}
        assert ahead == set(product((Channel.CARD, *RULES.channels), RULES.ahead))
        first = [effect.brief for effect in writes(step) if not effect.ahead]
        assert [(brief.channel, brief.promotion) for brief in first] == [(Channel.CARD, Promotion.NONE)]
        moved = on_inventory(with_facts(shelf(), priced(3_900)), stocked(39), origin(1, "inventory"), RULES)
        assert not any(effect.ahead for effect in writes(moved))

    def test_the_sale_that_comes_finds_them(self) -> None:
        step = on_inventory(shelf(Facts(sku="kettle-1")), upserted(), origin(0, "inventory"), RULES)
        book = Copybook()
        for effect in writes(step):
            book = book.with_text(effect.brief.brief_id, Text("{name}, {price}.", "m-1"))
        sale = folded(upserted(), priced(3_000))
        for card in on_ask(
            shelf(sale, copybook=book), ask(because=Angle.INTRODUCE, seed=None), NOW, RULES
        ).live.values():
            assert card is not None
            assert card.rung is Rung.CACHED

    def test_what_is_there_is_not_written_again_when_a_worker_starts(self) -> None:
        state = shelf()
        wanted = writes(warm_up(state, NOW, RULES))
        assert {effect.ahead for effect in wanted} == {True, False}
        book = Copybook({effect.brief.brief_id: Text("x", "m-1") for effect in wanted})
        assert warm_up(shelf(copybook=book), NOW, RULES).effects == []
        assert warm_up(shelf(Facts(sku="kettle-1")), NOW, RULES).effects == []
