"""Untrusted text: nothing that a feed, a search or a subverted model says gets into a card but what the shop may claim.

Each string of ``injections.json`` is put into every text field of a product, and into the mouth of a model that parrots its prompt
or says the string itself. What is published is held against a judge that knows none of the rules: what is left of a text without
the facts has no figure, sign or address, and none of the string's own words.
"""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shelftalk.core.brief import Brief
from shelftalk.core.card import Card
from shelftalk.core.labels import MAX_NAME, clean_label
from shelftalk.core.prompt import prompt_for
from shelftalk.core.react import Policy, react
from shelftalk.core.wording import clean_points
from shelftalk.core.words import Words
from shelftalk.events.types import ProductsSearched
from tests.core.making import NOW, RULES, ask, origin, upserted
from tests.stream.test_keeper import Bench

CORPUS: dict[str, list[str]] = json.loads((Path(__file__).parent / "injections.json").read_text())

#: What every one of them is after, in the words that it would be told in.
PAYLOAD = re.compile(
    r"free|gratis|gratuit|kostenlos|grátis|instruc|instruk|anweis|cancer|krebs|ignore|ignora|forget|system|evil|gift|pirate|banana"
    r"|pwned|owned|guarante|garant|doctor|award|best|cheap|half price|bitcoin|whatsapp|password|\bscript|alert|drop table"
    r"|免费|忽略|最|元|折"
    r"|бесплат|инструк|لا|無料|무료|only \w+ left|sold|stars"
)
SIGNS = re.compile(r"[{}<>$£€¥₹%@#*_\\`|~^=\d]|https?|www|//|\w\.(?:com|shop|example)\b|&\w+;")


def bare(text: str) -> str:
    """As a reader sees it: compatibility forms folded, accents and what is not seen taken off."""
    folded = unicodedata.normalize("NFKD", text)
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "CM").lower()


def said_besides(card: Card, points: tuple[str, ...]) -> str:
    """The text without what are facts: the name and brand, amounts in their slots, points that the shop may claim."""
    said = card.slotted
    for point in sorted(points, key=len, reverse=True):
        said = re.sub(re.escape(point), "", said, flags=re.IGNORECASE)
    return re.sub(r"\{(?:name|brand|price|was_price|percent_off|stock_left|ends_on|p\d)\}", "", said)


def echoes(brief: Brief, text: str) -> list[str]:
    """What a subverted model says: the string, the string made to look like copy, and its prompt."""
    prompt = prompt_for(brief)
    lines = [line for line in prompt.split("\n") if line]
    return [
        text,
        f"{{name}}: {text}.",
        f"{{name}} for {{price}}. {text}.",
        prompt,
        f"{{name}} has {lines[1]}.",
        f"{{name}}, {lines[2]}.",
    ]


def cards_about(text: str, attempt: int) -> list[Card]:
    """Everything published when the string stands wherever text may stand."""
    bench = Bench(RULES)
    evil = {
        "name": text,
        "brand": text,
        "kind": text,
        "category": text,
        "points": (text, "holds its heat"),
        "description": text,
    }
    fields: list[dict[str, Any]] = [
        evil,
        {"kind": text, "points": (text, f"{text} 7", "wide handle"), "category": text},
    ]
    for number, changes in enumerate(fields):
        sku = f"sku-{number}"
        changes = {name: value for name, value in changes.items() if value}  # noqa: PLW2901
        bench.inventory(msgspec.structs.replace(upserted(), sku=sku, event_id=sku, **changes))
        bench.message(ask(key=sku, shopper_id=f"s-{number}"))
    for _ in range(3):
        for write in list(bench.tray.wanted):
            bench.tray.wanted.remove(write)
            said = echoes(write.brief, text)
            bench.keeper.words(Words(write.brief, said[(write.attempt + attempt) % len(said)], write.attempt), NOW)
        bench.turn()
    return bench.tray.cards


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CORPUS.items() for text in texts])
def test_no_foreign_claim_number_link_or_slot_gets_into_a_card(kind: str, text: str) -> None:
    del kind
    for attempt in (0, 3):
        cards = cards_about(text, attempt)
        assert cards
        for card in cards:
            points = clean_points((text, "holds its heat", f"{text} 7", "wide handle"))
            besides = said_besides(card, ("holds its heat", "wide handle"))
            assert not SIGNS.search(besides), (card.slotted, card.text)
            assert not PAYLOAD.search(bare(besides)), (card.slotted, card.text)
            assert not any(PAYLOAD.search(bare(point)) for point in points), points
            rest = card.text.replace(card.facts.name, "")
            assert not re.search(r"[{}<>]|https?:|www\.|\x1b|\u202e|\u200b", card.text), card.text
            assert not any(unicodedata.category(char)[0] == "C" for char in card.text), card.text
            assert not PAYLOAD.search(bare(rest.replace(card.facts.brand or "\0", ""))), card.text


@pytest.mark.parametrize("text", [text for texts in CORPUS.values() for text in texts])
def test_a_name_keeps_no_address_slot_markup_or_price(text: str) -> None:
    name = clean_label(f"Harbour {text} Kettle", MAX_NAME)
    assert name.startswith("Harbour")
    assert not re.search(r"[{}<>]|https?:|www\.|evil\.(?:com|shop|example)|[£€$¥₹]\s?\d|\d\s?元", name)
    assert all(unicodedata.category(char)[0] != "C" for char in name)
    assert clean_label(name, MAX_NAME) == name


def test_ordinary_names_stay_as_they_are() -> None:
    for name in (
        "St. John's Wort 300 mg",
        "Ben & Jerry's",
        'Dell 27" U2723QE',
        "Lego 42115",
        "100% Cotton Tee",
        "茶壶 900毫升",
        "Kettle [Toy]",
    ):
        assert clean_label(name, MAX_NAME) == name


def test_the_corpus_is_large_enough_and_of_many_kinds() -> None:
    assert sum(map(len, CORPUS.values())) >= 200
    assert len({text for texts in CORPUS.values() for text in texts}) == sum(map(len, CORPUS.values()))


def test_a_search_and_an_identity_reach_no_shelf_and_no_prompt() -> None:
    """The query is not even kept; of the shopper a shelf knows the id, and a brief has no place for it."""
    event = ProductsSearched(
        event_id="e", occurred_at_ms=NOW, shopper_id="canary-id", query="canary query {price}", results=("sku-0",)
    )
    reaction = react(None, event, origin(0), Policy())
    assert reaction.messages
    assert b"query" not in msgspec.json.encode(reaction)
    bench = Bench(RULES)
    bench.inventory(msgspec.structs.replace(upserted(), sku="sku-0"))
    bench.message(*reaction.messages)
    assert bench.tray.wanted
    assert all("canary" not in prompt_for(write.brief) for write in bench.tray.wanted)
    assert all("canary" not in repr(write.brief) for write in bench.tray.wanted)
