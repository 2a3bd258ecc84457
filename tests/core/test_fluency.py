"""Whether a small model's text goes on as people's do."""

from collections import Counter

import msgspec
import pytest

from shelftalk.core.brief import Brief
from shelftalk.core.fluency import THRESHOLD, Counts, stumbles, triples
from shelftalk.core.frame import tokens
from shelftalk.core.guard import Outcome
from shelftalk.core.review import review
from tests.core.test_grammar import KETTLE, brief

CHINESE = brief(kind="陶瓷饭碗", points=("可折叠", "檀木"), locale="zh")


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (KETTLE, "{name}: hanging loop, folds flat."),
        (KETTLE, "A kettle with a hanging loop, {price}."),
        (CHINESE, "{name}：可折叠，檀木。"),
        (CHINESE, "就图它檀木。{name}，{price}。"),
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
    assert stumbles(msgspec.structs.replace(KETTLE, variant="line-v2"), "A low at leisure: {name}, hanging loop.") == []


def test_points_weigh_alike_whatever_they_are() -> None:
    assert tokens("{name}: {w1}, {p2}.", "en") == ["<", "<", "{name}", ":", "{w}", ",", "{w}", ".", ">"]
    assert tokens("{name}：{w1}好。", "zh") == ["<", "<", "{name}", "：", "{w}", "好", "。", ">"]


def test_chances_of_everything_that_may_follow_sum_to_one() -> None:
    frames = ("{name}, {w1}.", "{name}: {w1}.", "a {kind}, {w1}.")
    counts = Counts(sum((triples(frame, "en") for frame in frames), Counter()))
    unseen = "\0"
    vocabulary = {token for frame in frames for token in tokens(frame, "en")[2:]} | {unseen}
    for before in (("<", "<"), ("<", "{name}"), ("{name}", ","), (",", "{w}")):
        assert sum(counts.chance(*before, token) for token in vocabulary) == pytest.approx(1)
    assert counts.worst(frames[0], "en") > counts.worst("name the . , it", "en")


def test_what_is_counted_out_was_never_there() -> None:
    first, second = triples("{name}, {w1}.", "en"), triples("{name}: {w1}. It {w2}.", "en")
    both = Counts(first + second)
    both.add(second, -1)
    alone = Counts(first)
    for frame in ("{name}, {w1}.", "{name}: {w1}.", "It {w2}."):
        assert both.worst(frame, "en") == pytest.approx(alone.worst(frame, "en"), rel=0.1)
    assert both.chance("{name}", ",", "{w}") == pytest.approx(alone.chance("{name}", ",", "{w}"), rel=0.1)


def test_thresholds_are_of_the_languages_that_are_counted() -> None:
    assert THRESHOLD.keys() == {"en", "zh"}
