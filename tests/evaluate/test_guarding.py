"""The guard's two corpora: what it must stop, and what it must let pass."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shelftalk.commands.evaluate import app
from shelftalk.core.brief import LANGUAGES
from shelftalk.core.guard import Outcome
from shelftalk.errors import ConfigError
from shelftalk.evaluate.guarding import Case, corpus, evaluate_guard, held_out, read_cases


@pytest.mark.parametrize("language", LANGUAGES)
def test_bad_texts_are_stopped_and_good_ones_pass(language: str) -> None:
    score = evaluate_guard(corpus(language))
    assert score.bad >= 160
    assert score.good >= 100
    assert score.recall >= 0.99, score.wrong
    assert score.precision >= 0.99, score.wrong
    assert score.for_the_reason >= 0.97 * score.bad, score.wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_texts_are_of_other_products_and_hardly_a_bad_one_could_be_a_models(language: str) -> None:
    cases = held_out(language)
    assert {case.kind for case in cases}.isdisjoint(case.kind for case in corpus(language))
    assert {case.text for case in cases}.isdisjoint(case.text for case in corpus(language))
    score = evaluate_guard(cases)
    assert score.bad >= 60
    assert score.good >= 40
    # Lists alone stop five of six that they have never seen; what a model writes has to have a source as well.
    assert score.recall >= 0.8
    assert score.precision >= 0.95
    assert score.reviewed >= 0.95 * score.bad, [wrong.text for wrong in score.wrong]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_its_cases(language: str) -> None:
    reasons = {case.reason for case in corpus(language)}
    assert reasons >= {
        "superlative", "guarantee", "urgency", "opinion", "delivery", "health", "green", "link", "money", "machine", "person",
        "abuse", "character", "slot", "claim", "untrue now", "untold", "length", "ending", "repetition", "shouting", "language",
        "doubtful", None,
    }  # fmt: skip


def test_no_case_stands_twice() -> None:
    texts = [case.text for language in LANGUAGES for case in corpus(language)]
    assert len(texts) == len(set(texts))


def test_what_the_guard_gets_wrong_is_counted_and_shown() -> None:
    missed = Case(text="A kettle that is made of kettle.", kind="kettle", reason="claim")
    refused = Case(text="The best kettle there is, and more.", kind="kettle")
    score = evaluate_guard([missed, refused])
    assert (score.recall, score.precision) == (0.0, 0.0)
    assert [wrong.outcome for wrong in score.wrong] == [Outcome.PASS, Outcome.REJECT]


def test_a_broken_case_is_named_by_file_and_number(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('\n{"text": "A kettle.", "kind": "kettle", "promotion": "soon"}\n')
    with pytest.raises(ConfigError, match=r"cases\.jsonl:2"):
        list(read_cases(path))


def test_the_command_ends_with_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "The best kettle there is.", "kind": "kettle", "reason": "superlative"}\n')
    result = CliRunner().invoke(app, ["guard", str(path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output.splitlines()[-1])["mine.jsonl"]["recall"] == 1.0
