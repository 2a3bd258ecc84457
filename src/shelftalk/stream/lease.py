"""The lease: whether a worker may take the partitions that it has in memory for its own.

The group gives a member's partitions to another one when it has not heard of it for the session's time. The member itself,
frozen or cut off, does not know. Seen on a real Kafka (a worker cut off for 11 s with a session of 6): it went on answering from
facts that had moved, and when the network was back its cards and state stood last. So a worker counts the time since the broker
last heard of it, from before each heartbeat was sent, and does nothing for its partitions when that is over: whoever gets them
starts later.

A heartbeat that is answered makes the lease longer, and never brings back one that is over: a coordinator that is still reading
its groups after a restart answers heartbeats blindly, those of strangers, too (Kafka 4.1, and before it: "the group is still
loading, so respond just blindly"). Seen on a real Kafka: a worker frozen for longer than its session and woken while the broker
restarted was told that all was well, and published the prices of before for a quarter of a second, beside its successor. Where the
lease has not been over, a blind answer does no harm: then we are in what is being read, and our session begins anew after it. Where
it has, the worker joins the group anew, which is never answered blindly.

An answer is about the generation that it was given in, and what is in memory is of the one that was taken last. So a lease is of a
generation: it ends when the partitions are given up, before the group is told, and begins when those of the next generation are
taken, and all that went elsewhere is dropped.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

#: Of the session: the rest is for what was begun before.
_SHARE: Final = 0.9

_POLL_S: Final = 0.02


class Lease:
    """Renewed by the consumer's thread, asked by the event loop's.

    Args:
        session_s: of the consumer group.
        clock: seconds; it must go on while the process is stopped, as `time.monotonic` does.
    """

    def __init__(self, session_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._length_s = session_s * _SHARE
        self._clock = clock
        self._heard_s = clock()
        self._counted_in: int | None = None  # the generation in which the group counts us
        self._taken: int | None = None  # the generation whose partitions are in memory

    @property
    def valid(self) -> bool:
        """Whether nobody else can have our partitions."""
        current = self._taken is not None and self._taken == self._counted_in
        return current and self._clock() - self._heard_s < self._length_s

    # --- by the consumer's thread ------------------------------------------------------------------------------------

    def joined(self, generation: int, heard_s: float) -> None:
        """The group counts us in a generation, and has heard of us since that moment of the clock."""
        self._counted_in = generation  # first: what the other thread reads in between is no lease
        self._heard_s = heard_s

    def renew(self, generation: int, heard_s: float) -> bool:
        """A heartbeat in this generation, sent at that moment of the clock, was answered.

        Returns:
            Whether that says anything. If not, only joining anew does.
        """
        if generation != self._counted_in or heard_s - self._heard_s >= self._length_s:
            return False
        self._heard_s = max(self._heard_s, heard_s)
        return True

    def end(self) -> None:
        """The group does not count us any more."""
        self._counted_in = None

    # --- by the event loop -------------------------------------------------------------------------------------------

    def take(self, generation: int) -> None:
        """The partitions of a generation are taken, and nothing of any other is left in memory."""
        self._taken = generation

    def give_up(self) -> None:
        """The partitions are given up; the group is told after this."""
        self._taken = None

    async def held(self) -> None:
        """Wait while it is over. It comes back with the next generation, or the partitions go."""
        while not self.valid:  # noqa: ASYNC110  another thread renews it, and this is rare
            await asyncio.sleep(_POLL_S)
