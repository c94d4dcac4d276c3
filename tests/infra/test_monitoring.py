"""Test that alerts and charts have valid PromQL, use events that the function logs, and say what to do."""

import json
import re
from typing import Any

import pytest

from tests.infra.conftest import ROOT, Planned

LOGGED = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "function" / "flowers").rglob("*.py"))


def _alert_queries(plan: dict[str, Any], planned: Planned) -> dict[str, str]:
    policies = planned(plan, "google_monitoring_alert_policy")
    return {
        name: policy["conditions"][0]["condition_prometheus_query_language"][0]["query"]
        for name, policy in policies.items()
    }


def _chart_queries(plan: dict[str, Any], planned: Planned) -> dict[str, str]:
    dashboard = json.loads(planned(plan, "google_monitoring_dashboard")["this"]["dashboard_json"])
    return {
        f"{widget['title']} {number}": data["timeSeriesQuery"]["prometheusQuery"]
        for widget in dashboard["gridLayout"]["widgets"]
        for number, data in enumerate(widget["xyChart"]["dataSets"])
    }


def test_every_query_parses(full_plan: dict[str, Any], planned: Planned) -> None:
    promql = pytest.importorskip("promql_parser")
    queries = _alert_queries(full_plan, planned) | _chart_queries(full_plan, planned)
    assert len(queries) == 8 + 14
    for name, query in queries.items():
        try:
            promql.parse(query)
        except ValueError as error:
            pytest.fail(f"{name}: {error}\n{query}")
        # Some metrics are of more than one kind of resource, and then a query has to say which.
        selectors = re.findall(r"[a-z_]+_com:\w+\{([^}]*)\}", query)
        assert selectors, name
        assert all("monitored_resource=" in selector for selector in selectors), name


def test_queries_count_events_that_the_function_logs(full_plan: dict[str, Any], planned: Planned) -> None:
    queries = "".join((_alert_queries(full_plan, planned) | _chart_queries(full_plan, planned)).values())
    named = set(re.findall(r'event!?="([a-z_]+)"', queries))
    assert named == {"retry", "classified", "corrected"}
    assert [event for event in named if f'"{event}"' not in LOGGED] == []


def test_query_uses_the_declared_metric(full_plan: dict[str, Any], planned: Planned) -> None:
    made = {metric["name"] for metric in planned(full_plan, "google_logging_metric").values()}
    queries = "".join((_alert_queries(full_plan, planned) | _chart_queries(full_plan, planned)).values())
    asked = set(re.findall(r"logging_googleapis_com:user_(\w+)\{", queries))
    assert {name.removesuffix("_count").removesuffix("_bucket") for name in asked} == made
    assert len(made) == 4


def test_alert_carries_its_runbook_section(full_plan: dict[str, Any], planned: Planned) -> None:
    for policy in planned(full_plan, "google_monitoring_alert_policy").values():
        title = policy["conditions"][0]["display_name"]
        (document,) = policy["documentation"]
        assert document["links"] == [
            {
                "display_name": "Runbook",
                "url": f"https://github.com/my-name/flowers/blob/main/infra/RUNBOOK.md#{title.replace(' ', '-')}",
            }
        ]
        assert "export PROJECT=my-project REGION=europe-west1 NAME=flowers-test" in document["content"]
        assert len(document["content"]) < 8192  # what Cloud Monitoring takes
        steps = re.findall(r"^(\d)\. ", document["content"], re.MULTILINE)
        assert steps == [str(number) for number in range(1, len(steps) + 1)]
        assert len(steps) >= 3


def test_runbook_has_one_section_per_alert(full_plan: dict[str, Any], planned: Planned) -> None:
    sections = re.findall(r"^## (.*)$", (ROOT / "infra" / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE)
    policies = planned(full_plan, "google_monitoring_alert_policy").values()
    assert sorted(sections) == sorted(policy["conditions"][0]["display_name"] for policy in policies)
