"""When each record of a recording is sent: a pure function of the recording and a few numbers, no clock and no dice.

The clock of a run starts at 0 and its time is in seconds. What Kafka had in one partition keeps its order, whatever the timestamps
say.

*Opening.* The first word about each product is sent before the clock starts: a real shop's catalogue is there before its shoppers.

*Pace.* Without a rate, records keep their distance, `speed` times as fast. With a rate they go out evenly, so many a second, and
`speed` only says how fast shoppers live.

*Users.* Every shopper may come several times, as another one each: ids get a suffix, and times are shifted. With a rate there are
as many copies as it takes for `speed` to be true, spread over the whole recording, so that at each moment some shoppers are at its
beginning and some at its end. Without one, copies follow each other within a minute, and peaks stay peaks. Products are not
multiplied with their shoppers (there is one shop) but can be by `products`, to find out what a larger catalogue costs.
"""

import heapq
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from shelftalk.errors import ConfigError
from shelftalk.replay.recording import Recorded

#: Without a rate, copies of a shopper come within so many recorded seconds.
SPREAD_MS = 60_000

#: More copies than this are a recording too small for the rate, not a crowd.
MAX_USERS = 200_000

#: The streams that come in; what a recording has beside them is what came out.
STREAMS = ("behaviour", "inventory")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a recording is played.

    Attributes:
        speed: recorded seconds in one second.
        rate_per_s: events a second, evenly; ``None`` keeps the recorded distances.
        seconds: end after so long.
        loop: begin again at the end.
        ramp_s: the pace grows from nothing for so long.
        users: how often each shopper comes; ``None``: once, or as often as the rate asks for.
        products: how often each product is there; copies of shoppers are dealt onto them.
    """

    speed: float = 1.0
    rate_per_s: float | None = None
    seconds: float | None = None
    loop: bool = False
    ramp_s: float = 0.0
    users: int | None = None
    products: int = 1


class Send(msgspec.Struct, frozen=True):
    """One record to be sent.

    Attributes:
        seq: counts the sends of a run.
        due_s: when, in seconds of the run's clock; negative before it starts (the opening).
        user: which copy of the shopper; 0 is the original.
        product: which copy of the catalogue; 0 is the original.
    """

    seq: int
    due_s: float
    stream: str
    record: Recorded
    user: int = 0
    product: int = 0


@dataclass
class Track:
    """Records of one kind in the order they are sent, with times that never go back.

    Attributes:
        times_ms: since the first record of the recording.
    """

    times_ms: list[int] = field(default_factory=list)
    records: list[tuple[str, Recorded]] = field(default_factory=list)

    def add(self, at_ms: int, stream: str, record: Recorded) -> None:
        """Append."""
        self.times_ms.append(at_ms)
        self.records.append((stream, record))


class Schedule:
    """What a run sends.

    Args:
        records: of a recording, in the order they were written.
        streams: what each topic is; records of topics that do not come in are passed over.
        pace: how to play.

    Attributes:
        opening: first words about products.
        users: how often each shopper comes.
        backwards: records whose time lay before that of the one before them in their partition.
        passed_over: records of topics that do not come in.
        duration_s: of the recording, in recorded seconds.

    Raises:
        ConfigError: there is nothing to send, or the rate asks for too many copies.
    """

    def __init__(self, records: Sequence[Recorded], streams: dict[str, str], pace: Pace) -> None:
        self.pace = pace
        self.backwards = self.passed_over = 0
        self.opening: list[Recorded] = []
        self._shoppers, self._products = Track(), Track()
        ordered = self._in_order(records, streams)
        first_ms = ordered[0][0] if ordered else 0
        self._sort_out(ordered, first_ms)
        count = len(self._shoppers.records) + len(self._products.records)
        if not count:
            raise ConfigError(
                "nothing to play: the recording has no records of shoppers or products beyond its catalogue"
            )
        last_ms = max(track.times_ms[-1] for track in (self._shoppers, self._products) if track.times_ms)
        # One mean distance lies between the last record and the first of the next round.
        self._period_ms = max(last_ms + last_ms / count, 1.0)
        self.duration_s = self._period_ms / 1000
        self.users = self._copies()

    @property
    def records(self) -> int:
        """How many records one round has, copies and all."""
        return len(self._shoppers.records) * self.users + len(self._products.records) * self.pace.products

    @property
    def keys(self) -> dict[str, int]:
        """How many shoppers and products there are."""
        shoppers = {record.key for _, record in self._shoppers.records}
        skus = {record.key for record in self.opening} | {record.key for _, record in self._products.records}
        return {"shoppers": len(shoppers) * self.users, "products": len(skus) * self.pace.products}

    @property
    def seconds(self) -> float:
        """How long it takes; infinite where it loops without end."""
        pace = self.pace
        if pace.loop:
            whole = math.inf
        elif pace.rate_per_s:
            whole = ramped(self.records / pace.rate_per_s, pace.ramp_s)
        else:
            shift_s = SPREAD_MS / 1000 if self.users > 1 else 0.0
            whole = ramped((self.duration_s + shift_s) / pace.speed, pace.ramp_s)
        return whole if pace.seconds is None else min(whole, pace.seconds)

    def before(self) -> Iterator[Send]:
        """The opening."""
        seq = 0
        for product in range(self.pace.products):
            for record in self.opening:
                yield Send(seq, -1.0, "inventory", record, 0, product)
                seq += 1

    def sends(self) -> Iterator[Send]:
        """All the rest, in the order it is due; sequence numbers go on from the opening's."""
        pace = self.pace
        first = len(self.opening) * pace.products
        for index, (at_ms, track, place, user) in enumerate(self._merged()):
            even = index / pace.rate_per_s if pace.rate_per_s else at_ms / 1000 / pace.speed
            due_s = ramped(even, pace.ramp_s)
            if pace.seconds is not None and due_s >= pace.seconds:
                return
            stream, record = track.records[place]
            product = user % pace.products if track is self._shoppers else user
            yield Send(first + index, due_s, stream, record, user if track is self._shoppers else 0, product)

    def _in_order(self, records: Sequence[Recorded], streams: dict[str, str]) -> list[tuple[int, str, Recorded]]:
        newest: dict[tuple[str, int], int] = {}
        ordered = []
        for record in records:
            stream = streams.get(record.topic)
            if stream not in STREAMS:
                self.passed_over += 1
                continue
            place = (record.topic, record.partition)
            before_ms = newest.get(place, record.timestamp_ms)
            self.backwards += record.timestamp_ms < before_ms
            newest[place] = max(before_ms, record.timestamp_ms)
            ordered.append((newest[place], stream, record))
        ordered.sort(key=lambda entry: entry[0])  # stable, so each partition keeps its order
        return ordered

    def _sort_out(self, ordered: list[tuple[int, str, Recorded]], first_ms: int) -> None:
        known = set()
        for at_ms, stream, record in ordered:
            if stream == "behaviour":
                self._shoppers.add(at_ms - first_ms, stream, record)
            elif record.key not in known and _is_upsert(record.value):
                known.add(record.key)
                self.opening.append(record)
            else:
                self._products.add(at_ms - first_ms, stream, record)

    def _copies(self) -> int:
        pace = self.pace
        if pace.users is not None:
            return pace.users
        shoppers = len(self._shoppers.records)
        if not pace.rate_per_s or not shoppers:
            return 1
        wanted = pace.rate_per_s * self.duration_s / pace.speed - len(self._products.records) * pace.products
        copies = max(1, math.ceil(wanted / shoppers))
        if copies > MAX_USERS:
            raise ConfigError(
                f"{pace.rate_per_s:g} events a second at speed {pace.speed:g} would take {copies:,} copies of each shopper; give a "
                "longer recording, a higher --speed, or --users"
            )
        return copies

    def _merged(self) -> Iterator[tuple[float, Track, int, int]]:
        """Every copy's records by time: ``(ms, track, place, user)``."""
        heap: list[tuple[float, int, int, int]] = []  # ms, voice, place, records to go in this round
        products = range(self.pace.products if self._products.records else 0)
        users = range(self.users if self._shoppers.records else 0)
        voices: list[tuple[Track, int, float]] = [  # track, copy, shift of its clock in ms
            *((self._products, product, 0.0) for product in products),
            *((self._shoppers, user, self._shift_ms(user)) for user in users),
        ]
        for voice, (track, _, shift_ms) in enumerate(voices):
            # A clock that is ahead begins in the middle and plays the beginning last.
            place = bisect_left(track.times_ms, -shift_ms) if shift_ms < 0 else 0
            wrapped_ms = self._period_ms if place == len(track.times_ms) else 0.0
            place %= len(track.times_ms)
            heap.append((track.times_ms[place] + shift_ms + wrapped_ms, voice, place, len(track.times_ms)))
        heapq.heapify(heap)
        while heap:
            at_ms, voice, place, left = heap[0]
            track, user, _ = voices[voice]
            yield at_ms, track, place, user
            following = place + 1
            if left == 1:
                if not self.pace.loop:
                    heapq.heappop(heap)
                    continue
                left = len(track.times_ms) + 1
            if following == len(track.times_ms):
                next_ms = at_ms - track.times_ms[place] + self._period_ms + track.times_ms[0]
                following = 0
            else:
                next_ms = at_ms - track.times_ms[place] + track.times_ms[following]
            heapq.heapreplace(heap, (next_ms, voice, following, left - 1))

    def _shift_ms(self, user: int) -> float:
        if self.pace.rate_per_s:
            return -user * self._period_ms / self.users
        return user * SPREAD_MS / self.users


def ramped(even_s: float, ramp_s: float) -> float:
    """When that is due which would be due at `even_s` without a ramp.

    The pace grows linearly from 0 to 1 within the ramp, so the clock of the even schedule shows t² / 2·ramp after t seconds of it.
    """
    if even_s >= ramp_s / 2:
        return even_s + ramp_s / 2
    return math.sqrt(2 * ramp_s * even_s)


def _is_upsert(raw: bytes | None) -> bool:
    """Whether a record makes a product known."""
    if raw is None or b"product_upserted" not in raw:
        return False
    try:
        fields: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return isinstance(fields, dict) and fields.get("type") == "product_upserted"
