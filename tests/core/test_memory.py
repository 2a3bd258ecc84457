"""What a profile says of its shopper: how far they are, what they lean to, what they saw."""

from typing import Any

from shelftalk.core.memory import intent_of, taste_of
from shelftalk.core.messages import Ask, board_key
from shelftalk.core.policy import Policy
from shelftalk.core.profile import MAX_CATEGORIES, MAX_EARLIER, MAX_SEARCHES, Profile
from shelftalk.core.react import react
from shelftalk.core.taste import Intent
from shelftalk.core.terms import terms
from shelftalk.events.types import BehaviourEvent, CartAdded, OrderCompleted, OrderItem, ProductsSearched, ProductViewed
from tests.core.making import DAY, NOW, origin

POLICY = Policy()


def head(at_ms: int) -> dict[str, Any]:
    return {"event_id": f"b-{at_ms}", "occurred_at_ms": at_ms, "shopper_id": "ada"}


def viewed(sku: str, at_ms: int, category: str | None = "kettles", price_minor: int | None = 4_000) -> ProductViewed:
    return ProductViewed(**head(at_ms), sku=sku, category=category, price_minor=price_minor, currency="GBP")


def carted(sku: str, at_ms: int) -> CartAdded:
    return CartAdded(**head(at_ms), sku=sku, category="kettles", price_minor=4_000, currency="GBP")


def ordered(sku: str, at_ms: int) -> OrderCompleted:
    return OrderCompleted(**head(at_ms), items=(OrderItem(sku=sku),))


def searched(query: str, at_ms: int, category: str | None = None, results: tuple[str, ...] = ()) -> ProductsSearched:
    return ProductsSearched(**head(at_ms), query=query, category=category, results=results)


def played(*events: BehaviourEvent) -> tuple[Profile, list[Ask]]:
    """The profile after these, and the asks of the last."""
    profile: Profile | None = None
    for offset, event in enumerate(events):
        reaction = react(profile, event, origin(offset, at_ms=event.occurred_at_ms), POLICY)
        profile = reaction.profile
    assert profile is not None
    return profile, [message for message in reaction.messages if isinstance(message, Ask)]


class TestIntent:
    def intents(self, *events: BehaviourEvent) -> list[Intent]:
        return [
            intent_of(played(*events[: number + 1])[0], event.occurred_at_ms, POLICY)
            for number, event in enumerate(events)
        ]

    def test_from_browsing_to_bought(self) -> None:
        at = [NOW + number * 10_000 for number in range(6)]
        assert self.intents(
            viewed("a", at[0]), viewed("b", at[1]), viewed("c", at[2]), carted("c", at[3]), ordered("c", at[4])
        ) == [Intent.BROWSING, Intent.BROWSING, Intent.COMPARING, Intent.DECIDING, Intent.BOUGHT]

    def test_to_and_fro_between_two_is_no_comparison_of_three(self) -> None:
        events = [viewed("ab"[number % 2], NOW + number * 10_000) for number in range(6)]
        assert set(self.intents(*events)) == {Intent.BROWSING}

    def test_another_category_begins_anew(self) -> None:
        events = [viewed("a", NOW), viewed("b", NOW + 1), viewed("x", NOW + 2, "pots"), viewed("c", NOW + 3)]
        assert self.intents(*events)[-1] is Intent.BROWSING

    def test_a_full_cart_of_last_week_decides_nothing(self) -> None:
        assert self.intents(carted("a", NOW), viewed("b", NOW + 7 * DAY))[-1] is Intent.BROWSING

    def test_who_goes_on_after_buying_decides_again(self) -> None:
        events: list[BehaviourEvent] = [carted("a", NOW), ordered("a", NOW + 1), carted("b", NOW + 2)]
        assert self.intents(*events)[-1] is Intent.DECIDING


class TestTaste:
    def test_an_ask_carries_what_is_known(self) -> None:
        _, (ask,) = played(
            searched("steel kettle", NOW, "kettles"),
            *(viewed(f"p{number}", NOW + (number + 1) * 10_000) for number in range(3)),
        )
        taste = ask.taste
        assert taste.intent is Intent.COMPARING
        assert taste.searched == terms("steel kettle")
        assert taste.seen == ("p0", "p1", "p2")
        assert taste.band is not None
        assert taste.band.holds("kettles", "GBP", 4_000)

    def test_a_band_needs_a_price_with_its_currency(self) -> None:
        events = [viewed(f"p{number}", NOW + number, price_minor=0) for number in range(5)]
        assert taste_of(played(*events)[0], NOW, POLICY).band is None

    def test_the_searches_of_an_earlier_session_are_forgotten_its_products_are_not(self) -> None:
        profile, _ = played(searched("kettle", NOW), viewed("a", NOW + 1), viewed("b", NOW + DAY))
        assert profile.searches == ()
        assert [seen.sku for seen in profile.earlier] == ["a"]
        assert [seen.sku for seen in profile.recent] == ["b"]

    def test_it_is_bounded(self) -> None:
        events: list[BehaviourEvent] = []
        for number in range(60):
            at_ms = NOW + number * DAY
            events += [searched(f"q{number}", at_ms, f"c{number}"), viewed(f"p{number}", at_ms + 1, f"d{number}")]
        profile, _ = played(*events)
        assert len(profile.categories) <= MAX_CATEGORIES
        assert len(profile.searches) <= MAX_SEARCHES
        assert len(profile.earlier) <= MAX_EARLIER

    def test_nothing_typed_is_kept(self) -> None:
        profile, asks = played(searched("ada lovelace", NOW, results=("a",)), viewed("a", NOW + 5_000))
        assert "ada lovelace" not in repr((profile, [ask.taste for ask in asks]))
        assert "lovelace" not in repr(profile)


class TestWants:
    def test_a_search_that_found_nothing_shows_what_is_looked_at_there(self) -> None:
        _, (ask,) = played(searched("kettle", NOW, "kettles"))
        assert (ask.key, ask.via, ask.placements) == (board_key("kettles"), (), POLICY.placements)

    def test_what_was_just_bought_is_offered_in_no_way(self) -> None:
        later = NOW + POLICY.quiet_after_order_ms + 10
        view = ProductViewed(**head(later), sku="x", candidates=("a", "b"))
        _, asks = played(ordered("a", NOW), view)
        assert [ask.key for ask in asks] == ["b"]
        assert "a" in asks[0].exclude  # should b be sold out, its shelf must not pass the ask on to a
        _, asks = played(ordered("a", NOW), searched("a", later, results=("a", "c")))
        assert [ask.key for ask in asks] == ["c"]

    def test_candidates_that_were_all_bought_are_none(self) -> None:
        later = NOW + POLICY.quiet_after_order_ms + 10
        _, (ask,) = played(ordered("a", NOW), ProductViewed(**head(later), sku="x", candidates=("a",)))
        assert (ask.key, ask.placements) == ("x", POLICY.placements)

    def test_what_was_looked_at_last_time_may_be_back_once_a_session(self) -> None:
        first = (viewed("a", NOW), viewed("b", NOW + DAY))
        _, asks = played(*first)
        assert [(ask.key, ask.because, ask.carted_at_ms) for ask in asks[1:]] == [("a", "back_in_stock", NOW)]
        assert "a" not in asks[0].exclude  # most likely it is not, and it may well be the next best
        assert len(played(*first, viewed("c", NOW + DAY + 5_000))[1]) == 1
