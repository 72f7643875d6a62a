"""The Helm chart: every documented combination is valid, and says what the image needs."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import SecretStr

from clawback.settings import Settings, variable
from tests.deploy.chart import (
    CHART,
    KUBERNETES,
    OPERATORS,
    by_name,
    environment,
    example,
    examples,
    library,
    pods,
    render,
)

DEPLOY = CHART.parents[1]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("name", examples())
def test_kubernetes_accepts_every_object(name: str) -> None:
    """By the schemas of Kubernetes, without a key that it does not know."""
    validator = pytest.importorskip("kubernetes_validate", reason="not installed (make helm)")
    checked = [one for one in render(example(name)) if one["kind"] not in OPERATORS]
    assert {"ServiceAccount", "Service"} & {one["kind"] for one in checked}
    for one in checked:
        validator.validate(one, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", examples())
def test_every_pod_is_confined(name: str) -> None:
    """No root, no token of Kubernetes, no capability, nothing writable but its volumes."""
    found = list(pods(render(example(name))))
    assert found
    for pod in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            inner = container["securityContext"]
            assert inner["readOnlyRootFilesystem"] is True
            assert inner["allowPrivilegeEscalation"] is False
            assert inner["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", examples())
def test_what_is_mounted_has_a_volume(name: str) -> None:
    """Each mount names a volume of its pod or a claim, and no volume is left over."""
    for one in render(example(name)):
        spec = one.get("spec", {})
        for pod in pods([one]):
            claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
            volumes = {volume["name"] for volume in pod["volumes"]}
            containers = [*pod["containers"], *pod.get("initContainers", [])]
            mounted = {mount["name"] for each in containers for mount in each["volumeMounts"]}
            assert mounted == volumes | claims


@pytest.mark.parametrize("name", examples())
def test_every_variable_is_a_setting(name: str) -> None:
    """A worker refuses variables that it does not know; the chart sets none of those."""
    known = {variable(field) for field in Settings.model_fields}
    for pod in pods(render(example(name))):
        ours = {one for one in environment(pod) if one.startswith(("CLAWBACK_", "CLOUDFLARE_"))}
        assert ours <= known


@pytest.mark.parametrize("name", examples())
def test_services_find_their_pods(name: str) -> None:
    """Each selects pods that have the port it names; the doctor is not among the workers."""
    manifests = render(example(name))
    templates = [one["spec"]["template"] for one in manifests if "template" in one.get("spec", {})]
    templates += [one for one in manifests if one["kind"] == "Pod"]
    services = [one["spec"] for one in manifests if one["kind"] == "Service"]
    assert services
    for service in services:
        wanted = service["selector"].items()
        chosen = [one for one in templates if wanted <= one["metadata"]["labels"].items()]
        assert chosen
        for port in service["ports"]:
            for one in chosen:
                ports = one["spec"]["containers"][0]["ports"]
                assert port["targetPort"] in {each["name"] for each in ports}


def test_the_state_is_below_the_volume() -> None:
    """Kubernetes lets others read the root of a volume; the worker makes a private folder in it."""
    for pod in pods(render(example("minimal"))):
        (mount,) = (one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "state")
        state = Path(environment(pod)["CLAWBACK_STATE"])
        assert state.parent == Path(mount["mountPath"])


def test_helm_finds_nothing_to_criticise() -> None:
    """Neither errors nor warnings; an icon is all that it misses."""
    report = library().lint(str(CHART), values=example("minimal"), strict=True)
    assert report["errors"] == []
    assert {one["error"] for one in report["messages"]} == {"icon is recommended"}


def test_the_package_carries_what_the_links_lead_to(tmp_path: Path) -> None:
    """`make chart` writes an archive that renders as the folder does, under the same version."""
    archive = Path(library().package(str(CHART), destination=str(tmp_path)))
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    assert archive.name == f"clawback-{project['version']}.tgz"
    packaged = library().Chart.load(str(archive))
    values = example("cloud")
    folder = library().Chart.load(str(CHART))
    assert packaged.render(values=values, name="c") == folder.render(values=values, name="c")


def test_secrets_are_files_or_references() -> None:
    """No value of a secret is in an object; files are readable by the group of the pod alone."""
    found = by_name(render(example("cloud")))
    pod = found["StatefulSet", "clawback-worker"]["spec"]["template"]["spec"]
    variables = environment(pod)
    assert variables["CLAWBACK_ENCRYPTION_KEY_FILE"] == "/etc/clawback/secrets/encryption-keys"
    reference = {"name": "clawback-prod", "key": "smtp-password"}
    assert variables["SMTP_PASSWORD"] == {"secretKeyRef": reference}
    assert "CLOUDFLARE_API_TOKEN" not in variables
    (volume,) = (one["secret"] for one in pod["volumes"] if one["name"] == "secrets")
    assert volume["defaultMode"] == 0o440
    wanted = {one["key"] for one in volume["items"]} | {"smtp-password"}
    external = found["ExternalSecret", "clawback-prod"]["spec"]["data"]
    assert {one["secretKey"] for one in external} == wanted >= {"api-token", "temporal-api-key"}


@pytest.mark.parametrize(("name", "kind"), [("minimal", "StatefulSet"), ("mtls", "Deployment")])
def test_a_worker_that_keeps_its_audit_is_a_stateful_set(name: str, kind: str) -> None:
    """Each replica has a claim of its own; without one there is a Deployment."""
    found = by_name(render(example(name)))
    spec = found[kind, "clawback-worker"]["spec"]
    assert ("volumeClaimTemplates" in spec) is (kind == "StatefulSet")
    if kind == "StatefulSet":
        assert found["Service", spec["serviceName"]]["spec"]["clusterIP"] == "None"


def test_old_builds_run_beside_the_current_one() -> None:
    """They have pods, selectors and claims of their own; all are scraped."""
    found = by_name(render(example("cloud")))
    workers = [one for (kind, name), one in found.items() if kind == "StatefulSet"]
    selectors = [json.dumps(one["spec"]["selector"], sort_keys=True) for one in workers]
    assert len(set(selectors)) == len(workers) == 3
    images = {pod["containers"][0]["image"] for pod in pods(workers)}
    assert images == {"example/clawback@sha256:" + "0" * 64, "example/clawback:0.0.9"}


def test_the_autoscaler_owns_the_number_of_workers() -> None:
    """With it the workload names no number, or each upgrade would reset it."""
    found = by_name(render(example("cloud")))
    target = found["HorizontalPodAutoscaler", "clawback-worker"]["spec"]["scaleTargetRef"]
    scaled = found[target["kind"], target["name"]]
    assert scaled["apiVersion"] == target["apiVersion"]
    assert "replicas" not in scaled["spec"]
    assert (
        "replicas" in by_name(render(example("minimal")))["StatefulSet", "clawback-worker"]["spec"]
    )


def test_the_metric_of_the_autoscaler_is_recorded() -> None:
    """Prometheus computes it from deploy/prometheus/autoscaling.yml."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "autoscaling.yml").read_text())
    (rule,) = rules["groups"][0]["rules"]
    assert rule["record"] == DEFAULTS["worker"]["autoscaling"]["metric"]


