"""Load-testing with recorded event streams: record, import, run, compare, and find out how far it scales."""
