"""What goes wrong, and when: kills, rebalances, slow deliveries, a model that is away."""

from collections.abc import Sequence

from shelftalk.sim.shop import Arrival
from shelftalk.sim.worker import CONSUMED, Setup, Worker
from shelftalk.sim.world import START_MS, World


class Fleet:
    """The workers of a history and who owns what.

    Args:
        setup: what they have in common.
        count: how many workers there are when all are well.
    """

    def __init__(self, setup: Setup, count: int) -> None:
        self._setup = setup
        self._world = setup.world
        self._born = 0
        self.workers: list[Worker] = []
        for _ in range(count):
            self._start()
        for partition in range(setup.broker.partitions):
            self._give(partition)

    def _start(self) -> None:
        self._born += 1
        self.workers.append(Worker(f"w{self._born}", self._setup))

    def _give(self, partition: int) -> None:
        self._world.rng.choice(self.workers).assign(partition)

    def kill_one(self) -> None:
        """One worker dies; the group notices after a while, and a new worker starts."""
        victim = self._world.rng.choice(self.workers)
        victim.crash()
        self.workers.remove(victim)
        orphans = sorted(victim.partitions)
        self._start()

        def notice() -> None:
            for partition in orphans:
                self._give(partition)

        self._world.after(self._world.rng.choice((5, 200, 3_000)), notice)

    def cut_one_off(self) -> None:
        """One worker is cut off or frozen: for less than its session, or for longer, and it comes back as a zombie."""
        rng = self._world.rng
        owners = [worker for worker in self.workers if worker.partitions and worker.settled]
        if not owners:
            return
        victim = rng.choice(owners)
        session_ms = rng.choice((300, 1_000, 3_000))
        away_ms = round(session_ms * rng.choice((0.5, 1.1, 1.5, 2.0)))
        victim.cut_off(session_ms, frozen=rng.random() < 0.5)
        self.workers.remove(victim)
        if not self.workers:
            self._start()
        if away_ms < session_ms:
            self._world.after(away_ms, lambda: self._return(victim))
        else:
            self._world.after(session_ms, lambda: self._expel(victim))
            self._world.after(away_ms, lambda: self._haunt(victim))

    def _return(self, victim: Worker) -> None:
        victim.back(expelled=False)
        self.workers.append(victim)

    def _haunt(self, zombie: Worker) -> None:
        """It goes on until a heartbeat is answered; what it had on the wire is out before it joins again."""
        zombie.back(expelled=True)
        if self._world.rng.random() < 0.5:
            zombie.answered_blindly()

        def learn() -> None:
            zombie.expelled()
            self._world.after(self._world.rng.choice((5, 50)), join)

        def join() -> None:
            zombie.rejoin()
            self._world.after(self._world.rng.choice((5, 100, 500)), welcome)

        def welcome() -> None:
            zombie.welcome()
            self.workers.append(zombie)

        self._world.after(self._world.rng.choice((5, 50, 300)), learn)

    def _expel(self, victim: Worker) -> None:
        """Its session is over: the others get what it had."""
        places = [(topic, partition) for topic in CONSUMED for partition in sorted(victim.partitions)]
        self._setup.auditor.forget(places)
        for partition in sorted(victim.partitions):
            self._give(partition)

    def rebalance(self) -> None:
        """A partition moves in good order. Its next owner may know before the one who gave it up does."""
        rng = self._world.rng
        owner = rng.choice(self.workers)
        if not owner.partitions:
            return
        partition = rng.choice(sorted(owner.partitions))
        owner.revoke(partition)
        heir = rng.choice(self.workers)
        if heir is owner:
            owner.release(partition)
        else:
            self._world.after(rng.choice((5, 100, 1_000)), lambda: owner.release(partition))
        heir.assign(partition)


class Weather:
    """Topics that are slow, times at which everything is, or at which the model is away."""

    def __init__(self, world: World, length_ms: int) -> None:
        self._world = world
        self._slow = self._window(length_ms)
        self._away = self._window(length_ms)
        self._topics: dict[str, float] = {}
        self.over = False

    def _window(self, length_ms: int) -> tuple[int, int]:
        begin = START_MS + self._world.rng.randrange(length_ms)
        return begin, begin + self._world.rng.choice((0, 500, 4_000))

    def slowness(self, topic: str) -> float:
        """How many times slower than usual deliveries to a topic are: a crash then takes more of one than of another."""
        if topic not in self._topics:
            self._topics[topic] = self._world.rng.choice((1.0, 1.0, 5.0, 30.0))
        return 60.0 if self._in(self._slow) else self._topics[topic]

    def model_up(self) -> bool:
        """Whether the model answers."""
        return not self._in(self._away)

    def _in(self, window: tuple[int, int]) -> bool:
        return not self.over and window[0] <= self._world.now_ms < window[1]


def plan(world: World, fleet: Fleet, arrivals: Sequence[Arrival]) -> None:
    """Draw the faults of a history. Most kills come just after something did: there is most to be lost."""
    for _ in range(world.rng.choice((0, 1, 2, 5))):
        world.at(world.rng.choice(arrivals).at_ms + world.rng.choice((10, 30, 60, 100, 1_000)), fleet.kill_one)
    for _ in range(world.rng.choice((0, 0, 1, 4))):
        world.at(world.rng.choice(arrivals).at_ms + world.rng.randrange(500), fleet.rebalance)
    for _ in range(world.rng.choice((0, 1, 2, 4))):
        world.at(world.rng.choice(arrivals).at_ms + world.rng.choice((5, 10, 30, 60, 1_000)), fleet.cut_one_off)
