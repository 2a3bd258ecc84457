"""The page of a run shows what stood in the topics in the end, and nothing of it can be markup."""

from typing import Any

import pytest

from shelftalk.demo.shopfront import arrange, render

FIGURES: dict[str, Any] = {
    "events": 1_234,
    "cards": 5,
    "copy": 6,
    "answer_ms": {"p50": None},
    "answered": {"cached": 0, "generated": 0, "phrasebook": 0},
    "wrong_prices": 0,
}


def record(placement: str = "next_1", shopper: str | None = "s-1", **changes: Any) -> dict[str, Any]:
    facts = {"name": "Kettle", "price_minor": 4_000, "currency": "GBP", "was_price_minor": None, "percent_off": None,
             "promotion": "none"} | changes.pop("facts", {})  # fmt: skip
    card = {"sku": "k", "status": "live", "channel": "card", "locale": "en-GB", "text": "A kettle.", "ai_generated": True,
            "provenance": {"because": "it matches your search", "angle": "search_match"}}  # fmt: skip
    card |= {"shopper_id": shopper, "placement": placement, "facts": facts} | changes
    return {"key": f"{shopper or card['sku']}|{placement}", "value": card}


def test_the_last_card_of_a_placement_is_on_the_page() -> None:
    shopfront = arrange([record(text="Old."), record("next_2", text="Beside it."), record(text="New.")])
    assert [card["text"] for card in shopfront.pages["s-1"]] == ["New.", "Beside it."]


@pytest.mark.parametrize("last", [record(status="withdrawn", text=""), {"key": "s-1|next_1", "value": None}])
def test_what_was_taken_back_is_not(last: dict[str, Any]) -> None:
    assert not arrange([record(), last]).pages


def test_a_card_is_followed_through_what_happened_to_its_product() -> None:
    sale = {"price_minor": 3_000, "was_price_minor": 4_000, "percent_off": 25, "promotion": "sale"}
    shopfront = arrange(
        [
            record(sku="mug", text="A mug."),
            record(),
            record(text="The same, better said."),
            record(facts=sale, text="For less."),
            record(facts=sale | {"promotion": "sold_out"}, status="withdrawn", text=""),
        ]
    )
    [life] = shopfront.lives
    assert [card["text"] for card in life] == ["The same, better said.", "For less.", ""]
    assert "<s>£40.00</s> £30.00" in render(shopfront, FIGURES)


def test_both_languages_have_pages_and_products_their_channels() -> None:
    many = [record(shopper=f"s-{number}") for number in range(9)]
    chinese = record(
        shopper="s-zh", locale="zh-CN", text="水壶。", provenance={"because": "与你搜索的相符", "angle": "search_match"}
    )
    post = record("social/en-GB", None, channel="social", text="A post.")
    shopfront = arrange([*many, chinese, post])
    assert "s-zh" in shopfront.pages
    assert shopfront.products["k"]["social"]["text"] == "A post."
    assert "与你搜索的相符。" in render(shopfront, FIGURES)


def test_nothing_in_a_card_is_markup() -> None:
    hostile = "<script>alert(1)</script>"
    page = render(arrange([record(text=hostile, shopper=hostile, facts={"name": hostile})]), FIGURES)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 3


def test_a_run_without_cards_has_a_page_too() -> None:
    assert "Nothing of this kind" in render(arrange([]), FIGURES)
