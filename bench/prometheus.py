"""A Prometheus, and an Alertmanager if wanted, with the shipped rules: to see what they make of us.

The programs are Debian's; `prometheus_program()` is None where they are not installed.
"""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clawback.local import free_port

RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "alerts.yml"
_START = 30.0


def prometheus_program() -> str | None:
    """Return the path of Prometheus; None if it is not installed."""
    return shutil.which("prometheus")


def alertmanager_program() -> str | None:
    """Return the path of Alertmanager, which Debian names after Prometheus."""
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus on a port of its own, and the address of its Alertmanager."""

    port: int
    alertmanager: str | None = None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query.

        Raises:
            urllib.error.HTTPError: the expression is wrong.

        """
        asked = urllib.parse.urlencode({"query": expression})
        return list(self._get(f"query?{asked}")["result"])

    def firing(self, installation: str | None = None) -> set[str]:
        """Name the alerts that fire now, of one installation or of all."""
        alerts = self._get("alerts")["alerts"]
        return _names((one for one in alerts if one["state"] == "firing"), installation)

    def unhealthy_rules(self) -> dict[str, str]:
        """Return the rules that failed or were never evaluated, with their errors."""
        groups = self._get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return {
            rule["name"]: f"{rule['health']} {rule.get('lastError', '')}"
            for rule in rules
            if rule["health"] != "ok"
        }

    def delivered(self, installation: str | None = None) -> set[str]:
        """Name the alerts that Alertmanager has been given and that have not ended."""
        return _names(_read_json(f"http://{self.alertmanager}/api/v2/alerts"), installation)

    def _get(self, path: str) -> dict[str, Any]:
        data: dict[str, Any] = _read_json(f"http://127.0.0.1:{self.port}/api/v1/{path}")["data"]
        return data


@contextmanager
def run_prometheus(
    targets: Mapping[str, str],
    rewrite: Callable[[dict[str, Any]], dict[str, Any]] = lambda rules: rules,
    *,
    with_alertmanager: bool = False,
) -> Iterator[Prometheus]:
    """Run Prometheus, which scrapes each address every second; `targets` gives its installation.

    `rewrite` changes the shipped rules first, such as their durations.
    """
    with tempfile.TemporaryDirectory(prefix="clawback-prometheus-") as name:
        folder, port = Path(name), free_port()
        rules = rewrite(yaml.safe_load(RULES.read_text(encoding="utf-8")))
        (folder / "alerts.yml").write_text(json.dumps(rules))
        alertmanager = f"127.0.0.1:{free_port()}" if with_alertmanager else None
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(_configuration(targets, alertmanager)))
        with _alertmanager(folder, alertmanager):
            arguments = (
                prometheus_program() or "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            )
            with _running(arguments, f"http://127.0.0.1:{port}/-/ready"):
                yield Prometheus(port, alertmanager)


def _configuration(targets: Mapping[str, str], alertmanager: str | None) -> dict[str, Any]:
    scrape = {
        "job_name": "clawback",
        "static_configs": [
            {"targets": [address], "labels": {"installation": installation}}
            for address, installation in targets.items()
        ],
    }
    managers = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [scrape],
        "alerting": {"alertmanagers": managers},
    }


@contextmanager
def _alertmanager(folder: Path, address: str | None) -> Iterator[None]:
    if address is None:
        yield
        return

    config = folder / "alertmanager.yml"
    config.write_text(json.dumps({"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}))
    arguments = (
        alertmanager_program() or "alertmanager",
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=error",
    )
    with _running(arguments, f"http://{address}/-/ready"):
        yield


@contextmanager
def _running(arguments: tuple[str, ...], ready: str) -> Iterator[None]:
    """Run a program until the end of the block; begin when it answers."""
    process = subprocess.Popen(  # noqa: S603 - programs of this module
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _START
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{arguments[0]} did not start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def _names(alerts: Iterable[dict[str, Any]], installation: str | None) -> set[str]:
    labels = (one["labels"] for one in alerts)
    return {one["alertname"] for one in labels if installation in {None, one.get("installation")}}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - always our own http URL
            return True
    except OSError:
        return False


def _read_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - always our own http URL
        return json.load(answer)
