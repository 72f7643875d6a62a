"""`/rules`: what is loaded; `/rules/<name>`: one rule, and the confirmation that it acts again."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from temporalio.service import RPCError

from clawback.console.errors import BadRequest, Conflict, NoSuchObject, Unavailable
from clawback.console.framing import render_page
from clawback.console.jobs.child_job import JobFailed
from clawback.console.page_routes import Page, RateClass
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.requests.query import read_choice, read_query
from clawback.console.services import Services, services_of, visitor_of
from clawback.console.sources.rule_outcomes import count_outcomes
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.rule_versions import VersionComparison, compare_versions
from clawback.console.views.rules import build_rule, build_rules, rule_path
from clawback.guard import Demotion
from clawback.inventory.rule_catalogue import CataloguedRule, RuleCatalogue
from clawback.model.identity import Role
from clawback.model.mode import Mode
from clawback.model.suggestions import did_you_mean
from clawback.model.texts import bounded
from clawback.temporal.workflow_calls import QueryFailed, UpdateRefused

_LONGEST_REASON: Final = 500
_NO_MODE: Final = "none"


async def show_rules(request: Request) -> Response:
    """List the rules of the folder, with what became of their cases."""
    query = read_query(request, frozenset({"mode", "status"}))
    mode = query.get("mode", "")
    if mode != _NO_MODE:
        read_choice(query, "mode", Mode)
    services = services_of(request)
    catalogue = await read_rules(services)
    view = build_rules(
        catalogue,
        count_outcomes(services.read_model.cases, services.now()),
        services.containment.demoted,
        mode=mode,
        status=query.get("status", ""),
    )
    return render_page(request, "rules", view, title="Rules", command="clawback rules list")


async def show_rule(request: Request) -> Response:
    """Show one rule: what it does, what became of its cases, its tests and its source.

    `since` is an earlier version, to compare.
    """
    since = read_query(request, frozenset({"since"})).get("since", "")
    services, visitor = services_of(request), visitor_of(request)
    catalogue, rule = await find_rule(request)
    name = rule.listed.name
    is_demoted = name in services.containment.demoted
    outcomes = count_outcomes(services.read_model.cases, services.now())
    view = build_rule(
        rule,
        outcomes.get(name),
        await _read_demotion(services, name) if is_demoted else None,
        is_demoted=is_demoted,
        now=services.now(),
        zone=Preferences.of(request).zone,
        may_confirm=visitor.may(Role.OPERATOR),
        may_compute=visitor.may(Role.ANALYST),
        problem=catalogue.problem,
        comparison=_compare(services, rule, since) if since else None,
    )
    command = f"clawback rules test --rule {name} --coverage"
    return render_page(request, "rule", view, title=name, command=command, has_charts=True)


def _compare(services: Services, rule: CataloguedRule, since: str) -> VersionComparison:
    name, loaded = rule.listed.name, rule.listed.version
    return compare_versions(since, services.rules.find_source(name, since), loaded, rule.source)


async def confirm_rule(request: Request) -> Response:
    """Let a rule act without approval again whose work somebody took back."""
    services, form = services_of(request), await read_form(request)
    reason = bounded(form.one("reason"), _LONGEST_REASON)
    if not reason:
        raise BadRequest("reason: say why the rule may act again; it is recorded in the audit")
    _, rule = await find_rule(request)
    name = rule.listed.name
    try:
        await services.guard.confirm(name, visitor_of(request).actor, reason)
    except UpdateRefused as error:
        raise Conflict(f"The rule was not confirmed: {error}.") from error
    await services.containment.refresh()
    return RedirectResponse(rule_path(name), HTTPStatus.SEE_OTHER)


async def read_rules(services: Services) -> RuleCatalogue:
    """Read the rules of the folder.

    Raises:
        Unavailable: they cannot be read.

    """
    try:
        return await services.rules.read()
    except JobFailed as error:
        raise Unavailable(f"The rules cannot be read: {error}.") from error


async def find_rule(request: Request) -> tuple[RuleCatalogue, CataloguedRule]:
    """Find the rule that the path names.

    Raises:
        NoSuchObject: there is none of that name.

    """
    catalogue = await read_rules(services_of(request))
    name = request.path_params["name"]
    if (rule := catalogue.find(name)) is None:
        names = [one.listed.name for one in catalogue.rules]
        hint = f"; {did_you_mean(name, names)}" if names else ""
        text = f"There is no rule {name[:80]!r}{hint}."
        raise NoSuchObject(show_mail_text(text))
    return catalogue, rule


async def _read_demotion(services: Services, name: str) -> Demotion | None:
    try:
        snapshot = await services.guard.status()
    except (RPCError, QueryFailed):
        return None
    return None if snapshot is None else snapshot.demoted.get(name)


RULE_PAGES: Final = (
    Page("/rules", show_rules, Role.VIEWER),
    Page("/rules/{name}", show_rule, Role.VIEWER),
    Page(
        "/rules/{name}/confirm",
        confirm_rule,
        Role.OPERATOR,
        RateClass.DECISION,
        methods=("POST",),
    ),
)
