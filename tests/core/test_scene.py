"""The scene: the same words as rendering each card for itself, made once."""

import gc
import weakref

import msgspec
import pytest

from shelftalk.core.card import Status
from shelftalk.core.render import fill, slot_values
from shelftalk.core.scene import Scene
from shelftalk.core.shelf import on_ask
from shelftalk.core.wording import clean_points
from tests.core.making import HOUR, NO_MODEL, NOW, ask, folded, priced, shelf, stocked, upserted


@pytest.mark.parametrize("locale", ["en-GB", "de-DE", "zh-CN"])
def test_a_text_reads_as_it_would_alone(locale: str) -> None:
    facts = folded(upserted(), priced(3_000, NOW - HOUR))
    slotted = "{name}, {price}, was {was_price}: {percent_off} off."
    values = slot_values(facts, clean_points(facts.points), locale)
    scene = Scene(facts, NOW, NO_MODEL)
    assert scene.text(slotted, locale) == scene.text(slotted, locale) == fill(slotted, values)


def test_a_slot_without_a_value_has_no_text() -> None:
    assert Scene(folded(upserted()), NOW, NO_MODEL).text("{name} until {ends_on}", "en-GB") is None


def test_the_brief_is_the_cards_own() -> None:
    facts = folded(upserted(), stocked(3))
    card = on_ask(shelf(facts), ask(), NOW, NO_MODEL).live["ada|next_1"]
    assert card is not None
    scene = Scene(facts, NOW, NO_MODEL)
    for changed in (card, msgspec.structs.replace(card, locale="zh-CN"), msgspec.structs.replace(card, anchor="pot")):
        assert scene.brief(changed) == Scene(facts, NOW, NO_MODEL).brief(changed)
    assert len({scene.brief(card).locale, scene.brief(msgspec.structs.replace(card, locale="zh-CN")).locale}) == 2


def test_what_a_card_needed_is_gone_with_it() -> None:
    """Without a cycle that only the garbage collector would find: there is a scene for each ask."""
    card = on_ask(shelf(folded(upserted())), ask(), NOW, NO_MODEL).live["ada|next_1"]
    assert card is not None
    scene = Scene(folded(upserted()), NOW, NO_MODEL)
    scene.plate(card, Status.LIVE)
    assert scene.holds(msgspec.structs.replace(card, brief_id=scene.brief(card).brief_id))
    gone = weakref.ref(scene)
    gc.disable()
    try:
        del scene
        assert gone() is None
    finally:
        gc.enable()
