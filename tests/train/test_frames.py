"""Frames: those that are about their product are left out, and what was counted is not long out of date."""

from importlib import resources
from typing import Any

import msgspec
import orjson
import pytest

from shelftalk.core.brief import LANGUAGES, Angle, Channel, Promotion, Tone
from shelftalk.train.frames import tables, voices, without_strays
from shelftalk.train.lexicon import chinese_words, generic_stems
from shelftalk.train.mixture import gather
from shelftalk.train.skeletons import Skeleton, from_forms

AGAIN = "run `python -m shelftalk.train.lexicon` and `python -m shelftalk.train.frames`, and commit what they write"


def stored(name: str) -> object:
    return orjson.loads((resources.files("shelftalk.core") / name).read_bytes())


def known(now: set[Any], before: set[Any]) -> float:
    """The share of what there is now that was there when the file was written: a line more does not matter, a hundred do."""
    return len(now & before) / len(now)


def test_the_words_that_a_model_may_use_are_those_of_the_lines() -> None:
    english = set(msgspec.convert(stored("grounding.en.json"), list[str]))
    chinese = msgspec.convert(stored("grounding.zh.json"), dict[str, list[str]])
    for now, before in (
        (set(generic_stems()), english),
        (
            {(domain, word) for domain, of in chinese_words().items() for word in of},
            {(d, w) for d in chinese for w in chinese[d]},
        ),
    ):
        assert known(now, before) > 0.97, AGAIN
        assert known(before, now) > 0.97, AGAIN


@pytest.fixture(scope="module")
def frames() -> tuple[Skeleton, ...]:
    return gather().skeletons


def test_the_voices_of_today_are_written_down(frames: tuple[Skeleton, ...]) -> None:
    before = msgspec.convert(stored("voices.json"), dict[str, dict[str, dict[str, list[str]]]])
    now = voices(frames)
    assert now.keys() == before.keys() == set(LANGUAGES)
    for language, heads in now.items():
        assert heads.keys() == before[language].keys(), AGAIN
        pairs = [{f"{head} {voice}" for head, of in one.items() for voice in of} for one in (heads, before[language])]
        assert known(*pairs) > 0.9, AGAIN


def test_what_follows_what_was_counted_in_the_frames_of_today(frames: tuple[Skeleton, ...]) -> None:
    before = msgspec.convert(stored("fluency.json"), dict[str, dict[str, dict[str, int]]])
    for language, table in tables(frames, LANGUAGES).items():
        now = {f"{pair} {third}" for pair, following in table.items() for third in following}
        then = {f"{pair} {third}" for pair, following in before[language].items() for third in following}
        assert known(now, then) > 0.95, AGAIN
        assert known(then, now) > 0.95, AGAIN


def skeleton(text: str, channel: Channel = Channel.CARD) -> Skeleton:
    head = (channel, Angle.GOES_WITH, Promotion.NONE, Tone.PLAIN)
    return Skeleton(text, "en", *head, {}, "*", "*", "test")


def test_a_frame_that_goes_where_no_other_goes_is_left_out() -> None:
    others = [form for form in from_forms() if form.language == "en"]
    common, stray = (
        skeleton("Beside the {anchor}: {name}, {price}."),
        skeleton("Where {anchor} end their trick, {name} begins."),
    )
    long = skeleton("Where {anchor} end their trick, {name} begins.", Channel.SOCIAL)
    assert without_strays([common, stray, long], others, "en") == [common, long]
