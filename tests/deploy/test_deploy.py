"""The files in deploy/ match the code: metrics, settings, commands and paths exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawback.settings import Settings, variable
from clawback.telemetry import metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SDK_METRICS = {"temporal_worker_task_slots_available"}
"""The metrics of the Temporal SDK that the dashboards show."""
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
_NAME = re.compile(r"\b(?:clawback|temporal)_[a-z_]+\b")


def registered_series() -> set[str]:
    """Return every series name that our registry can expose."""
    suffixes = {
        "counter": ("_total",),
        "info": ("_info",),
        "gauge": ("",),
        "histogram": ("_bucket", "_count", "_sum"),
    }
    return {
        family.name + end
        for family in metrics.REGISTRY.collect()
        for end in suffixes.get(family.type, ())
    }


def rules() -> list[dict[str, Any]]:
    """Return every shipped alert and recording rule."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return every shipped alert."""
    return [rule for rule in rules() if "alert" in rule]


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """Return every panel of a dashboard, titles of rows included."""
    found: list[dict[str, Any]] = json.loads(dashboard.read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    """Yield every shipped PromQL expression."""
    yield from (rule["expr"] for rule in rules())
    shown = (panel for dashboard in DASHBOARDS for panel in panels(dashboard))
    yield from (target["expr"] for panel in shown for target in panel.get("targets", ()))


def test_every_metric_exists() -> None:
    """No alert and no panel uses an unknown metric."""
    named = {name for expression in expressions() for name in _NAME.findall(expression)}
    assert named
    assert named <= registered_series() | SDK_METRICS


def test_every_metric_is_used_by_an_alert_or_panel() -> None:
    """A metric that nothing shows is superfluous."""
    text = " ".join(expressions())
    assert {name for name in metrics.LABELS if name not in text} == set()


def test_every_alert_says_what_to_do() -> None:
    """Each has a unique name, a severity, two texts, and a runbook of the four usual sections."""
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))
    for alert in alerts():
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert all(alert["annotations"][key].endswith(".") for key in ("summary", "description"))
        page = alert["annotations"]["runbook_url"].partition("/blob/main/")[2]
        text = (ROOT / page).read_text()
        assert text.startswith(f"# {alert['alert']}\n\nSeverity {alert['labels']['severity']}.")
        assert re.findall("^## (.+)$", text, re.MULTILINE) == SECTIONS
        assert "$ clawback " in text.partition("## Diagnosis")[2].partition("## Mitigation")[0]


def test_every_runbook_has_its_alert() -> None:
    """No page is left of an alert that is gone."""
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in alerts()}


