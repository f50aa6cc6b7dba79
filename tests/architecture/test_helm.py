"""The chart in deploy/helm is rendered by Helm, and says the same as the manifests in deploy/kubernetes."""

import base64
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no stubs
import pytest
import yaml

import gateway
from tests.architecture.files import ROOT
from tests.helm_chart import CHART, Rendered, Values, rendered

KUBERNETES = ROOT / "deploy" / "kubernetes"
OF_A_RELEASE = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
"""Labels that only the chart has."""

CASES: dict[str, Values] = {
    "single": {},
    "redis": {"redis": {"enabled": True}, "serviceMonitor": {"enabled": True}},
    "all": {
        "image": {"repository": "registry.internal/gateway", "digest": "sha256:" + "ab" * 32},
        "imagePullSecrets": [{"name": "pull"}],
        "configFile": "version: 1\n# mine\n",
        "secret": {"files": {"admin-token": "a token", "redis-password": "p"}},
        "redis": {"enabled": True},
        "replicas": 5,
        "autoscaling": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "service": {"type": "LoadBalancer", "port": 8080, "annotations": {"a": "b"}},
        "networkPolicy": {"enabled": False},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "serviceAccount": {"annotations": {"a": "b"}},
        "env": [{"name": "REGION", "value": "eu"}],
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "existing": {"secret": {"existing": "mine"}, "replicas": 3},
    "open": {"redis": {"enabled": True, "username": ""}},
}
REFUSED: dict[str, Values] = {
    "a misspelt value": {"replica": 2},
    "a misspelt value inside": {"redis": {"enable": True}},
    "no pod": {"replicas": 0},
    "a digest that is none": {"image": {"digest": "latest"}},
    "another failure policy": {"redis": {"onFailure": "maybe"}},
    "two secrets": {"secret": {"existing": "mine", "files": {"a": "b"}}},
}


@pytest.fixture(scope="module")
def charts() -> dict[str, Rendered]:
    return dict(zip([*CASES, *REFUSED], rendered([*CASES.values(), *REFUSED.values()]), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_helm_has_no_findings_and_kubernetes_knows_every_field(case: str, charts: dict[str, Rendered]) -> None:
    assert charts[case].refused == ""
    assert charts[case].findings == []
    for (kind, _), resource in charts[case].resources.items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(resource, "1.34", strict=True)


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses(case: str, charts: dict[str, Rendered]) -> None:
    assert "values don't meet the specifications of the schema" in charts[case].refused
    assert charts[case].findings


def _without_labels_of_a_release(found: Any) -> Any:  # a tree of YAML
    if isinstance(found, list):
        return [_without_labels_of_a_release(each) for each in found]
    if isinstance(found, dict):
        return {name: _without_labels_of_a_release(each) for name, each in found.items() if name not in OF_A_RELEASE}
    return found


def _manifests(overlay: str) -> dict[tuple[str, str], dict[str, Any]]:
    files = [
        *sorted((KUBERNETES / "base").glob("*.yaml")),
        *(path for path in sorted((KUBERNETES / "overlays" / overlay).glob("*.yaml")) if path.name != "gateway.yaml"),
    ]
    found = [each for path in files for each in yaml.safe_load_all(path.read_text())]
    return {(each["kind"], each["metadata"]["name"]): each for each in found if each["kind"] != "Kustomization"}


@pytest.mark.parametrize("overlay", ["single", "redis"])
def test_the_chart_and_the_manifests_describe_the_same(overlay: str, charts: dict[str, Rendered]) -> None:
    chart: dict[tuple[str, str], Any] = _without_labels_of_a_release(dict(charts[overlay].resources))
    manifests = _manifests(overlay)
    config = chart.pop(("ConfigMap", "gateway"))["data"]["gateway.yaml"]
    assert yaml.safe_load(config) == yaml.safe_load((KUBERNETES / "overlays" / overlay / "gateway.yaml").read_text())
    if overlay == "single":
        assert chart["Deployment", "gateway"]["spec"].pop("replicas") == 1  # the overlay patches it in
        manifests.pop(("ServiceMonitor", "gateway"))  # of an operator that not everybody has
    container = chart["Deployment", "gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert container.pop("image") == f"api-gateway:{gateway.__version__}"
    assert container.pop("imagePullPolicy") == "IfNotPresent"
    manifests["Deployment", "gateway"]["spec"]["template"]["spec"]["containers"][0].pop("image")
    secret = chart["Deployment", "gateway"]["spec"]["template"]["spec"]["volumes"][1]["secret"]
    assert secret["defaultMode"] == 0o440
    for resource in (*chart.values(), *manifests.values()):
        resource["metadata"].pop("labels", None)
    assert chart["Service", "gateway"]["spec"].pop("type") == "ClusterIP"
    assert chart == manifests


def _pod(chart: Rendered) -> Any:  # a tree of YAML
    return chart.resources["Deployment", "gateway"]["spec"]["template"]["spec"]


def test_selectors_choose_the_pods_of_this_release_only(charts: dict[str, Rendered]) -> None:
    found = charts["redis"].resources
    chosen = {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/instance": "gateway"}
    assert chosen.items() <= found["Deployment", "gateway"]["spec"]["template"]["metadata"]["labels"].items()
    assert found["Deployment", "gateway"]["spec"]["selector"]["matchLabels"] == chosen
    assert found["Service", "gateway"]["spec"]["selector"] == chosen
    assert found["PodDisruptionBudget", "gateway"]["spec"]["selector"]["matchLabels"] == chosen
    assert found["NetworkPolicy", "gateway"]["spec"]["podSelector"]["matchLabels"] == chosen
    monitored = found["ServiceMonitor", "gateway"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= found["Service", "gateway-admin"]["metadata"]["labels"].items()


def test_values_reach_their_place(charts: dict[str, Rendered]) -> None:
    found = charts["all"].resources
    assert {kind for kind, _ in found} == {
        "ConfigMap",
        "Deployment",
        "Secret",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    }
    assert found["Deployment", "gateway"]["spec"]["replicas"] == 5
    assert found["ConfigMap", "gateway"]["data"]["gateway.yaml"].rstrip() == "version: 1\n# mine"
    assert base64.b64decode(found["Secret", "gateway"]["data"]["admin-token"]) == b"a token"
    assert found["Service", "gateway"]["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "http"}]
    pod = _pod(charts["all"])
    assert pod["containers"][0]["image"] == "registry.internal/gateway@sha256:" + "ab" * 32
    assert pod["containers"][0]["env"] == [{"name": "REGION", "value": "eu"}]
    assert pod["volumes"][1]["secret"] == {"secretName": "gateway", "optional": False, "defaultMode": 0o440}
    assert pod["nodeSelector"] == {"disk": "ssd"}


def test_without_redis_there_is_one_pod_whatever_replicas_says(charts: dict[str, Rendered]) -> None:
    assert charts["existing"].resources["Deployment", "gateway"]["spec"]["replicas"] == 1
    assert _pod(charts["existing"])["volumes"][1]["secret"]["secretName"] == "mine"
    assert "there is one pod" in charts["single"].after_install
    assert "there is one pod" not in charts["redis"].after_install


def test_a_redis_without_a_user_needs_no_password(charts: dict[str, Rendered]) -> None:
    config = yaml.safe_load(charts["open"].resources["ConfigMap", "gateway"]["data"]["gateway.yaml"])
    assert config["redis"] == {"url": "redis://redis:6379/0", "on_failure": "local"}


def test_names_fit_whatever_the_release_is_called() -> None:
    (chart,) = rendered([{"redis": {"enabled": True}}], release="a" * 53)
    assert {len(name) for kind, name in chart.resources if kind != "Service"} == {57}
    assert max(len(name) for _, name in chart.resources) == 63


def test_the_chart_is_of_this_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["name"] == "gateway"
    assert chart["appVersion"] == gateway.__version__
