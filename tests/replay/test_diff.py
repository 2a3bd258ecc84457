"""What counts as a change of text, and what is a matter of time."""

import io
from typing import Any

import msgspec
from rich.console import Console

from shelftalk.replay.diff import Fate, compare, digests
from shelftalk.replay.diff_report import _pieces, table, write_page
from shelftalk.replay.texts import Said, TextsWriter, read_texts
from tests.replay.test_measure import played, result


def said(seq: int, **more: Any) -> Said:
    fields: dict[str, Any] = {
        "trigger": "ask",
        "placement": "next_1",
        "sku": "A",
        "name": "Lamp",
        "channel": "card",
        "locale": "en-GB",
        "angle": "popular",
        "promotion": "none",
        "tone": "plain",
        "rung": "cached",
        "brief_id": "b1",
        "model": "m1",
        "variant": "v1",
        "slotted": "{name}: a good lamp.",
        "text": "Lamp: a good lamp.",
    }
    return Said(seq=seq, **fields | more)


def test_rungs_are_a_matter_of_time() -> None:
    before = [said(1), said(2), said(3, rung="phrasebook", slotted="A lamp.")]
    after = [said(1, rung="generated"), said(2, rung="phrasebook", slotted="A lamp."), said(3)]
    found = compare(before, after, same_sends=True)
    assert found.same_text
    assert (found.decisions_same, found.decisions_differ, found.unanswered) == (3, 0, 0)
    assert found.rungs == {"cached → generated": 1, "cached → phrasebook": 1, "phrasebook → cached": 1}
    assert (found.written.same, found.phrasebook.same) == (1, 1)
    assert digests(before) == digests(after)


def test_what_the_card_beside_it_decided_is_no_change_of_text() -> None:
    """Which of two cards stood on the page first is a matter of time; the other one was given other words."""
    before = [said(1, rung="phrasebook", slotted="A lamp."), said(2, rung="phrasebook", slotted="Lit.", reworded=True)]
    after = [
        said(1, rung="phrasebook", slotted="A lamp."),
        said(2, rung="phrasebook", slotted="Light, {name}.", reworded=True),
        said(3, rung="phrasebook", slotted="Ah, light.", reworded=True),
    ]
    found = compare(before, after, same_sends=True)
    assert found.same_text
    assert found.reworded == (1, 2)
    assert found.rungs == {"phrasebook": 1, "reworded": 1}
    assert found.cards == {Fate.SAME: 1, Fate.REWORDED: 1}
    assert digests(before) == digests(after)
    unmarked = [msgspec.structs.replace(card, reworded=False) for card in after]
    assert not compare(
        [*before[:1], msgspec.structs.replace(before[1], reworded=False)], unmarked[:2], same_sends=True
    ).same_text


def test_another_product_is_no_change_of_text() -> None:
    found = compare([said(1), said(4)], [said(1, sku="B", brief_id="b2"), said(5)], same_sends=True)
    assert (found.decisions_same, found.decisions_differ, found.unanswered) == (0, 1, 2)
    assert found.same_text


def test_other_words_for_the_same_brief_are_one() -> None:
    found = compare([said(1)], [said(9, slotted="{name}: a fine lamp.")], same_sends=False)
    assert [(each.before, each.after) for each in found.written.changed] == [
        (["{name}: a good lamp."], ["{name}: a fine lamp."])
    ]
    assert found.written.hash_before != found.written.hash_after
    assert found.by == "brief"


def test_a_text_that_only_the_longer_run_came_to_is_none() -> None:
    found = compare([said(1)], [said(1), said(2, slotted="Another attempt.")], same_sends=True)
    assert found.same_text
    assert found.written.hash_before == found.written.hash_after


def test_each_card_is_held_against_its_twin() -> None:
    before = [said(1), said(2), said(3), said(4), said(5)]
    after = [
        said(1, rung="generated"),
        said(2, text="Lamp: a good lamp!"),
        said(3, rung="phrasebook", slotted="A lamp."),
        said(4, slotted="{name}: a fine lamp."),
        said(5, sku="B"),
    ]
    found = compare(before, after, same_sends=True)
    assert found.cards == {Fate.SAME: 1, Fate.FACTS: 1, Fate.RUNG: 1, Fate.WORDS: 1}
    assert found.decisions_differ == 1


def test_models_are_compared_by_what_was_asked() -> None:
    before = [said(1), said(2, sku="B", brief_id="b2", slotted="B one.")]
    after = [
        said(1, model="m2", brief_id="c1", slotted="{name}: a fine lamp."),
        said(2, sku="B", model="m2", brief_id="c2", slotted="B one."),
    ]
    found = compare(before, after, same_sends=True)
    assert found.by == "question"
    assert (found.written.same, len(found.written.changed)) == (1, 1)
    assert (found.written.only_before, found.written.only_after) == (0, 0)


def test_the_page_shows_both_sides_and_escapes_them(tmp_path: Any) -> None:
    after = said(1, slotted="{name}: a <fine> lamp.")
    texts = compare([said(1)], [after], same_sends=True)
    one = msgspec.structs.replace(result(played()), site="here")
    other = msgspec.structs.replace(result(played(late_ms=90)), site="there")
    html = write_page(one, other, texts, tmp_path / "diff.html").read_text()
    assert "<del>good</del>" in html
    assert "<ins>&lt;fine&gt;</ins>" in html
    assert "different places: here; there" in html
    assert "the second has no latency" in html
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(texts))
    assert "a <fine> lamp" in console.export_text()
    assert table(compare([said(1)], [said(1)], same_sends=True)) is None


def test_pieces_give_both_sides_whole() -> None:
    old, new = "one two  three", "one 2  three four"
    assert "".join(text for text, _ in _pieces(old, new, old_side=True)) == old
    assert "".join(text for text, _ in _pieces(old, new, old_side=False)) == new


def test_cards_come_back_as_they_were_kept(tmp_path: Any) -> None:
    cards = [said(n, text=f"Text {n}") for n in range(20)]
    with TextsWriter(tmp_path) as writer:
        for card in cards:
            writer.add(card)
    assert read_texts(tmp_path) == cards
