"""`make audit` says clean only of what was looked up."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

spec = importlib.util.spec_from_file_location("audit", Path(__file__).parents[1] / ".ci" / "audit.py")
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

CLEAN = {"name": "a", "version": "1", "vulns": []}
HOLED = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "code", "says"),
    [
        ([CLEAN], 0, "1 packages, no known vulnerability"),
        ([CLEAN, HOLED], 1, "b 2: CVE-1, mended in 2.1"),
        ([HOLED, SKIPPED], 1, "1 of 2 packages could not be looked up: c for one"),
        ([CLEAN, SKIPPED], 3, "nothing is known to be clean"),
        ([], 3, "nothing is known to be clean"),
    ],
)
def test_what_was_not_looked_up_is_not_clean(packages: list[dict[str, Any]], code: int, says: str) -> None:
    found, lines = audit.verdict({"dependencies": packages})
    assert found == code
    assert any(says in line for line in lines), lines
