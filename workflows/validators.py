"""Checks that several update validators share. A validator refuses by raising."""

from temporalio.exceptions import ApplicationError


def require_no_problem(problem: str | None) -> None:
    """Refuse an update for a reason.

    Raises:
        ApplicationError: there is a problem; its text is the message.

    """
    if problem is not None:
        raise ApplicationError(problem)
