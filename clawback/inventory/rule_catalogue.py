"""Everything that people are shown of a folder of rules: list, source, tests, coverage."""

from pydantic import BaseModel, ConfigDict

from clawback.inventory.rule_list import ListedRule
from clawback.model.mode import Mode
from clawback.rules.tools.rule_facts import RuleFacts


class CataloguedTest(BaseModel):
    """One test of a rule, and how it ended."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    expected: str
    found: str
    line: int


class CataloguedRule(BaseModel):
    """One rule. `source` is its document, which starts at `listed.line` of its file.

    `coverage` is the share of outcomes that tests give the parts of its condition, from 0 to 1;
    None for a rule without a condition. `gaps` says in words what no test covers.
    """

    model_config = ConfigDict(frozen=True)

    listed: ListedRule
    description: str
    author: str
    tags: tuple[str, ...]
    references: tuple[str, ...]
    falsepositives: tuple[str, ...]
    exceptions: tuple[str, ...]
    group_by: tuple[str, ...]
    does: tuple[str, ...]
    limits: tuple[str, ...]
    tests: tuple[CataloguedTest, ...]
    coverage: float | None
    gaps: tuple[str, ...]
    source: tuple[str, ...]

    @property
    def failed(self) -> int:
        """How many tests fail."""
        return sum(not test.passed for test in self.tests)


class RuleCatalogue(BaseModel):
    """A folder of rules; `problem` says why it cannot be loaded, and then there are no rules.

    `facts` are what the files of cases tell of the rules.
    """

    model_config = ConfigDict(frozen=True)

    version: str = ""
    ceiling: Mode = Mode.SHADOW
    rules: tuple[CataloguedRule, ...] = ()
    facts: RuleFacts = RuleFacts()
    problem: str = ""

    def find(self, name: str) -> CataloguedRule | None:
        """Find a rule by its name."""
        return next((rule for rule in self.rules if rule.listed.name == name), None)
