"""What `make demo` and a worker need is in the base install: a fresh machine has no extra."""

import subprocess
import sys
from pathlib import Path

import pytest

#: What only extras bring (pyproject.toml).
EXTRAS = (
    "pyarrow",
    "hdrh",
    "matplotlib",
    "psutil",
    "sacrebleu",
    "rouge_score",
    "implicit",
    "scipy",
    "datasketch",
    "jieba",
    "torch",
)


@pytest.mark.parametrize(
    "module",
    [
        "shelftalk.demo.run",
        "shelftalk.evaluate.crowd",
        "shelftalk.commands",
        "shelftalk.stream.app",
        "shelftalk.modelling.build",
    ],
)
def test_it_is_imported_without_any_extra(module: str, tmp_path: Path) -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r})); import {module}"
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
