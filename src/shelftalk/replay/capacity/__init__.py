"""How much a worker holds: the highest steady rate, how it grows, and what a larger shop would take."""
