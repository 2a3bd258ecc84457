"""Requests as the tests make them."""

import random
from concurrent.futures import Future
from typing import Any

from shelftalk.engine import Completion, Engine, Priority, Request
from tests.engine.gate import PATIENCE_S

_WORDS = (
    "light",
    "trail",
    "rain",
    "shoes",
    "kettle",
    "lamp",
    "read",
    "tent",
    "mat",
    "towel",
    "sale",
    "mug",
    "coffee",
    "pan",
)
_SLOTS = ("name", "brand", "price", "was_price", "percent_off", "p1")


def ask(key: str = "k", words: str = "warm kettle", **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "key": key,
        "prompt": f"<|im_start|>user\n{words}<|im_end|>\n<|im_start|>assistant\n",
        "slots": ("name", "price"),
        "max_new_tokens": 12,
        "priority": Priority.SHOPPER,
        "deadline_s": None,
    }
    return Request(**fields | changes)


def some_requests(count: int, seed: int) -> list[Request]:
    """Of all kinds: short and long, greedy and drawn, with and without a penalty."""
    rng = random.Random(seed)
    return [
        ask(
            f"r{number}",
            " ".join(rng.choices(_WORDS, k=rng.randint(1, 30))),
            slots=tuple(rng.sample(_SLOTS, rng.randint(0, 4))),
            max_new_tokens=rng.randint(1, 40),
            priority=rng.choice(list(Priority)),
            seed=rng.getrandbits(32),
            temperature=rng.choice((0.0, 0.0, 0.7, 1.5)),
            top_k=rng.choice((5, 32)),
            top_p=rng.choice((0.8, 1.0)),
            repetition_penalty=rng.choice((1.0, 1.3)),
        )
        for number in range(count)
    ]


def done(future: "Future[Completion]") -> Completion:
    return future.result(PATIENCE_S)


def error_of(future: "Future[Completion]") -> BaseException | None:
    return future.exception(PATIENCE_S)


def one_by_one(engine: Engine, requests: list[Request]) -> list[str]:
    return [done(engine.submit(request)).text for request in requests]
