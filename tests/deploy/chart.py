"""Renders the Helm chart in this process, with the Go library of Helm that `make helm` installs."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "clawback"
RELEASE = "clawback"
KUBERNETES = "1.31"
"""The version whose schemas are asked; the package has those of the last years."""
OPERATORS = {"ExternalSecret", "PrometheusRule", "ServiceMonitor"}
"""Kinds that operators define, of which the package has no schema."""

Manifest = dict[str, Any]


def example(name: str) -> dict[str, Any]:
    """Return the values of one documented combination."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text())
    return values


def examples() -> list[str]:
    """Return the names of all documented combinations."""
    return sorted(file.name.removesuffix("-values.yaml") for file in (CHART / "ci").iterdir())


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """Return every object that `helm install` would create. Raises what Helm refuses."""
    found = _load().render(values=dict(values), name=RELEASE)
    return [
        one
        for name, text in sorted(found.items())
        if name.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one
    ]


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """Index objects by kind and name; each may be there once."""
    found = {(one["kind"], one["metadata"]["name"]): one for one in manifests}
    assert len(found) == len(manifests)
    return found


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Yield the specification of every pod."""
    for one in manifests:
        if one["kind"] == "Pod":
            yield one["spec"]
        elif "template" in one.get("spec", {}):
            yield one["spec"]["template"]["spec"]


def environment(pod: Manifest) -> dict[str, Any]:
    """Return the variables of the container of a pod; a reference instead of a secret."""
    entries = pod["containers"][0]["env"]
    found = {one["name"]: one.get("value", one.get("valueFrom")) for one in entries}
    assert len(found) == len(entries)
    return found


def library() -> Any:
    """Return what works on charts in Helm; the test is skipped where it is absent."""
    return pytest.importorskip("helm_python.chart", reason="Helm is not installed (make helm)")


@cache
def _load() -> Any:
    return library().Chart.load(str(CHART))
