"""What the engine's benchmarks say while they run, and how they end."""

import sys
from collections.abc import Callable

from shelftalk.errors import ShelftalkError


def say(message: str) -> None:
    """A line of progress; standard output is for what was found."""
    print(f"  {message}", file=sys.stderr, flush=True)


def run(main: Callable[[], None]) -> None:
    """Run a command: Ctrl-C ends it quietly with 130, an error of ours is told in a line."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except ShelftalkError as error:
        sys.exit(str(error))
