"""The desk: carries what is to be written to the generation engine's thread, and the words back to the keeper's loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import msgspec

from shelftalk.asking import TOP_P, drafts_for
from shelftalk.core.brief import Brief, Channel
from shelftalk.core.effects import Write
from shelftalk.core.prompt import text_of
from shelftalk.core.shelf import Words
from shelftalk.engine import Completion, Priority, Writer
from shelftalk.errors import ShelftalkError
from shelftalk.stream.letterbox import Reader


class DeskSettings(msgspec.Struct, frozen=True):
    """How the desk asks.

    Attributes:
        temperature: of sampling, None for what suits the model; the seed comes from the brief, so the same brief gives the
            same words.
        urgent: texts for waiting shoppers in the engine at one time: as many as it finishes within the deadline. For one more the
            phrasebook answers at once rather than after the deadline, and the text is written at leisure, for the next shopper.
        give_up_ms: after this nobody is helped by the words any more, and the request expires.
        background: drafts of texts that no shopper waits for, in the engine at one time: other rows are for shoppers.
        background_limit: such texts that may queue here; beyond it the oldest are shed and keep their phrase.
        drafts: of each text, all asked for at once; 0 for what suits the model.
    """

    temperature: float | None = None
    top_p: float = TOP_P
    urgent: int = 4
    give_up_ms: int = 5_000
    background: int = 8
    background_limit: int = 20_000
    drafts: int = 0


class EngineDesk:
    """A `Desk` over a running engine.

    Attributes:
        shed: texts given up for want of room.
        drafts: asked for so far; some for each text.
    """

    def __init__(self, engine: Writer, settings: DeskSettings) -> None:
        self.shed = self.drafts = 0
        self._engine = engine
        self._settings = settings
        self._reader: Reader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # What waits here, by the key of its request, the newest wish last.
        self._for_cards: dict[str, Write] = {}
        self._for_all: dict[str, Write] = {}
        self._ahead: dict[str, Write] = {}
        self._in_background = 0
        self._urgent: set[str] = set()

    def serve(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        """Answer this reader, on this loop."""
        self._reader, self._loop = reader, loop

    def write(self, effect: Write) -> None:
        """Start writing at once if a shopper waits and there is room, else at leisure, the newest wish first."""
        key = _key(effect)
        for line in (self._for_cards, self._for_all, self._ahead):
            line.pop(key, None)  # nothing is written twice
        if effect.urgent and (len(self._urgent) < self._settings.urgent or effect.brief.brief_id in self._urgent):
            self._urgent.add(effect.brief.brief_id)
            self._submit(effect)
            return
        if effect.urgent:
            self._call(self._later, effect.brief)
            effect = msgspec.structs.replace(effect, urgent=False)
        at_leisure = self._for_cards if effect.brief.channel is Channel.CARD else self._for_all
        line = self._ahead if effect.ahead else at_leisure
        if len(line) >= self._settings.background_limit:
            del line[next(iter(line))]
            self.shed += 1
        line[key] = effect
        self._fill_background()

    def _later(self, brief: Brief) -> None:
        if self._reader is not None:
            self._reader.later(brief, time.time_ns() // 1_000_000)

    def queued(self) -> int:
        """Background requests that wait here."""
        return len(self._for_cards) + len(self._for_all) + len(self._ahead)

    def _fill_background(self) -> None:
        """Cards before copy for everybody, which has a phrase meanwhile and nobody waiting; the newest wish first.

        What may never be needed comes last, and of that the oldest wish first: whoever wishes begins with what matters most.
        """
        while self.queued() and self._in_background < self._settings.background:
            line = self._for_cards or self._for_all
            self._submit(line.popitem()[1] if line else self._ahead.pop(next(iter(self._ahead))))

    def _submit(self, effect: Write) -> None:
        brief = effect.brief
        requests = drafts_for(
            brief,
            _key(effect),
            count=self._settings.drafts or None,
            attempt=effect.attempt,
            priority=Priority.SHOPPER if effect.urgent else Priority.WARM_UP if effect.ahead else Priority.REFRESH,
            deadline_s=time.monotonic() + self._settings.give_up_ms / 1000 if effect.urgent else None,
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
        )
        if not effect.urgent:
            self._in_background += len(requests)
        asked = _Asked(effect, len(requests), lambda: self._call(self._finished, asked))
        for place, request in enumerate(requests):
            try:
                future = self._engine.submit(request)
            except ShelftalkError:
                asked.answered(place, None)
            else:
                future.add_done_callback(partial(asked.answered, place))

    def _call(self, function: object, *args: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)  # type: ignore[arg-type]

    def _finished(self, asked: "_Asked") -> None:
        effect, brief = asked.effect, asked.effect.brief
        if effect.urgent:
            self._urgent.discard(brief.brief_id)
        else:
            self._in_background -= asked.count
        self.drafts += asked.count
        reader = self._reader
        if reader is not None:
            now_ms = time.time_ns() // 1_000_000
            drafts = tuple(text_of(brief, text) for text in asked.texts)
            if drafts:
                reader.words(Words(brief, drafts, effect.attempt), now_ms)
            else:
                reader.failed(brief, now_ms)
        self._fill_background()


class _Asked:
    """The drafts of one text on their way: whole once each was answered, in the order in which they were asked for.

    Args:
        effect: what is written.
        count: drafts asked for.
        whole: called once, by the thread that brings the last answer.
    """

    def __init__(self, effect: Write, count: int, whole: Callable[[], None]) -> None:
        self.effect = effect
        self.count = count
        self._whole = whole
        self._texts: dict[int, str | None] = {}
        self._lock = threading.Lock()

    @property
    def texts(self) -> list[str]:
        """Those that came; one that was cut off at its limit is no sentence, and the guard would only say so later."""
        return [text for _, text in sorted(self._texts.items()) if text is not None]

    def answered(self, place: int, done: "Future[Completion] | None") -> None:
        """A draft is there, or will not come."""
        text = None
        if done is not None and not done.cancelled() and done.exception() is None:
            completion = done.result()
            text = completion.text.strip() if completion.finish_reason == "stop" else None
        with self._lock:
            self._texts[place] = text
            last = len(self._texts) == self.count
        if last:
            self._whole()


def _key(effect: Write) -> str:
    return f"{effect.brief.brief_id}/{effect.attempt}"


class NoDesk:
    """A `Desk` without a generator: the rules never ask it, since every brief's model is the phrasebook."""

    def write(self, effect: Write) -> None:
        """Nothing is written."""
        raise AssertionError(f"no generator, yet {effect.brief.model!r} was asked to write")
