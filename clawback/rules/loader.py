"""Loads a folder of rules: reads every file, collects all problems, compiles the set if none.

A folder holds rule files in any subfolder, `exceptions/` (Sigma filters), `lists/` (values for
`expand`) and, unless the setting `CLAWBACK_SAFETY` names it elsewhere, `safety.yml`.
"""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from clawback.garbage_collection import without_garbage_collection
from clawback.rules.engine.builder import build_set
from clawback.rules.engine.ruleset import RuleSet
from clawback.rules.lint.channels import Channels, check_channels, check_reporters
from clawback.rules.lint.pattern_types import check_pattern_types
from clawback.rules.lint.references import check_set
from clawback.rules.lint.review import review_rules, utc_today
from clawback.rules.lint.rule_checks import check_rule, group_by_of
from clawback.rules.source.correlations import read_correlation
from clawback.rules.source.documents import (
    CorrelationDocument,
    FilterDocument,
    Header,
    RuleDocument,
    read_model,
)
from clawback.rules.source.errors import Code, Place, Problems, RuleErrors
from clawback.rules.source.list_files import read_list
from clawback.rules.source.loaded import Loaded, LoadedFilter, LoadedRule
from clawback.rules.source.reading import Reading
from clawback.rules.source.responses import read_response
from clawback.rules.source.rule_files import LISTS, list_rule_folder, read_file_documents
from clawback.rules.source.safety_file import SAFETY, is_safety_slip, read_safety
from clawback.rules.source.sigma import read_detection
from clawback.rules.source.yaml_reader import Document

EXCEPTIONS = "exceptions"
"""The name of the folder of Sigma filters in a folder of rules."""


def load_rules(
    folder: Path, safety: Path | None = None, *, today: Callable[[], date] = utc_today
) -> RuleSet:
    """Load and compile all rules of a folder.

    `safety` is the safety document, if the folder does not hold it. `today` is the clock by which
    exceptions expire.

    Raises:
        RuleErrors: all problems of all files, each with file, line, column, text and remedy.

    """
    with without_garbage_collection():
        loaded = read_folder(folder, safety)
        loaded.problems.raise_if_any()
        return _build(loaded, today)


def load_reviewed(
    folder: Path,
    channels: Channels | None = None,
    today: Callable[[], date] = utc_today,
    *,
    safety: Path | None = None,
) -> RuleSet:
    """Load all rules of a folder as a worker does: also refuse what `rules check` calls an error.

    Channels that do not exist are refused too, unless `channels` is None: then it is unknown which
    there are.

    Raises:
        RuleErrors: all problems of all files.

    """
    with without_garbage_collection():
        loaded = read_folder(folder, safety)
        if channels is not None:
            check_channels(loaded, channels, loaded.problems)

        loaded.problems.raise_if_any()
        found = review_rules(loaded, today)
        if errors := [problem for problem in found if problem.refuses_the_set]:
            raise RuleErrors(errors)

        return _build(loaded, today)


def _build(loaded: Loaded, today: Callable[[], date]) -> RuleSet:
    rules = build_set(loaded, today)
    rules.prepare()
    return rules


def read_folder(folder: Path, safety: Path | None = None) -> Loaded:
    """Read and check a folder without compiling it; `problems` of the result has all errors."""
    loaded = Loaded(Problems(), folder)
    if not folder.is_dir():
        loaded.problems.add(
            Place(str(folder)),
            Code.UNREADABLE,
            "there is no such folder",
            remedy="give the path of a folder of rules",
        )
        return loaded

    listing = list_rule_folder(folder)
    _add_listing_problems(folder, listing.problems, loaded.problems)
    if Path() in listing.problems:
        return loaded

    files = [path for path in listing.files if not _is_safety(path)]
    loaded.safety = read_safety(folder, safety, loaded.problems)
    for path in files:
        # In a pass of their own, because rules and exceptions expand them.
        if path.parts[:1] == (LISTS,):
            _read_list(folder, path, loaded)

    for path in files:
        if path.parts[:1] == (EXCEPTIONS,):
            _read_filters(folder, path, loaded)
        elif path.parts[:1] != (LISTS,):
            _read_rules(folder, path, loaded)

    check_set(loaded)
    check_pattern_types(loaded)
    return loaded


