"""Benchmarks against what a user would pick instead: commands, never part of a running worker."""
