"""The first stage's shell: a behaviour record in, a profile and messages to the shelves out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from shelftalk.core.erasure import Erased, erased_key
from shelftalk.core.memory import is_idle
from shelftalk.core.messages import Message
from shelftalk.core.passing import gather_ahead
from shelftalk.core.policy import Policy
from shelftalk.core.profile import Profile
from shelftalk.core.react import Reaction, react
from shelftalk.core.state import Shelf
from shelftalk.events.codec import decode_behaviour
from shelftalk.stream.account import Entry, Together, in_turn
from shelftalk.stream.record import Record, origin_of, require_key
from shelftalk.stream.sweep import Sweep


class Profiles(Protocol):
    """Where profiles are kept."""

    def get(self, key: str, partition: int, /) -> Profile | None:
        """What is remembered of a shopper."""

    def put(self, key: str, value: Profile, partition: int, entry: Entry, /) -> None:
        """Remember."""

    def delete(self, key: str, partition: int, entry: Entry, /) -> None:
        """Forget, with a tombstone."""

    def items(self, partition: int, /) -> Iterator[tuple[str, Profile]]:
        """All of a partition, as of now."""


class Erasures(Protocol):
    """Where it is remembered who was forgotten."""

    def get(self, key: str, partition: int, /) -> Erased | None:
        """What is remembered of an erasure."""

    def put(self, key: str, value: Erased, partition: int, entry: Entry, /) -> None:
        """Remember."""


class ReactOutlet(Protocol):
    """Where messages and tombstones go."""

    def send(self, message: Message, owed_by: Sequence[Entry]) -> None:
        """A message to a shelf."""

    def erase_card(self, shopper_id: str, placement: str, revision: int, owed_by: Sequence[Entry]) -> None:
        """A tombstone for a card up to this revision."""


def _nowhere(_sku: str) -> Shelf | None:
    return None


class ReactHandler:
    """Handles the behaviour topic. One record at a time for a shopper: the profile is read, folded and written in one go.

    Args:
        policy: when to speak.
        profiles: what is remembered of shoppers.
        erasures: who was forgotten.
        outlet: where messages go.
        at_hand: shelves that asks can collect from without going there (`gather_ahead`).
    """

    def __init__(
        self,
        policy: Policy,
        profiles: Profiles,
        erasures: Erasures,
        outlet: ReactOutlet,
        at_hand: Callable[[str], Shelf | None] = _nowhere,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._erasures = erasures
        self._policy = policy
        self._profiles = profiles
        self._outlet = outlet
        self._at_hand = at_hand
        self._sweep = Sweep(profiles.items)
        self._newest_ms = 0

    def handle(self, record: Record, entry: Entry, now_ms: int) -> None:
        """Handle a record.

        Raises:
            BadInputError: the record is for the dead-letter topic.
        """
        event = decode_behaviour(record.value, now_ms)
        require_key(record, event.shopper_id)
        origin = origin_of(record, event.event_id, event.occurred_at_ms)
        profile = self._profiles.get(event.shopper_id, record.partition)
        erased = self._erasures.get(erased_key(event.shopper_id), record.partition)
        reaction = react(profile, event, origin, self._policy, erased=erased, now_ms=now_ms)
        self._newest_ms = max(self._newest_ms, event.occurred_at_ms)
        self.counts[f"{event.__struct_config__.tag}_{reaction.outcome}"] += 1
        self._carry_out(event.shopper_id, self._gathered(reaction, now_ms), record.partition, entry)

    def _gathered(self, reaction: Reaction, now_ms: int) -> Reaction:
        messages = tuple(gather_ahead(message, self._at_hand, now_ms) for message in reaction.messages)
        return msgspec.structs.replace(reaction, messages=messages)

    def sweep(self, partitions: Iterable[int]) -> None:
        """Look at a few profiles, and forget shoppers of whom nothing was heard for long, or the state would grow for ever."""
        for partition, key in self._sweep.turn(partitions):
            profile = self._profiles.get(key, partition)
            if profile is not None and is_idle(profile, self._newest_ms, self._policy):
                self._profiles.delete(key, partition, Together())
                self.counts["shopper_forgotten"] += 1

    def _carry_out(self, shopper_id: str, reaction: Reaction, partition: int, entry: Entry) -> None:
        if reaction.erased is not None:
            self._erase(shopper_id, reaction, reaction.erased, partition, entry)
            return
        if reaction.profile is not None:
            self._profiles.put(shopper_id, reaction.profile, partition, entry)
        self._say(shopper_id, reaction, entry)

    def _say(self, shopper_id: str, reaction: Reaction, entry: Entry) -> None:
        for message in reaction.messages:
            self._outlet.send(message, (entry,))
        for placed in reaction.withdraw:
            revision = placed.revision if reaction.erased is None else reaction.erased.revision
            self._outlet.erase_card(shopper_id, placed.placement, revision, (entry,))

    def _erase(self, shopper_id: str, reaction: Reaction, erased: Erased, partition: int, entry: Entry) -> None:
        """Forget a shopper, in four steps, each delivered before the next: a crash may take one topic's writes and leave another's.

        1. The profile becomes what says where their cards are: of an erasure that is remembered without it, nobody would know.
        2. The erasure is remembered. Were the placements forgotten first, older offers, read again, would meet nothing there.
        3. The cards go, and the fence forgets their placements.
        4. What the first step kept for the case of a crash goes. Until then the event comes again, and all of it is repeated.
        """
        kept = reaction.profile or reaction.meanwhile or Profile()

        def forget(account: Entry) -> None:
            held = self._profiles.get(shopper_id, partition)
            if held == kept and reaction.profile is None:
                self._profiles.delete(shopper_id, partition, account)
            elif held is not None and held.erased == erased:  # they came back: a new profile
                placed = tuple(one for one in held.placed if one.revision > erased.revision)
                back = msgspec.structs.replace(held, erased=None, placed=placed)
                self._profiles.put(shopper_id, back, partition, account)

        in_turn(
            entry,
            lambda account: self._profiles.put(shopper_id, kept, partition, account),
            lambda account: self._erasures.put(erased_key(shopper_id), erased, partition, account),
            lambda account: self._say(shopper_id, reaction, account),
            forget,
        )
