"""The test for domains that imitate others."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Lookalike:
    """The domain imitates one of these and is none of them (`clawback.model.lookalikes`)."""

    domains: tuple[str, ...]
    cost: ClassVar[int] = 40

    def describe(self) -> tuple[str, str]:
        """Name the operator and the domains."""
        return "looks like", ", ".join(self.domains)

    def __str__(self) -> str:
        return f"looks like {', '.join(self.domains)}"
