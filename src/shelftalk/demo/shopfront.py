"""A page to look at: what shoppers were shown in the end, and one card's way through the run."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any, TypeVar

import msgspec
import orjson

from shelftalk.core.money import format_money, format_percent_off
from shelftalk.demo.summary import Figures

Card = Mapping[str, Any]

_Kind = TypeVar("_Kind")

#: Of a placement's cards the newest are kept, so that a long run fits in memory.
_REMEMBERED = 12

_PAGES, _CHINESE_PAGES, _LIVES, _TURNS, _PRODUCTS = 6, 2, 2, 4, 6

_CHANNELS = ("copy", "ad", "social")

_SIGNS = {
    "sale": "on sale",
    "ending_soon": "sale ends soon",
    "low_stock": "few left",
    "back_in_stock": "back in stock",
    "new": "new",
}


class Shopfront(msgspec.Struct, frozen=True):
    """What is shown.

    Attributes:
        pages: of some shoppers, by shopper, the cards on it by placement.
        lives: of some cards, everything they said in turn.
        products: of some products, by SKU, the texts for everybody by channel.
    """

    pages: Mapping[str, Sequence[Card]]
    lives: Sequence[Sequence[Card]]
    products: Mapping[str, Mapping[str, Card]]


def arrange(records: Iterable[Mapping[str, Any]]) -> Shopfront:
    """Pick what tells most: pages with many reasons, cards that lived through much, products with words of a model.

    Args:
        records: of the cards and copy topics, as `records.Writer` wrote them, each placement's in order.
    """
    told: dict[str, deque[Card]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
    for record in records:
        card = record["value"]
        if isinstance(card, dict):
            told[record["key"]].append(card)
        else:
            told.pop(record["key"], None)
    pages: dict[str, list[Card]] = defaultdict(list)
    products: dict[str, dict[str, Card]] = defaultdict(dict)
    for cards in told.values():
        last = cards[-1]
        if last["status"] != "live":
            continue
        if last["shopper_id"]:
            pages[last["shopper_id"]].append(last)
        elif last["channel"] in _CHANNELS:
            products[last["sku"]][last["channel"]] = last
    lives = sorted((_life(cards) for cards in told.values()), key=_eventful)
    by_product = {life[-1]["sku"]: life for life in lives if len(life) > 1}  # of each its most eventful
    return Shopfront(
        pages=_mixed(pages, lambda page: (len({_of(card, "angle") for card in page}), len(page))),
        lives=list(_best_of(by_product, _LIVES, _eventful).values()),
        products=_best_of(products, _PRODUCTS, _written),
    )


def _mixed(pages: Mapping[str, list[Card]], worth: Callable[[list[Card]], Any]) -> dict[str, list[Card]]:
    """Pages of both languages, those of the lesser one last."""
    chinese = {shopper: page for shopper, page in pages.items() if page[0]["locale"].startswith("zh")}
    others = {shopper: page for shopper, page in pages.items() if shopper not in chinese}
    return _best_of(others, _PAGES - _CHINESE_PAGES, worth) | _best_of(chinese, _CHINESE_PAGES, worth)


def _written(product: Mapping[str, Card]) -> tuple[int, int]:
    signs = sum(card["facts"]["promotion"] in _SIGNS for card in product.values())
    return len(product), min(signs, 1) + sum(card["ai_generated"] for card in product.values())


def _life(cards: Iterable[Card]) -> list[Card]:
    """What a card said of the product that it told of last, a turn for each price and state, the newest few."""
    life: list[Card] = []
    for card in cards:
        if life and card["sku"] != life[-1]["sku"]:
            life = []
        if life and _state(card) == _state(life[-1]):
            life.pop()
        life.append(card)
    return life[-_TURNS:]


def _state(card: Card) -> tuple[Any, ...]:
    return card["status"], card["facts"]["promotion"], card["facts"]["price_minor"]


def _eventful(life: Sequence[Card]) -> tuple[int, bool]:
    return len({card["facts"]["promotion"] for card in life}), bool(life[0]["shopper_id"])


def _best_of(of: Mapping[str, _Kind], count: int, worth: Callable[[_Kind], Any]) -> dict[str, _Kind]:
    return dict(islice(sorted(of.items(), key=lambda item: worth(item[1]), reverse=True), count))


def _of(card: Card, what: str) -> str:
    return str(card["provenance"][what])


# --- HTML -------------------------------------------------------------------------------------------------------------


def render(shopfront: Shopfront, figures: Figures) -> str:
    """The whole page: one HTML file with nothing outside of it."""
    template = Template((resources.files("shelftalk.demo") / "shopfront.html").read_text(encoding="utf-8"))
    return template.substitute(
        figures="".join(f"<div><b>{escape(value)}</b>{escape(name)}</div>" for name, value in _headline(figures)),
        lives="".join(_strip(life) for life in shopfront.lives) or _NOTHING,
        pages="".join(_page(shopper, page) for shopper, page in shopfront.pages.items()) or _NOTHING,
        products="".join(map(_product, shopfront.products.values())) or _NOTHING,
    )


_NOTHING = "<p>Nothing of this kind came out in this run.</p>"


def _headline(figures: Figures) -> Iterable[tuple[str, str]]:
    answered = figures["answered"]
    asks = max(sum(answered.values()), 1)
    yield "events", f"{figures['events']:,}"
    yield "cards", f"{figures['cards'] + figures['copy']:,}"
    yield "from event to card, in the median", f"{figures['answer_ms'].get('p50') or 0:.0f} ms"
    yield "of the asks answered from the copybook", f"{answered['cached'] / asks:.0%}"
    yield "wrong prices", f"{figures['wrong_prices']:,}"


def _page(shopper: str, cards: Iterable[Card]) -> str:
    tags = "".join(_tag(card, because=True) for card in sorted(cards, key=lambda card: card["placement"]))
    return f'<section><h3>{escape(shopper)}</h3><div class="row">{tags}</div></section>'


def _strip(life: Sequence[Card]) -> str:
    """A card in time: each thing it said, and why it said something new."""
    first = life[0]
    name = f"{first['facts']['name']}, for {first['shopper_id'] or 'everybody'}"
    return f'<section><h3>{escape(name)}</h3><div class="row time">{"".join(map(_tag, life))}</div></section>'


def _product(channels: Mapping[str, Card]) -> str:
    cards = [channels[channel] for channel in _CHANNELS if channel in channels]
    texts = "".join(
        f"<dt>{escape(card['channel'])}</dt><dd{_language(card)}>{escape(card['text'])} {_rung(card)}</dd>"
        for card in cards
    )
    facts = cards[0]["facts"]
    return f"<section><h3>{escape(facts['name'])} {_price(cards[0])}</h3><dl>{texts}</dl></section>"


def _tag(card: Card, *, because: bool = False) -> str:
    """A shelf talker: product and price, the words, and where they come from."""
    facts, live = card["facts"], card["status"] == "live"
    sign = _SIGNS.get(facts["promotion"], "")
    parts = [
        f'<article{_language(card)} class="{"live" if live else "gone"}">',
        f"<header><b>{escape(facts['name'])}</b>{_price(card)}</header>",
        f"<i>{escape(sign)}</i>" if sign else "",
        f"<p>{escape(card['text']) if live else _gone(card)}</p>",
        f"<footer>{escape(_sentence(_of(card, 'because'))) if because else ''}{_rung(card)}</footer>",
        "</article>",
    ]
    return "".join(parts)


def _gone(card: Card) -> str:
    return "Sold out: this card was taken back." if card["facts"]["promotion"] == "sold_out" else "Taken back."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("。" if "\u4e00" <= words[-1:] <= "\u9fff" else ".")


def _price(card: Card) -> str:
    facts, locale = card["facts"], card["locale"]
    price = format_money(facts["price_minor"], facts["currency"], locale)
    if facts["was_price_minor"] is None:
        return f"<span class=price>{escape(price)}</span>"
    was = format_money(facts["was_price_minor"], facts["currency"], locale)
    off = f" -{format_percent_off(facts['percent_off'], locale)}" if facts["percent_off"] else ""
    return f"<span class=price><s>{escape(was)}</s> {escape(price)}<small>{escape(off)}</small></span>"


def _rung(card: Card) -> str:
    return f"<small>{'words of the model' if card['ai_generated'] else 'from the phrasebook'}</small>"


def _language(card: Card) -> str:
    return f' lang="{escape(card["locale"])}"'


def write(folder: Path, figures: Figures) -> Path:
    """Make the page of a run.

    Args:
        folder: with the run's ``cards.jsonl``; the page is written beside it, as ``shop.html``.
        figures: of the run.
    """
    with (folder / "cards.jsonl").open("rb") as lines:
        shopfront = arrange(map(orjson.loads, lines))
    path = folder / "shop.html"
    path.write_text(render(shopfront, figures), encoding="utf-8")
    return path
