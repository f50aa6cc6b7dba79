"""The files in deploy/ fit the gateway, and the tools that read them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no stubs
import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import main
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings.schema.server import ServerSettings
from tests.architecture.files import ROOT

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_valid_configuration(file: Path) -> None:
    outside = {"UPSTREAM_URL": "http://127.0.0.1:3000", "PARTNER_KEY_SHA256": "ab" * 32}
    done = CliRunner(env=outside).invoke(main, ["check", "-c", str(file)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_prometheus_accepts(arguments: tuple[str, ...]) -> None:
    _run("promtool", *arguments, cwd=PROMETHEUS)


def test_alerts_ask_for_series_that_exist() -> None:
    names = {family.declaration.name for family in (*Metrics().families, *NodeMetrics().families)}
    asked = set(re.findall(r"\bgateway_\w+", (PROMETHEUS / "alerts.yml").read_text()))
    assert asked <= names | {f"{name}_bucket" for name in names}


def test_every_alert_is_tested() -> None:
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    assert alerts
    assert [name for name in alerts if not re.search(rf"alertname: {name}$", tests, re.MULTILINE)] == []


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_compose_mounts_files_that_exist() -> None:
    for service in _compose()["services"].values():
        for volume in service.get("volumes", ()):
            if volume.startswith("."):
                assert (DEPLOY / volume.partition(":")[0]).exists()


def test_every_service_of_compose_is_kept_small() -> None:
    for name, service in _compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """But for the place of the program, which is not there yet."""
    text = (DEPLOY / "systemd" / "gateway.service").read_text()
    assert text.count("/opt/gateway/.venv/bin/gateway") == 1
    (tmp_path / "gateway.service").write_text(text.replace("/opt/gateway/.venv/bin/gateway", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "gateway.service"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_lets_the_service_do_very_little() -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "see tests/apt-packages.txt"
    reported = _run(analyze, "security", "--offline=true", DEPLOY / "systemd" / "gateway.service")
    exposure = re.search(r"exposure level for gateway\.service: ([0-9.]+)", reported)
    assert exposure, reported
    assert float(exposure[1]) < 2.0


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s?", text)
    assert found, text
    return int(found[1])


def test_whatever_stops_the_gateway_waits_until_it_is_drained() -> None:
    server = ServerSettings()
    drained_s = server.drain_delay + server.drain_timeout
    unit = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "systemd" / "gateway.service").read_text(), re.MULTILINE))
    assert _seconds(unit["TimeoutStopSec"]) > drained_s
    assert _seconds(_compose()["services"]["gateway"]["stop_grace_period"]) > drained_s


KUBERNETES = DEPLOY / "kubernetes"
RESOURCES = {
    f"{path.parent.name}/{path.stem}/{number}": resource
    for path in sorted(KUBERNETES.rglob("*.yaml"))
    if path.name != "gateway.yaml"
    for number, resource in enumerate(yaml.safe_load_all(path.read_text()))
}
OF_OTHERS = {"Kustomization", "ServiceMonitor"}
"""Kinds that Kubernetes itself does not have."""


@pytest.mark.parametrize("name", [name for name, each in RESOURCES.items() if each["kind"] not in OF_OTHERS])
def test_kubernetes_knows_every_field(name: str) -> None:
    kubernetes_validate.validate(RESOURCES[name], "1.34", strict=True)


def test_every_kustomization_names_files_that_exist_and_leaves_none_out() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        content = yaml.safe_load(path.read_text())
        named = [
            *content["resources"],
            *(file for each in content.get("configMapGenerator", ()) for file in each["files"]),
        ]
        assert all((path.parent / name).exists() for name in named), path
        assert {each.name for each in path.parent.glob("*.yaml")} - {path.name} == set(named) - {"../../base"}


@pytest.mark.parametrize("overlay", ["single", "redis"])
def test_the_configuration_of_an_overlay_is_valid(overlay: str, tmp_path: Path) -> None:
    text = (KUBERNETES / "overlays" / overlay / "gateway.yaml").read_text()
    for secret in ("admin-token", "redis-password"):
        (tmp_path / secret).write_text("a-secret-of-some-length-that-nobody-guesses")
    (tmp_path / "gateway.yaml").write_text(text.replace("/run/secrets/gateway", str(tmp_path)))
    done = CliRunner().invoke(main, ["check", "--strict", "-c", str(tmp_path / "gateway.yaml")])
    assert done.exit_code == 0, done.output


def _pod() -> dict[str, Any]:
    pod: dict[str, Any] = RESOURCES["base/deployment/0"]["spec"]["template"]["spec"]
    return pod


def test_pods_and_policies_agree_on_labels_and_ports() -> None:
    labels = RESOURCES["base/deployment/0"]["spec"]["template"]["metadata"]["labels"]
    assert RESOURCES["base/deployment/0"]["spec"]["selector"]["matchLabels"] == labels
    assert RESOURCES["base/network-policy/0"]["spec"]["podSelector"]["matchLabels"] == labels
    assert RESOURCES["redis/disruption-budget/0"]["spec"]["selector"]["matchLabels"] == labels
    assert RESOURCES["base/service/0"]["spec"]["selector"] == labels == RESOURCES["base/service/1"]["spec"]["selector"]
    monitored = RESOURCES["base/service-monitor/0"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= RESOURCES["base/service/1"]["metadata"]["labels"].items()
    ports = {each["name"]: each["containerPort"] for each in _pod()["containers"][0]["ports"]}
    for overlay in ("single", "redis"):
        text = (KUBERNETES / "overlays" / overlay / "gateway.yaml").read_text()
        assert f'address: "0.0.0.0:{ports["http"]}"' in text
        assert f'address: "0.0.0.0:{ports["admin"]}"' in text


def test_pods_run_without_root_and_may_write_nowhere() -> None:
    (container,) = _pod()["containers"]
    assert _pod()["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert _pod()["automountServiceAccountToken"] is False


def test_kubernetes_waits_until_a_pod_is_drained() -> None:
    server = ServerSettings()
    assert _pod()["terminationGracePeriodSeconds"] > server.drain_delay + server.drain_timeout
