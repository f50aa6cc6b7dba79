"""A real Alertmanager with deploy/prometheus/alertmanager.yml: who hears of which alert, and which one says it all."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.architecture.files import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
CONFIG = PROMETHEUS / "alertmanager.yml"
SEVERITIES: dict[str, str] = {
    rule["alert"]: rule["labels"]["severity"]
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
RECEIVERS = {"page": "pages", "ticket": "tickets"}


class Inhibition(NamedTuple):
    source: dict[str, str]
    target: dict[str, str]
    unlike: dict[str, str]
    """What differs in an alert that is to be heard all the same."""


INHIBITIONS = [
    Inhibition(
        {"alertname": "GatewayBreakerOpen", "upstream": "one"},
        {"alertname": "GatewayTargetDown", "upstream": "one", "target": "a"},
        {"upstream": "other"},
    ),
    Inhibition(
        {"alertname": "GatewayUpstreamFailing", "upstream": "two"},
        {"alertname": "GatewayTargetDown", "upstream": "two", "target": "a"},
        {"upstream": "other"},
    ),
    Inhibition(
        {"alertname": "GatewayUpstreamFailing", "upstream": "three"},
        {"alertname": "GatewayBreakerOpen", "upstream": "three"},
        {"upstream": "elsewhere"},
    ),
    Inhibition(
        {"alertname": "GatewayRedisAway", "instance": "a"},
        {"alertname": "GatewayQuotaSettlementsOwed", "instance": "a"},
        {"instance": "b"},
    ),
    Inhibition(
        {"alertname": "GatewayRedisAway", "instance": "a"},
        {"alertname": "GatewayUsageOwed", "instance": "a"},
        {"instance": "b"},
    ),
    Inhibition(
        {"alertname": "GatewayEventLoopLag", "job": "gateway"},
        {"alertname": "GatewaySlow", "job": "gateway"},
        {"job": "canary"},
    ),
]


def _labels(given: dict[str, str]) -> dict[str, str]:
    return {"job": "gateway", "severity": SEVERITIES[given["alertname"]], **given}


def test_amtool_accepts_the_configuration() -> None:
    done = subprocess.run(["amtool", "check-config", CONFIG], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_severity_that_has_a_receiver() -> None:
    assert set(SEVERITIES.values()) == RECEIVERS.keys()
    config = yaml.safe_load(CONFIG.read_text())
    assert {each["name"] for each in config["receivers"]} == set(RECEIVERS.values())


def test_only_alerts_that_exist_are_inhibited_and_each_rule_is_tried() -> None:
    def alerts(matchers: list[str]) -> set[str]:
        (matcher,) = matchers
        names = re.fullmatch(r'alertname=~?"([\w|]+)"', matcher)
        assert names, matcher
        return set(names[1].split("|"))

    pairs = {
        (source, target)
        for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]
        for source in alerts(rule["source_matchers"])
        for target in alerts(rule["target_matchers"])
    }
    assert pairs == {(each.source["alertname"], each.target["alertname"]) for each in INHIBITIONS}
    assert {name for pair in pairs for name in pair} <= SEVERITIES.keys()


def _settled(url: str) -> list[dict[str, Any]]:
    """What Alertmanager says when all targets of INHIBITIONS are inhibited, or after 30 s: it takes them in slowly."""
    until = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(url, timeout=30) as reply:
            found: list[dict[str, Any]] = json.load(reply)
        if time.monotonic() > until or all(_one(found, each.target)["status"]["inhibitedBy"] for each in INHIBITIONS):
            return found


def _one(heard: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, Any]:
    (found,) = [each for each in heard if each["labels"] == _labels(labels)]
    return found


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What an Alertmanager makes of every alert there is, and of those of INHIBITIONS."""
    sent = [
        _labels({"alertname": name, "instance": "lonely", "upstream": "lonely", "job": "lonely"}) for name in SEVERITIES
    ]
    for each in INHIBITIONS:
        sent += [_labels(each.source), _labels(each.target), _labels(each.target | each.unlike)]
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    command = [
        "prometheus-alertmanager",
        f"--config.file={CONFIG}",
        f"--storage.path={folder}",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = next(
                found[1] for line in process.stderr if (found := re.search(r'"Listening on" address=(\S+)', line))
            )
            url = f"http://{address}/api/v2/alerts"
            body = json.dumps([{"labels": labels} for labels in sent]).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # of loopback
            urllib.request.urlopen(request, timeout=30).close()
            yield _settled(url)
        finally:
            process.kill()


def test_alerts_reach_the_receiver_of_their_severity(heard: list[dict[str, Any]]) -> None:
    assert {each["labels"]["alertname"] for each in heard} == SEVERITIES.keys()
    for alert in heard:
        assert [each["name"] for each in alert["receivers"]] == [RECEIVERS[alert["labels"]["severity"]]]


@pytest.mark.parametrize(
    "rule", INHIBITIONS, ids=lambda rule: "-".join([rule.source["alertname"], rule.target["alertname"]])
)
def test_what_follows_from_another_alert_is_not_heard(rule: Inhibition, heard: list[dict[str, Any]]) -> None:
    source, target = _one(heard, rule.source), _one(heard, rule.target)
    assert source["fingerprint"] in target["status"]["inhibitedBy"]
    assert _one(heard, rule.target | rule.unlike)["status"]["inhibitedBy"] == []
