"""The replay's rules, the baselines on logs small enough to check by hand, and the command."""

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shelftalk.commands.evaluate import app
from shelftalk.evaluate.item_knn import ItemKnn
from shelftalk.evaluate.log import survey
from shelftalk.evaluate.method import LastCategory, Method, Popularity, Session
from shelftalk.evaluate.next_item import replay
from shelftalk.evaluate.session_knn import Stan, VSknn
from shelftalk.evaluate.shelves import Shelves
from shelftalk.events.log_events import Row
from shelftalk.events.rees46 import COLUMNS
from tests.evaluate.made import START_MS, log, row

METHODS: list[type[Method]] = [Popularity, LastCategory, ItemKnn, VSknn, Stan, Shelves]


class Spy:
    """Notes what it is asked and told, and always says the same."""

    def __init__(self, says: Sequence[str] = ()) -> None:
        self.calls: list[str] = []
        self.says = list(says)

    def learn(self, row: Row, session: Session) -> None:
        self.calls.append(f"learn {row.product_id} after {''.join(step.product_id for step in session.steps)}")

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:  # noqa: ARG002
        self.calls.append(f"rank after {''.join(step.product_id for step in session.steps)}")
        return self.says[:count]


def taught(method: Method, *visits: tuple[str, str]) -> Session:
    """A method that has learned a log, and the session of its last row."""
    sessions: dict[str, Session] = {}
    rows = log(*visits)
    for one in rows:
        session = sessions.setdefault(one.session or "", Session(one.session or ""))
        method.learn(one, session)
        session.add(one)
    return sessions[rows[-1].session or ""]


def test_what_comes_is_foretold_before_it_is_learned() -> None:
    spy = Spy()
    replay([(one, True) for one in log(("s", "aab"))], {"spy": spy})
    assert spy.calls == ["learn a after ", "learn a after a", "rank after a", "learn b after a"]


def test_rows_before_the_split_are_only_learned() -> None:
    spy = Spy("b")
    rows = log(("s", "ab"), ("t", "ab"))
    outcome = replay([(one, one.session == "t") for one in rows], {"spy": spy})
    assert (outcome.learned, outcome.scored, outcome.steps["spy"].count) == (2, 2, 1)
    assert outcome.steps["spy"].figures()["hr@10"] == 1.0


def test_a_step_back_counts_in_the_first_table_only() -> None:
    outcome = replay([(one, True) for one in log(("s", "aba"))], {"spy": Spy("ab")})
    assert (outcome.steps["spy"].count, outcome.new["spy"].count) == (2, 1)
    assert outcome.steps["spy"].figures()["mrr@10"] == pytest.approx((1 / 2 + 1) / 2)
    assert outcome.new["spy"].figures()["mrr@10"] == 1.0  # the list without what was seen


def test_every_nth_session_is_scored_whole() -> None:
    spy = Spy()
    visits = [(f"s{number}", "abc") for number in range(6)]
    outcome = replay([(one, True) for one in log(*visits)], {"spy": spy}, stride=3)
    assert outcome.steps["spy"].count == 2 * 2


@pytest.mark.parametrize("method", METHODS)
def test_nobody_lists_the_present_product_or_one_twice(method: type[Method]) -> None:
    made = method()
    session = taught(made, *((f"s{n}", "abcabd") for n in range(200)), ("now", "ab"))
    ranked = list(made.rank(session, START_MS + 10**7, 20))
    assert ranked
    assert "b" not in ranked
    assert len(set(ranked)) == len(ranked)


@pytest.mark.parametrize("method", [ItemKnn, VSknn, Stan, Shelves])
def test_what_was_met_together_comes_first(method: type[Method]) -> None:
    made = method()
    session = taught(
        made,
        *((f"s{n}", "ab" if n % 2 else "xyzw") for n in range(300)),
        *((f"t{n}", "w") for n in range(99)),
        ("now", "a"),
    )
    assert made.rank(session, START_MS + 10**7, 20)[0] == "b"


@pytest.mark.parametrize("method", [VSknn, Stan, Shelves])
def test_all_of_the_session_has_its_say(method: type[Method]) -> None:
    made = method()
    session = taught(made, ("s1", "apx"), ("s2", "apx"), ("s3", "bpy"), ("s4", "bpy"), ("s5", "cp"), ("now", "ap"))
    ranked = made.rank(session, START_MS + 10**7, 20)
    assert ranked.index("x") < ranked.index("y")


