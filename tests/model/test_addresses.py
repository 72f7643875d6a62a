"""What may be a pattern, by the API's own rules."""

import pytest

from clawback.model.addresses import PatternKind, pattern_problem


@pytest.mark.parametrize(
    ("pattern", "kind", "problem"),
    [
        ("noreply@market-28b39.firebaseapp.com", "email", None),
        ("o'brien+x@sub.example.co.uk", "email", None),
        ("shein-survey-free", "email", "not_an_address"),
        ("phishing@pot-f-p", "email", "not_an_address"),
        ("a@b@c.test", "email", "not_an_address"),
        ("@x.test", "email", "not_an_address"),
        ("a b@x.test", "email", "not_an_address"),
        ("", "email", "no_pattern"),
        (None, "email", "no_pattern"),
        ("a@" + "x" * 1100 + ".test", "email", "pattern_too_long"),
        ("evil.test", "domain", None),
        ("evil", "domain", "not_a_domain"),
        ("-evil.test", "domain", "not_a_domain"),
        ("8.8.8.8", "ip", None),
        ("8.8.8.0/24", "ip", None),
        ("2606:4700::/32", "ip", None),
        ("10.0.0.1", "ip", "not_a_public_ip"),
        ("127.0.0.1", "ip", "not_a_public_ip"),
        ("0.0.0.0/0", "ip", "network_too_large"),
        ("192.168.0.0/16", "ip", "not_a_public_ip"),
        ("255.255.255.255", "ip", "not_a_public_ip"),
        ("224.0.0.1", "ip", "not_a_public_ip"),
        ("not an ip", "ip", "not_an_ip"),
        ("pay@bücher.example", "email", None),
        ("pay@xn--bcher-kva.example", "email", None),
        ("user@test.рф", "email", None),
        ("Pay@X.test.", "email", None),
        ("münchen.example", "domain", None),
        ("bücher", "domain", "not_a_domain"),
        ("::ffff:8.8.8.8", "ip", None),
        ("[8.8.8.8]:25", "ip", None),
        ("::ffff:10.1.2.3", "ip", "not_a_public_ip"),
        ("2002:a01:203::1", "ip", "not_a_public_ip"),
        ("64:ff9b::10.1.2.3", "ip", "not_a_public_ip"),
        ("::ffff:0:0/96", "ip", "network_too_large"),
    ],
)
def test_patterns(pattern: str | None, kind: str, problem: str | None) -> None:
    """Each kind takes what the API takes, and the reason of a refusal is a few fixed words."""
    assert pattern_problem(pattern, PatternKind(kind)) == problem
