"""Bugs that can be planted, to see that they are caught: each takes out one thing that a promise hangs on."""

import enum


class Bug(enum.StrEnum):
    """What is broken on purpose."""

    LEDGER = "ledger"  # commit what was read, without waiting for what it caused
    OUTBOX = "outbox"  # take for delivered what was only posted
    CATCH_UP = "catch-up"  # publish from a partition that was just taken before its inventory is read again
    FENCE = "fence"  # let every offer pass, also one that a newer has overtaken
    LEASE = "lease"  # go on while cut off from the group, though the partitions may be another's
    BLIND = "blind"  # take a heartbeat's answer for a lease that was over
    REJOIN = "rejoin"  # take the group's answer for a lease on what is still in memory of before
    EPOCH = "epoch"  # take what such a worker had on the wire for the state that it left