def test_v_sknn_by_hand() -> None:
    method = VSknn()
    session = taught(method, ("s1", "ab"), ("s2", "ac"), ("s3", "ac"), ("now", "a"))
    # Each neighbour: similarity 1, the last step; idf of b is log(4/1), of c log(4/2).
    assert method.rank(session, START_MS, 20) == ["c", "b"]  # 2 * (1 + 0.69) against 1 + 1.39


def test_ours_knows_what_a_category_looks_at_where_nothing_was_met() -> None:
    method = Shelves()
    for number in range(8):
        one = row(number, f"s{number}", f"p{number % 2}", brand="acme" if number % 2 else "", cents=1_000)
        method.learn(one, Session(f"s{number}"))
    newcomer, session = row(99, "now", "fresh", brand="acme"), Session("now")
    method.learn(newcomer, session)
    session.add(newcomer)
    assert method.rank(session, newcomer.at_ms, 20) == ["p1", "p0"]


def write(path: Path, rows: Sequence[Row]) -> Path:
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for one in rows:
            second = one.at_ms // 1000
            at = f"2027-01-15 {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02} UTC"
            out.writerow([at, one.type, one.product_id, "1", "c", "", "10.00", one.user_id, one.session])
    return path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["next-item", *arguments])
    return result.exit_code, result.output


def test_the_command_ends_with_one_line_of_json(tmp_path: Path) -> None:
    rows = log(*((f"s{number}", "abc") for number in range(40)))
    whole = write(tmp_path / "all.csv", rows)
    code, said = run(str(whole), "--split", "0.5")
    assert code == 0, said
    one = json.loads(said.strip().splitlines()[-1])
    train, test = write(tmp_path / "train.csv.gz", rows[:60]), write(tmp_path / "test.csv", rows[60:])
    code, said = run("--train", str(train), "--test", str(test))
    assert code == 0, said
    two = json.loads(said.strip().splitlines()[-1])
    for figures in (one, two):
        assert set(figures["methods"]) == {"popularity", "last-category", "item-knn", "v-sknn", "stan", "shelftalk"}
        assert set(figures["methods"]["shelftalk"]) == {"hr@10", "mrr@10", "hr@20", "mrr@20"}
        assert figures["methods"]["shelftalk"]["hr@10"] == 1.0
    assert two["rows_learned"] == 60
    assert one["methods"] == two["methods"]


@pytest.mark.parametrize("arguments", [[], ["--train", "x"], ["LOG", "--train", "LOG", "--test", "LOG"]])
def test_the_command_says_what_it_needs(arguments: list[str], tmp_path: Path) -> None:
    path = str(write(tmp_path / "log.csv", log(("s", "ab"))))
    code, _ = run(*(path if word in {"LOG", "x"} else word for word in arguments))
    assert code == 2


def test_a_log_out_of_order_is_put_in_order(tmp_path: Path) -> None:
    rows = log(("s", "abc"), ("t", "abc"))
    part = survey(write(tmp_path / "log.csv", rows[::-1]), learned_share=0.5)
    assert not part.ordered
    assert [one.product_id for one, _ in part.read()] == list("abcabc")
    assert [foretell for _, foretell in part.read()] == [False] * 3 + [True] * 3


def test_ottos_log_too(tmp_path: Path) -> None:
    def file(name: str, first: int) -> str:
        lines = [
            json.dumps(
                {
                    "session": first + number,
                    "events": [
                        {"aid": aid, "ts": START_MS + (first + number) * 60_000 + aid * 1_000, "type": "clicks"}
                        for aid in (1, 2, 3)
                    ],
                }
            )
            for number in range(20)
        ]
        (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
        return str(tmp_path / name)

    files = ["--train", file("train.jsonl.gz", 0), "--test", file("test.jsonl.gz", 20)]
    result = CliRunner().invoke(app, ["next-item", *files])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert (figures["rows_learned"], figures["rows_foretold"], figures["steps"]) == (60, 60, 40)
    assert figures["methods"]["shelftalk"]["hr@10"] == 1.0
