"""The lease: how long a worker may still take its partitions for its own.

The group gives a member's partitions to another one when it has not heard of it for the session's time. The member itself,
frozen or cut off, does not know. Seen on a real Kafka (a worker cut off for 11 s with a session of 6): it went on answering from
facts that had moved, and when the network was back its cards and state stood last. So a worker counts the time since the broker
last heard of it, from before each heartbeat was sent, and does nothing for its partitions when that is over: whoever gets them
starts later.
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
        self._from_s = clock()

    @property
    def valid(self) -> bool:
        """Whether nobody else can have our partitions."""
        return self._clock() - self._from_s < self._length_s

    def renew(self, heard_s: float) -> None:
        """The broker has heard of us since that moment of the clock."""
        self._from_s = max(self._from_s, heard_s)

    async def held(self) -> None:
        """Wait while it is over. It comes back with the network, or the partitions go."""
        while not self.valid:  # noqa: ASYNC110  another thread renews it, and this is rare
            await asyncio.sleep(_POLL_S)