def test_every_alert_has_a_test() -> None:
    """alerts_test.yml names each alert."""
    tested = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    assert [alert["alert"] for alert in alerts() if alert["alert"] not in tested] == []


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_panels_do_not_overlap(dashboard: Path) -> None:
    """No two panels cover the same cell of the grid of 24 columns."""
    cells: set[tuple[int, int]] = set()
    for panel in panels(dashboard):
        at = panel["gridPos"]
        covered = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not covered & cells
        assert all(x < 24 for x, _ in covered)
        cells |= covered


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
        ("check", "config", "scrape.yml"),
        ("check", "rules", "autoscaling.yml"),
        ("test", "rules", "autoscaling_test.yml"),
    ],
)
def test_promtool_accepts_and_tests_the_alerts(arguments: tuple[str, ...]) -> None:
    """Prometheus loads the alerts, and each fires when it should and only then."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    done = subprocess.run(
        [promtool, *arguments],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_copies_files_that_exist() -> None:
    """Each COPY names something that exists and that the ignore file includes."""
    copies = re.findall(
        r"^COPY (?!--from)(.+)$", (DEPLOY / "container" / "Dockerfile").read_text(), re.MULTILINE
    )
    sources = [source.rstrip("/") for line in copies for source in line.split()[:-1]]
    assert "worker.py" in sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    kept = {
        line[1:]
        for line in (DEPLOY / "container" / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert {source if source in kept else source.partition("/")[0] for source in sources} == kept


def test_the_image_installs_only_hashed_requirements_and_is_not_root() -> None:
    """Every download has a hash, the last user is not root, and there is a health check."""
    lines = (DEPLOY / "container" / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    installs = re.findall(r"\bpip (?:--python \S+ )?install ([^&\n]+)", "\n".join(lines))
    assert installs
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert [line for line in lines if line.startswith("USER")][-1:] == ["USER 10001:10001"]
    assert "/healthz" in next(line for line in lines if line.startswith("HEALTHCHECK"))


def test_the_base_of_the_image_can_be_chosen_by_digest() -> None:
    """All of the image comes from one argument, which compose passes on."""
    text = (DEPLOY / "container" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases == ["${PYTHON_IMAGE}", "scratch"]
    assert "PYTHON_IMAGE: ${PYTHON_IMAGE:-" in (DEPLOY / "compose.yml").read_text()


@pytest.mark.parametrize(
    "file",
    [
        "container/Dockerfile",
        "systemd/clawback.service",
        "systemd/clawback-console.service",
        "systemd/clawback-worker.service",
        "clawback.env.example",
        "shell.env.example",
        "compose.yml",
        "compose.production.yml",
        "compose.safety.yml",
    ],
)
def test_every_variable_is_a_setting(file: str) -> None:
    """No file sets an unknown variable."""
    known = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"\bCLAWBACK_[A-Z_]+", (DEPLOY / file).read_text())) <= known


def test_the_example_of_settings_overrides_nothing_that_a_unit_sets() -> None:
    """EnvironmentFile wins over Environment, so that an empty line would turn encryption off."""
    example = (DEPLOY / "clawback.env.example").read_text()
    lines = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert "CLAWBACK_MODE" in lines
    for unit in (DEPLOY / "systemd").glob("*.service"):
        own = set(re.findall(r"^Environment=(\w+)=", unit.read_text(), re.MULTILINE))
        assert own
        assert lines & (own | {name.removesuffix("_FILE") for name in own}) == set()


def test_a_shell_has_what_the_units_set() -> None:
    """Commands of root and processes started by hand find the same rules, state and secrets."""
    unit = (DEPLOY / "systemd" / "clawback-worker.service").read_text()
    own = dict(re.findall(r"^Environment=(\w+)=(\S+)$", unit, re.MULTILINE))
    for name in ("CLAWBACK_LOG_FORMAT", "PYTHONDONTWRITEBYTECODE"):
        del own[name]

    shell = (DEPLOY / "shell.env.example").read_text()
    lines = dict(re.findall(r"^(\w+)=(\S+)$", shell, re.MULTILINE))
    folder = "/etc/clawback/credentials"
    assert lines == {name: value.replace("%d", folder) for name, value in own.items()}


def test_compose_runs_commands_that_exist() -> None:
    """Each service has its profile, keeps its state in a volume, and builds our image."""
    compose = yaml.safe_load((DEPLOY / "compose.yml").read_text())
    services = compose["services"]
    assert {name: (one["profiles"], one["command"][0]) for name, one in services.items()} == {
        "clawback": (["one"], "up"),
        "worker": (["external"], "worker"),
        "console": (["console"], "console"),
    }
    for name, one in services.items():
        assert (DEPLOY / one["build"]["context"] / one["build"]["dockerfile"]).exists()
        named = {volume.partition(":")[0] for volume in one["volumes"]}
        # The console keeps nothing.
        assert bool(named & set(compose["volumes"])) is (name != "console")


def test_compose_can_mount_the_limits_apart() -> None:
    """All services get rules and safety document from two places, and only to read."""
    apart = yaml.safe_load((DEPLOY / "compose.safety.yml").read_text())["services"]
    assert set(apart) == set(yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"])
    for one in apart.values():
        mounts = dict(re.findall(r"\$\{(\w+):\?[^}]+\}:(\S+):ro", "\n".join(one["volumes"])))
        assert mounts == {"RULES": "/etc/clawback/rules", "SAFETY": "/etc/clawback/safety"}
        assert Path(one["environment"]["CLAWBACK_SAFETY"]).parent == Path(mounts["SAFETY"])


def test_the_production_services_wait_for_each_other() -> None:
    """The schema before the server, the namespace before the worker; each name is defined."""
    compose = yaml.safe_load((DEPLOY / "compose.production.yml").read_text())
    services = compose["services"]
    waits = {name: list(one.get("depends_on", {})) for name, one in services.items()}
    assert waits["temporal"] == ["temporal-schema"]
    assert waits["worker"] == waits["console"] == ["temporal-namespace"]
    assert {name for names in waits.values() for name in names} <= services.keys()
    for kind in ("secrets", "networks", "configs", "volumes"):
        used = {_name_of(each) for one in services.values() for each in one.get(kind, ())}
        assert used & compose[kind].keys() == compose[kind].keys()
        assert kind == "volumes" or used <= compose[kind].keys()


def _name_of(entry: str | dict[str, str]) -> str:
    return entry["source"] if isinstance(entry, dict) else entry.partition(":")[0]


def test_only_the_console_and_views_are_published_on_this_machine() -> None:
    """Everything else stays within the networks, and PostgreSQL within that of Temporal."""
    services = yaml.safe_load((DEPLOY / "compose.production.yml").read_text())["services"]
    ports = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert ports.keys() == {"console", "prometheus", "temporal-ui"}
    assert all(port.startswith("127.0.0.1:") for each in ports.values() for port in each)
    beside = {name for name, one in services.items() if "database" in one["networks"]}
    assert beside == {"postgres", "temporal", "temporal-schema"}


UNITS = ("clawback", "clawback-worker", "clawback-console")


def unit_text(name: str) -> str:
    """Return a unit, with the settings that all units of its prefix share."""
    shared = DEPLOY / "systemd" / "clawback-.service.d" / "hardening.conf"
    text = (DEPLOY / "systemd" / f"{name}.service").read_text()
    return text + (shared.read_text() if name.startswith("clawback-") else "")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_keeps_the_limits_apart(name: str) -> None:
    """The unit reads them from outside the folder of rules, where it can write nothing."""
    unit = unit_text(name)
    found = re.findall(r"^Environment=(\w+)=(/.+)$", unit, re.MULTILINE)
    paths = {name: Path(path) for name, path in found}
    assert not paths["CLAWBACK_SAFETY"].is_relative_to(paths["CLAWBACK_RULES"])
    (read_only,) = re.findall(r"^ReadOnlyPaths=(.+)$", unit, re.MULTILINE)
    assert paths["CLAWBACK_SAFETY"].is_relative_to(read_only)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_confines_every_unit(name: str) -> None:
    """What protects `clawback up` protects worker and console."""
    wanted = {
        line
        for line in unit_text("clawback").splitlines()
        if re.match(r"(Protect|Private|Restrict|NoNew|Capab|SystemCall|Memory|Lock|Dynamic)", line)
    }
    assert len(wanted) > 20
    assert wanted <= set(unit_text(name).splitlines())


@pytest.mark.parametrize("name", ["clawback-worker", "clawback-console"])
def test_systemd_gives_every_credential_to_a_variable(name: str) -> None:
    """Each is a file that the service alone reads, and a variable names it."""
    unit = unit_text(name)
    given = re.findall(
        r"^LoadCredential=([a-z-]+):/etc/clawback/credentials/([a-z-]+)$", unit, re.MULTILINE
    )
    assert given
    named = dict(re.findall(r"^Environment=(\w+_FILE)=%d/([a-z-]+)$", unit, re.MULTILINE))
    assert [name for name, _ in given] == [file for _, file in given] == [*named.values()]
    assert named.keys() <= {variable(field) for field in Settings.model_fields}


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    """systemd-analyze finds nothing wrong, with the program replaced by one that exists."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    placed = tmp_path / f"{name}.service"
    text = placed.read_text()
    placed.write_text(text.replace("/opt/clawback/.venv/bin/clawback", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(placed)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
