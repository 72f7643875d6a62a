"""Checks that several update validators share. A validator refuses by raising."""

from temporalio.exceptions import ApplicationError


def require_actor(by: str) -> None:
    """Refuse an update that does not say who sends it.

    Raises:
        ApplicationError: `by` is blank.

    """
    if not by.strip():
        raise ApplicationError("say who you are: --by NAME")


def require_no_problem(problem: str | None) -> None:
    """Refuse an update for a reason.

    Raises:
        ApplicationError: there is a problem; its text is the message.

    """
    if problem is not None:
        raise ApplicationError(problem)
