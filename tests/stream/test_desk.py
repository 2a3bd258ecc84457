"""The desk over the real small model: drafts are asked for together, and words come back whole and the same each time."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import msgspec
import pytest

from shelftalk.core.brief import Brief, Channel
from shelftalk.core.choice import choose
from shelftalk.core.effects import Write
from shelftalk.core.shelf import Words
from shelftalk.engine import Completion, Engine, Request
from shelftalk.errors import QueueFullError
from shelftalk.evaluate.text.generate import example_brief, write_all
from shelftalk.modelling.build import ensure_small_model
from shelftalk.stream.desk import DeskSettings, EngineDesk

SOON_S = 60


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(ensure_small_model(lambda *_: None), queue_limit=64) as engine:
        yield engine


class Asked:
    """The engine, with what it was asked written down; full for whatever `full` says."""

    def __init__(self, engine: Engine) -> None:
        self.requests: list[Request] = []
        self.full = False
        self._engine = engine

    def submit(self, request: Request) -> "Future[Completion]":
        self.requests.append(request)
        if self.full:
            raise QueueFullError("full")
        return self._engine.submit(request)


class Reader:
    """Who gets the words; `told` gives them one by one."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    def words(self, words: Words, _now_ms: int) -> None:
        self.told.put_nowait(("words", words))

    def failed(self, brief: Brief, _now_ms: int) -> None:
        self.told.put_nowait(("failed", brief))

    def later(self, brief: Brief, _now_ms: int) -> None:
        self.told.put_nowait(("later", brief))

    async def next(self) -> tuple[str, object]:
        return await asyncio.wait_for(self.told.get(), SOON_S)

    async def next_words(self) -> Words:
        what, words = await self.next()
        assert what == "words", what
        assert isinstance(words, Words)
        return words


def brief(number: int = 0, **changes: object) -> Brief:
    return msgspec.structs.replace(example_brief(), sku=f"K-{number}", **changes)


def desk(engine: Engine, **settings: object) -> tuple[EngineDesk, Asked, Reader]:
    asked, reader = Asked(engine), Reader()
    made = EngineDesk(asked, DeskSettings(**settings))  # type: ignore[arg-type]
    made.serve(reader, asyncio.get_running_loop())
    return made, asked, reader


async def test_a_text_is_asked_for_in_several_drafts_that_share_the_prompt(engine: Engine) -> None:
    made, asked, reader = desk(engine)
    made.write(Write(brief(), urgent=True))
    words = await reader.next_words()
    assert words.brief == brief()
    assert 1 <= len(words.drafts) <= len(asked.requests) == made.drafts == 3
    assert len({request.prompt for request in asked.requests}) == 1
    assert len({request.seed for request in asked.requests}) == len({request.key for request in asked.requests}) == 3


async def test_the_same_wish_gives_the_same_drafts_whoever_is_written_beside_it(engine: Engine) -> None:
    made, _, reader = desk(engine)
    made.write(Write(brief(), urgent=True))
    alone = (await reader.next_words()).drafts
    for number in (3, 2, 1, 0):
        made.write(Write(brief(number), urgent=number == 0))
    beside = {words.brief.sku: words.drafts for words in [await reader.next_words() for _ in range(4)]}
    assert beside["K-0"] == alone


async def test_another_try_draws_anew(engine: Engine) -> None:
    made, asked, reader = desk(engine)
    for attempt in (0, 1):
        made.write(Write(brief(), urgent=True, attempt=attempt))
        assert (await reader.next_words()).attempt == attempt
    assert len({request.seed for request in asked.requests}) == 6


async def test_what_is_measured_is_what_is_served(engine: Engine) -> None:
    made, _, reader = desk(engine)
    made.write(Write(brief(), urgent=True))
    words = await reader.next_words()
    (written,) = write_all(engine, [brief()], tries=1)
    assert choose(brief(), words.drafts).text == written.text


async def test_one_shopper_too_many_is_told_at_once_and_gets_the_words_later(engine: Engine) -> None:
    made, _, reader = desk(engine, urgent=1)
    made.write(Write(brief(0), urgent=True))
    made.write(Write(brief(1), urgent=True))
    told = [await reader.next() for _ in range(3)]
    assert ("later", brief(1)) in told
    assert {words.brief.sku for what, words in told if what == "words" and isinstance(words, Words)} == {"K-0", "K-1"}


async def test_at_leisure_cards_come_before_copy_for_everybody_and_what_lies_ahead_last(engine: Engine) -> None:
    made, _, reader = desk(engine, background=1)
    made.write(Write(brief(0), urgent=False))  # begins at once
    made.write(Write(brief(1), urgent=False, ahead=True))
    made.write(Write(brief(2, channel=Channel.AD), urgent=False))
    made.write(Write(brief(3), urgent=False))
    made.write(Write(brief(4), urgent=False))
    made.write(Write(brief(3), urgent=False))  # wished for again: the newest now
    assert made.queued() == 4
    assert [(await reader.next_words()).brief.sku for _ in range(5)] == ["K-0", "K-3", "K-4", "K-2", "K-1"]
    assert made.queued() == 0


async def test_no_more_than_so_many_drafts_are_written_at_leisure(engine: Engine) -> None:
    made, asked, reader = desk(engine, background=4, drafts=2)
    for number in range(5):
        made.write(Write(brief(number), urgent=False))
    assert len(asked.requests) == 4
    for _ in range(5):
        await reader.next_words()
    assert len(asked.requests) == 10


async def test_the_line_is_bounded_and_the_oldest_wish_goes(engine: Engine) -> None:
    made, _, reader = desk(engine, background=1, background_limit=2)
    for number in range(4):
        made.write(Write(brief(number), urgent=False))
    assert (made.queued(), made.shed) == (2, 1)
    assert [(await reader.next_words()).brief.sku for _ in range(3)] == ["K-0", "K-3", "K-2"]


async def test_an_engine_that_is_full_or_late_fails_the_text_and_the_next_is_written(engine: Engine) -> None:
    made, asked, reader = desk(engine)
    asked.full = True
    made.write(Write(brief(0), urgent=True))
    assert await reader.next() == ("failed", brief(0))
    asked.full = False
    hasty, _, late = desk(engine, give_up_ms=0)
    hasty.write(Write(brief(1), urgent=True))
    assert await late.next() == ("failed", brief(1))
    made.write(Write(brief(2), urgent=True))
    assert (await reader.next_words()).brief == brief(2)


async def test_a_text_that_was_cut_off_is_none(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("shelftalk.asking", fromlist=["MAX_NEW_TOKENS"]).MAX_NEW_TOKENS, Channel.CARD, 2)
    made, _, reader = desk(engine)
    made.write(Write(brief(), urgent=True))
    assert await reader.next() == ("failed", brief())
