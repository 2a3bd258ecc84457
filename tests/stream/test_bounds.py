"""Whatever can grow is in the table of bounds, and what was found to grow without one does not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.alarms import _SPARE, Alarms

STREAM = Path(__file__).parents[2] / "src/shelftalk/stream"
EMPTY = frozenset({"deque", "dict", "list", "set", "Counter", "defaultdict", "Queue", "OrderedDict"})


def begins_empty(value: ast.expr) -> bool:
    """Whether it is a container with nothing in it: one that is there to be filled."""
    if isinstance(value, ast.Call):
        called = value.func.value if isinstance(value.func, ast.Subscript) else value.func
        return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in EMPTY
    return isinstance(value, ast.Dict | ast.List) and not (value.keys if isinstance(value, ast.Dict) else value.elts)


def assigned(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """What an assignment is to, and its value."""
    if isinstance(node, ast.Assign):
        return node.targets[0], node.value
    return (node.target, node.value) if isinstance(node, ast.AnnAssign) and node.value is not None else None


def containers() -> Iterator[str]:
    for module in STREAM.glob("*.py"):
        for owner in ast.walk(ast.parse(module.read_text())):
            for node in ast.walk(owner) if isinstance(owner, ast.ClassDef) else ():
                found = assigned(node)
                if found is not None and isinstance(found[0], ast.Attribute) and begins_empty(found[1]):
                    yield f"{owner.name}.{found[0].attr}"  # type: ignore[attr-defined]


def test_whatever_can_grow_is_in_the_table_of_bounds() -> None:
    page = (STREAM / "README.md").read_text()
    table = page[page.index("## Bounds") : page.index("## Deadlines")]
    found, named = (
        set(containers()),
        set(re.findall(r"`(_?[A-Z]\w+\.\w+)`", table)) - {"Limits.live_per_sku", "Limits.give_up_ms"},
    )
    assert found == named


@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from("abc")), max_size=30))
def test_a_moment_that_was_superseded_is_no_alarm_for_ever(wakes: list[tuple[int, str]]) -> None:
    """A sale whose end a shop moves every second would leave a moment behind each time, until the last of them is over."""
    alarms = Alarms()
    for turn in range(3 * _SPARE):
        alarms.wake(10**9 + turn, "restless")
    for due_ms, sku in wakes:
        alarms.wake(due_ms, sku)
    assert len(alarms._wakes) <= 2 * len(alarms._wake_at) + _SPARE
    last = {sku: due_ms for due_ms, sku in wakes}
    awake = set(alarms.awake(10**9 - 1))
    assert {sku for sku, due_ms in last.items() if due_ms < 10**9} <= awake
    assert "restless" in set(alarms.awake(2 * 10**9))
