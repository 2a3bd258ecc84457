"""The shelf's measurements run at a small size; what they find is not held against anything here."""

import json

import pytest

from shelftalk.bench.shelf.__main__ import main


def test_the_last_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "--cards",
                "10",
                "--products",
                "1000",
                "--memory-rows",
                "100",
                "--shoppers",
                "20",
                "--views",
                "1",
                "--texts",
                "0",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["live_cards"] for row in found["inventory_by_cards"]] == [1, 10]
    assert found["inventory_by_products"][0]["products"] == 1_000
    assert found["inventory_by_products_on_disk"][0]["us_per_event"] > 0
    assert all(row["us_per_card"] > 0 for row in found["inventory_by_cards"])
    assert "copies_bytes_in_memory" in found
    assert found["shopper_bytes_in_changelog"] > 1_000
