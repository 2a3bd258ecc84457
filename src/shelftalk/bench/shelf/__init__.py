"""``make bench-shelf``: what a shelf costs, in time and memory, as a shop grows."""