def test_alerts_and_dashboards_are_those_of_the_repository() -> None:
    """The chart carries links, so there is one source of each."""
    shipped = [
        file
        for file in sorted((DEPLOY / "prometheus").glob("*.yml"))
        if "groups" in yaml.safe_load(file.read_text())
    ]
    assert {file.name for file in shipped} == {
        file.name for file in (CHART / "files" / "prometheus").iterdir()
    }
    found = by_name(render(example("cloud")))
    for file in shipped:
        rule = found["PrometheusRule", f"clawback-{file.stem}"]
        assert rule["spec"] == yaml.safe_load(file.read_text())
    for file in (DEPLOY / "grafana").glob("*.json"):
        data = found["ConfigMap", f"clawback-dashboard-{file.stem}"]["data"]
        assert json.loads(data[file.name]) == json.loads(file.read_text())


def test_files_get_their_folders_again() -> None:
    """Keys of a ConfigMap have no slash; the volume says which path each has."""
    values = example("files")
    found = by_name(render(values))
    data = found["ConfigMap", "clawback-rules"]["data"]
    for pod in pods([found["StatefulSet", "clawback-worker"]]):
        (volume,) = (one["configMap"] for one in pod["volumes"] if one["name"] == "rules")
        mounted = {one["path"]: data[one["key"]] for one in volume["items"]}
        assert mounted == values["rules"]["files"]


