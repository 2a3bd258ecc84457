"""shelftalk: the little card beside the price, written live."""

__version__ = "0.1.0"
