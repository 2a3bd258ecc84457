"""The generation engine against what a user would pick instead: ``make bench-engine``.

workload    the briefs that are written about, and how long each text is
export      our model for the peers: the same weights, in their formats
clients     callers who come one after another and wait for their text
ours, genai, llama_cpp, transformers   a contestant each; every one runs in a process of its own
child       that process: loads a contestant, serves clients when it is told to
limit       what the machine could do at best
report      the table and the JSON line
__main__    the command

Modules that a peer's process imports need nothing but the standard library, numpy and the peer: the peers live in an
environment of their own (``.venv-bench``), which lacks shelftalk's dependencies.
"""
