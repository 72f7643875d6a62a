"""The reasons for a match: only the leaves that made it true, with the actual values."""

from pathlib import Path

from clawback.rules.engine.explanation import list_reasons
from tests.rules.folders import block, load, message


def reasons(folder: Path, detection: str, **record: object) -> tuple[str, ...]:
    """Load a rule and say why it is true of a message."""
    rules = load(folder, {"x.yml": block(detection)})
    return list_reasons(rules.explain("a_block", message(**record)))


def test_only_what_made_it_true_is_told(tmp_path: Path) -> None:
    """Reasons list the alternative that holds, the negated test, and the value of a list."""
    detection = """
bad: {final_disposition|startswith: MALICIOUS}
lure: {subject|contains: [invoice, payroll]}
other: {from: b@x.test}
filter_handled: {is_quarantined: true}
condition: (bad or other) and lure and not 1 of filter_*
"""
    found = reasons(
        tmp_path,
        detection,
        final_disposition="MALICIOUS-BEC",
        subject="Your payroll",
        is_quarantined=False,
    )
    assert found == (
        "final_disposition starts with MALICIOUS ← MALICIOUS-BEC",
        "subject contains payroll ← Your payroll",
        "not is_quarantined is true ← false",
    )


def test_reasons_are_bounded_and_printable(tmp_path: Path) -> None:
    """Whatever a stranger writes into a subject, the line stays one short line."""
    (found,) = reasons(
        tmp_path, "a: {subject|contains: pay}\ncondition: a", subject="pay\n\x1b[31m" + "x" * 5000
    )
    assert found.isprintable()
    assert len(found) <= 210


def test_the_form_that_is_compared_is_told_where_it_differs(tmp_path: Path) -> None:
    """Whoever sees only the text would not understand why it matches."""
    detection = "a: {subject|contains: paypal, from: a@bücher.example}\ncondition: a"
    found = reasons(tmp_path, detection, subject="Pay\u200bPal\u00a0now", from_="a@bücher.example")
    assert found == (
        "subject contains paypal ← Pay\ufffdPal\ufffdnow (compared as paypal now)",
        "from is a@xn--bcher-kva.example ← a@xn--bcher-kva.example (a@bücher.example)",
    )
