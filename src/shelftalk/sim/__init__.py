"""A deterministic simulation of broker, clock, workers, model and crashes that runs the real core and keeper.

One seed is one history: `python -m shelftalk.sim --seed N` plays it again, exactly. Nothing here waits or does I/O, so hundreds
of histories take seconds. What real Kafka adds is for the tests on real Kafka.
"""

from shelftalk.sim.run import Result, run_seed

__all__ = ["Result", "run_seed"]
