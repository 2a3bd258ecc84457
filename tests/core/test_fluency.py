"""Whether a small model's text goes on as people's do."""

from collections import Counter

import msgspec
import pytest

from shelftalk.core.brief import Brief
from shelftalk.core.fluency import THRESHOLD, counted, stumbles, tokens, worst
from shelftalk.core.guard import Outcome
from shelftalk.core.review import review
from tests.core.test_grammar import KETTLE, brief

CHINESE = brief(kind="陶瓷饭碗", points=("可折叠", "檀木"), locale="zh")


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (KETTLE, "{name}: hanging loop, folds flat."),
        (KETTLE, "In brief: {name}. Folded corners, dishwasher safe."),
        (CHINESE, "{name}：可折叠，檀木。"),
        (CHINESE, "先说要紧的：檀木，可折叠。{name}。"),
    ],
)
def test_what_people_write_is_fluent(about: Brief, text: str) -> None:
    assert stumbles(about, text) == []
    assert review(about, text).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (KETTLE, "A low at leisure: {name}, hanging loop."),
        (KETTLE, "Another way to hold against the question: {name}, folds flat."),
        (KETTLE, "What it over and you left: {name}, folds flat."),
        (CHINESE, "陶瓷饭碗买一个思：{name}，檀木。"),
        (CHINESE, "{brand}也做开看人比就的陶瓷饭碗：檀木，可折叠。"),
    ],
)
def test_salad_is_clumsy(about: Brief, text: str) -> None:
    assert stumbles(about, text)
    verdict = review(about, text)
    assert verdict.outcome is Outcome.REJECT
    assert any(reason.startswith(("clumsy", "invented")) for reason in verdict.reasons)


def test_a_model_that_knows_the_language_is_not_held_to_frames() -> None:
    assert stumbles(msgspec.structs.replace(KETTLE, variant="line-v1"), "A low at leisure: {name}, hanging loop.") == []


def test_points_weigh_alike_whatever_they_are() -> None:
    assert tokens("{name}: {w1}, {p2}.", "en") == ["<", "<", "{name}", ":", "{w}", ",", "{w}", ".", ">"]
    assert tokens("{name}：{w1}好。", "zh") == ["<", "<", "{name}", "：", "{w}", "好", "。", ">"]


def test_chances_of_everything_that_may_follow_sum_to_one() -> None:
    said = [tokens(text, "en") for text in ("{name}, {w1}.", "{name}: {w1}.", "a {kind}, {w1}.")]
    triples = Counter(triple for one in said for triple in zip(one, one[1:], one[2:], strict=False))
    counts = counted(triples)
    unseen = "\0"
    vocabulary = {token for one in said for token in one[2:]} | {unseen}
    for before in (("<", "<"), ("<", "{name}"), ("{name}", ","), (",", "{w}")):
        assert sum(counts.chance(*before, token) for token in vocabulary) == pytest.approx(1)
    assert worst(said[0], counts) > worst(tokens("name the . , it", "en"), counts)


def test_thresholds_are_of_the_languages_that_are_counted() -> None:
    assert THRESHOLD.keys() == {"en", "zh"}
