"""The headline networks in torch."""

import pytest

torch = pytest.importorskip("torch", reason="torch is in the extra `train`, not in the base install")

from shelftalk.train.headline import STEPS, Decoder, HeadlineShape  # noqa: E402

END = 7


def test_behind_the_end_a_generator_says_nothing_but_the_end() -> None:
    torch.manual_seed(3)
    decoder = Decoder(HeadlineShape(vocab=50, columns=20))
    drawn = decoder.soft(decoder.condition(torch.randint(1, 50, (32, 6))), torch.randn(32, 32), 1.0, 0.5, END)
    assert drawn.shape == (32, STEPS, 20)
    columns = drawn.argmax(-1).tolist()
    assert any(END in row[:-1] for row in columns)
    assert all(set(row[row.index(END) :]) == {END} for row in columns if END in row)
    drawn.sum().backward()  # gradients flow through what was drawn before
    assert decoder.out.weight.grad is not None
