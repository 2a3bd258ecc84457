"""``python -m shelftalk``."""

from shelftalk.cli import main

main()
