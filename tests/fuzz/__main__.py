"""``python -m tests.fuzz TARGET [libFuzzer's options]``: Atheris on one of the decoders (``make fuzz``).

A crash is written to ``crash-...``; make a test of it in ``tests/fuzz/test_fuzz.py``.
"""

import sys

import atheris

with atheris.instrument_imports(include=["shelftalk"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer has enough."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
