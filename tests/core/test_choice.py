"""Of several drafts, the one that tells most of the product and sounds least like the others."""

from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.core import choice
from shelftalk.core.brief import Brief
from shelftalk.core.choice import Choice, choose, worth
from shelftalk.core.fluency import novelty
from shelftalk.core.guard import Outcome, Verdict
from shelftalk.core.review import review
from tests.core.test_grammar import KETTLE, brief

CHINESE = brief(kind="陶瓷饭碗", points=("可折叠", "檀木"), locale="zh")

#: Told of the kettle: two points, one, one in other words, none that may be said, something for a person.
TWO, ONE, OTHER = "{name}: hanging loop, folds flat.", "{name}: folds flat.", "A kettle that folds flat: {name}."
REFUSED = "The best kettle in the world, 50% off!"
DOUBTFUL = "{name}: folds flat, value for money."


def test_what_may_not_be_kept_is_never_chosen_before_what_may() -> None:
    for drafts in permutations((REFUSED, DOUBTFUL, ONE)):
        text, verdict = choose(KETTLE, drafts)
        assert (text, verdict.outcome) == (ONE, Outcome.PASS)


def test_where_none_passes_a_person_sees_what_is_only_doubtful() -> None:
    french = msgspec.structs.replace(KETTLE, locale="fr", variant="line-v2")  # the guard alone judges it
    assert review(french, DOUBTFUL).outcome is Outcome.HOLD
    assert choose(french, (REFUSED, DOUBTFUL)).text == DOUBTFUL
    assert choose(french, (REFUSED,)).verdict.outcome is Outcome.REJECT


def test_more_of_the_product_comes_first() -> None:
    assert choose(KETTLE, (ONE, OTHER, TWO)).text == TWO
    assert choose(CHINESE, ("{name}：檀木。", "{name}：可折叠，檀木。")).text == "{name}：可折叠，檀木。"


@pytest.mark.parametrize(
    ("about", "common", "rare"),
    [
        (KETTLE, "{name}: folds flat.", "Carry less, fold more: {name} folds flat."),
        (CHINESE, "{name}：檀木。", "就图它檀木。{name}。"),
    ],
)
def test_of_texts_that_tell_as_much_the_rarer_phrase_is_taken(about: Brief, common: str, rare: str) -> None:
    assert novelty(about, common) < novelty(about, rare)
    assert worth(about, common) < worth(about, rare)


def test_a_language_without_counts_takes_the_first_of_equals() -> None:
    french = msgspec.structs.replace(KETTLE, locale="fr", variant="line-v2")
    assert novelty(french, "{name} se plie.") == 0.0
    assert choose(french, ("{name} se plie bien.", "{name} se plie aussi.")).text == "{name} se plie bien."


@given(st.lists(st.sampled_from((TWO, ONE, OTHER, REFUSED, DOUBTFUL)), min_size=1))
def test_the_order_of_drafts_does_not_matter_nor_how_often_one_came(drafts: list[str]) -> None:
    assert choose(KETTLE, drafts) == choose(KETTLE, sorted(set(drafts)))


def _all_reviewed(about: Brief, drafts: list[str]) -> Choice:
    """The plain form: every draft is reviewed, then the best taken."""
    rank = {Outcome.PASS: 2, Outcome.HOLD: 1, Outcome.REJECT: 0}
    reviewed = [Choice(draft, review(about, draft)) for draft in dict.fromkeys(drafts)]
    best = max(rank[one.verdict.outcome] for one in reviewed)
    return max((one for one in reviewed if rank[one.verdict.outcome] == best), key=lambda one: worth(about, one.text))


@given(st.lists(st.sampled_from((TWO, ONE, OTHER, REFUSED, DOUBTFUL, "", "{w1}", "Folds flat, {name}")), min_size=1))
def test_the_choice_is_the_same_as_if_all_had_been_reviewed(drafts: list[str]) -> None:
    french = msgspec.structs.replace(KETTLE, locale="fr", variant="line-v2")  # there a text may be for a person to see
    for about in (KETTLE, french, CHINESE):
        assert choose(about, drafts) == _all_reviewed(about, drafts)


def test_nothing_is_reviewed_behind_the_best_that_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reviewed = []

    def noted(about: Brief, text: str) -> Verdict:
        reviewed.append(text)
        return review(about, text)

    monkeypatch.setattr(choice, "review", noted)
    assert choose(KETTLE, (ONE, REFUSED, TWO)).text == TWO
    assert reviewed == [TWO]
