"""What is remembered of texts from outside."""

from clawback.model.memo import Memo, memoized


def test_what_is_kept_is_bounded() -> None:
    """Texts from outside never fill the memory."""
    memo = Memo(str.lower)
    for number in range(20_000):
        assert memo[f"Text {number}"] == f"text {number}"
    assert len(memo) <= 8_192
    assert memo["X" * 10_000] == "x" * 10_000
    assert "X" * 10_000 not in memo


def test_a_known_text_is_not_computed_again() -> None:
    """A function is called once for a text, even if it gives None."""
    calls: list[str] = []
    find = memoized(calls.append)
    assert [find("a"), find("b"), find("a")] == [None] * 3
    assert calls == ["a", "b"]
