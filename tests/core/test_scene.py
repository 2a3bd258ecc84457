"""The scene: the same words as rendering each card for itself, made once."""

import msgspec
import pytest

from shelftalk.core.render import fill, slot_values
from shelftalk.core.rules import ShelfRules
from shelftalk.core.scene import Scene, scene_of
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


def test_another_moment_other_facts_or_other_rules_are_another_scene() -> None:
    """However alike they look: facts of one version may differ after a crash."""
    facts = folded(upserted())
    scene = scene_of(facts, NOW, NO_MODEL)
    assert scene_of(facts, NOW, NO_MODEL) is scene
    twin = folded(upserted())
    assert twin == facts
    assert scene_of(twin, NOW, NO_MODEL) is not scene
    assert scene_of(facts, NOW + 1, NO_MODEL) is not scene
    assert scene_of(facts, NOW, ShelfRules(takes=1)) is not scene


def test_the_brief_is_the_cards_own() -> None:
    facts = folded(upserted(), stocked(3))
    card = on_ask(shelf(facts), ask(), NOW, NO_MODEL).live["ada|next_1"]
    assert card is not None
    scene = Scene(facts, NOW, NO_MODEL)
    for changed in (card, msgspec.structs.replace(card, locale="zh-CN"), msgspec.structs.replace(card, anchor="pot")):
        assert scene.brief(changed) == Scene(facts, NOW, NO_MODEL).brief(changed)
        assert scene.ingredients(changed).brief == scene.brief(changed)
    assert len({scene.brief(card).locale, scene.brief(msgspec.structs.replace(card, locale="zh-CN")).locale}) == 2
