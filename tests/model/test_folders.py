"""Folders that providers of mailboxes lack, and what is used there."""

from datetime import UTC, datetime

import pytest

from clawback.model.folders import LACKING, AccountProviders, folder_at
from clawback.model.messages import Destination, Target
from clawback.model.providers import Provider

GOOGLE, MICROSOFT = Provider.GOOGLE, Provider.MICROSOFT
MIXED = AccountProviders({"g.test": GOOGLE, "m.test": MICROSOFT, "xn--bcher-kva.test": GOOGLE})


@pytest.mark.parametrize("provider", [*Provider, None])
@pytest.mark.parametrize("wanted", Destination)
def test_every_provider_has_the_folder_that_it_is_asked_for(
    provider: Provider | None, wanted: Destination
) -> None:
    """The folder of the rule where there is one; never the inbox instead, nor a harder delete."""
    used = folder_at(provider, wanted)
    assert provider is None or used not in LACKING[provider]
    assert used is wanted or provider is not None
    assert used is wanted or used not in {Destination.INBOX, Destination.PURGES}


@pytest.mark.parametrize(
    ("account", "mailbox", "provider"),
    [
        (MIXED, "a@g.test", GOOGLE),
        (MIXED, "<A@G.Test.>", GOOGLE),
        (MIXED, "a@bücher.test", GOOGLE),
        (MIXED, "a@m.test", MICROSOFT),
        (MIXED, "a@elsewhere.test", GOOGLE),
        (MIXED, None, GOOGLE),
        (AccountProviders({"m.test": MICROSOFT}), "a@elsewhere.test", MICROSOFT),
        (AccountProviders({"m.test": MICROSOFT}, (GOOGLE,)), "a@m.test", MICROSOFT),
        (AccountProviders({"m.test": MICROSOFT}, (GOOGLE,)), "a@elsewhere.test", GOOGLE),
        (AccountProviders({"g.test": GOOGLE}, (MICROSOFT,)), "a@elsewhere.test", MICROSOFT),
        (AccountProviders(stated=(MICROSOFT, GOOGLE)), "a@g.test", GOOGLE),
        (AccountProviders(), "a@g.test", None),
    ],
)
def test_the_provider_of_a_mailbox(
    account: AccountProviders, mailbox: str | None, provider: Provider | None
) -> None:
    """The API's word for its domain, then the setting, then the other domains."""
    assert account.provider_of(mailbox) is provider


def test_only_mailboxes_that_lack_a_folder_are_marked() -> None:
    """A campaign of Microsoft 365 takes no byte more."""
    at = datetime(2026, 11, 29, tzinfo=UTC)
    google, microsoft = (Target(id=name, at=at, mailbox=f"a@{name}.test") for name in "gm")
    marked = MIXED.mark((google, microsoft))
    assert [one.provider for one in marked] == [GOOGLE, None]
    assert marked[1] is microsoft
    everywhere = (google, microsoft)
    assert AccountProviders({"m.test": MICROSOFT}).mark(everywhere) is everywhere