def _add_listing_problems(folder: Path, listed: Mapping[Path, str], problems: Problems) -> None:
    for path, reason in listed.items():
        problems.add(
            Place(str(folder) if path == Path() else path.as_posix()),
            Code.UNREADABLE,
            reason,
            remedy="put the files themselves there, or a link to a folder of these rules",
        )


def rule_files_of(folder: Path) -> list[Path]:
    """List the files of a folder that hold rules, exceptions or values, relative to it."""
    return [path for path in list_rule_folder(folder).files if not _is_safety(path)]


def _is_safety(path: Path) -> bool:
    return len(path.parts) == 1 and (path.name == SAFETY or is_safety_slip(path))


def _read_list(folder: Path, path: Path, loaded: Loaded) -> None:
    values, people = read_list(folder, path, loaded.problems)
    if path.stem in loaded.lists:
        loaded.problems.add(
            Place(path.as_posix()),
            Code.DUPLICATE_NAME,
            "another list has this name",
            text=path.stem,
            remedy="rename one",
        )

    loaded.lists[path.stem] = values
    for name, addresses in people.items():
        loaded.people[name] = (*loaded.people.get(name, ()), *addresses)


def _read_filters(folder: Path, path: Path, loaded: Loaded) -> None:
    for document in read_file_documents(folder, path, loaded.problems):
        read = read_model(FilterDocument, document, loaded.problems)
        if read is None:
            continue

        reading = Reading(
            document,
            read.logsource.category,
            loaded.lists,
            loaded.problems,
            warnings=loaded.warnings,
        )
        tree = read_detection(reading, "filter")
        rules = _rules_of_filter(read, document, loaded.problems)
        if tree is not None and rules is not None:
            loaded.filters.append(LoadedFilter(read, document, tree, rules))


def _rules_of_filter(
    read: FilterDocument, document: Document, problems: Problems
) -> tuple[str, ...] | None:
    rules = read.filter.get("rules")
    if isinstance(rules, str):
        return () if rules == "any" else (rules,)
    if isinstance(rules, list) and rules and all(isinstance(rule, str) for rule in rules):
        return tuple(rules)

    remedy = "write rules: any, or the names or ids of rules"
    problems.add(
        document.value_at("filter", "rules"),
        Code.WRONG_VALUE,
        "a filter names the rules it applies to",
        text=rules,
        remedy=remedy,
    )
    return None


def _read_rules(folder: Path, path: Path, loaded: Loaded) -> None:
    for document in read_file_documents(folder, path, loaded.problems):
        if not isinstance(document.data, dict):
            read_model(Header, document, loaded.problems)
        elif "filter" in document.data:
            remedy = f"move it to {EXCEPTIONS}/"
            loaded.problems.add(
                document.key_at("filter"),
                Code.DOCUMENT_KIND,
                "a filter belongs to the exceptions",
                text="filter",
                remedy=remedy,
            )
        elif "correlation" in document.data:
            _read_correlation(document, loaded)
        else:
            _read_rule(document, loaded)


def _read_rule(document: Document, loaded: Loaded) -> None:
    read = read_model(RuleDocument, document, loaded.problems)
    if read is None:
        return

    reading = Reading(
        document, read.logsource.category, loaded.lists, loaded.problems, warnings=loaded.warnings
    )
    rule = LoadedRule(
        read, document, read_detection(reading, "detection"), tuple(reading.selections)
    )
    _check_and_add(rule, loaded)


def _read_correlation(document: Document, loaded: Loaded) -> None:
    read = read_model(CorrelationDocument, document, loaded.problems)
    if read is None:
        return
    rule = LoadedRule(read, document, correlation=read_correlation(read, document, loaded.problems))
    _check_and_add(rule, loaded)


def _check_and_add(rule: LoadedRule, loaded: Loaded) -> None:
    check_rule(rule, loaded.problems, loaded.warnings)
    if rule.read.response is not None and (group_by := group_by_of(rule)) is not None:
        hard_delete = loaded.safety.permits_hard_delete(rule.read.name)
        rule.response = read_response(
            rule.read.response, group_by, rule.document, loaded.problems, hard_delete=hard_delete
        )
        check_reporters(rule, loaded.problems)

    loaded.rules.append(rule)