def test_git_is_synchronised_before_the_worker_starts() -> None:
    """One container ends after the first copy, the next keeps it up to date."""
    found = by_name(render(example("git")))
    for pod in pods([found["StatefulSet", "clawback-worker"]]):
        first, then = pod["initContainers"]
        once = {one["name"]: one.get("value") for one in first["env"]}["GITSYNC_ONE_TIME"]
        assert (once, "restartPolicy" in first, then["restartPolicy"]) == ("true", False, "Always")
        assert environment(pod)["CLAWBACK_RULES"] == "/srv/rules/git/current/rules"
        assert environment(pod)["CLAWBACK_SAFETY"] == ""


def test_the_network_policy_names_the_port_of_temporal() -> None:
    """Workers may reach DNS, Temporal, https and each other's metrics, and what is added."""
    found = by_name(render(example("cloud")))
    policy = found["NetworkPolicy", "clawback-worker"]["spec"]
    open_ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert open_ports == {53, 443, 587, 6514, 7233, 9464}
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    } in (rule["from"])


def _wrong_values() -> Iterator[Any]:
    minimal = example("minimal")
    for change, told in (
        ({"mode": "act"}, "mode"),
        ({"accountId": "me"}, "accountId"),
        ({"temporal": {"address": "temporal"}}, "address"),
        ({"settings": {"CLAWBACK_AUDIT_COLLECTOR_TOKEN": "x"}}, "CLAWBACK_AUDIT_COLLECTOR_TOKEN"),
        ({"settings": {"CLAWBACK_MODE": "enforce"}}, "CLAWBACK_MODE"),
        ({"console": {"url": "http://console"}}, "url"),
        ({"workers": {}}, "workers"),
        ({"image": {"repository": "x", "digest": "sha256:12"}}, "digest"),
        ({"worker": {"terminationGracePeriodSeconds": 5}}, "terminationGracePeriodSeconds"),
        ({"rules": {"source": "files", "files": {"../up.yml": ""}}}, "up.yml"),
    ):
        yield pytest.param({**minimal, **change}, told, id=told)


@pytest.mark.parametrize(("values", "told"), list(_wrong_values()))
def test_wrong_values_are_refused_by_the_schema(values: dict[str, Any], told: str) -> None:
    """The error names the value."""
    problems = list(jsonschema.Draft7Validator(SCHEMA).iter_errors(values))
    assert told in " ".join(f"{list(one.path)} {one.message}" for one in problems)


def test_helm_refuses_what_the_schema_refuses() -> None:
    """And what is required and missing."""
    assert render(example("minimal"))
    changes: list[dict[str, Any]] = [
        {"mode": "act"},
        {"image": {}},
        {"accountId": ""},
        {"console": {}},
        {"settings": {}},
    ]
    for change in changes:
        with pytest.raises(Exception, match=r"mode|required|identity provider"):
            render({**example("minimal"), **change})


def test_the_schema_knows_every_default() -> None:
    """The defaults fit it, and it has no key without one."""
    jsonschema.Draft7Validator(SCHEMA).validate(DEFAULTS)
    for section, schema in SCHEMA["properties"].items():
        assert section == "global" or schema.get("properties", {}).keys() <= _keys(section)


def _keys(section: str) -> set[str]:
    default = DEFAULTS[section]
    return set(default) if isinstance(default, dict) else set()


def test_the_schema_refuses_every_secret_among_the_settings() -> None:
    """They would stand in a manifest, and in the history of the release."""
    names = jsonschema.Draft7Validator(SCHEMA["properties"]["settings"]["propertyNames"])
    secrets = [
        variable(name)
        for name, field in Settings.model_fields.items()
        if SecretStr.__name__ in str(field.annotation)
    ]
    assert "CLOUDFLARE_API_TOKEN" in secrets
    assert [name for name in secrets if names.is_valid(name)] == []


def test_every_combination_is_documented() -> None:
    """The README names each file of values."""
    readme = (CHART / "README.md").read_text()
    assert [name for name in examples() if f"ci/{name}-values.yaml" not in readme] == []
    assert [key for key in DEFAULTS if f"`{key}" not in readme] == []
