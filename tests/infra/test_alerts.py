"""Test when each alert fires and when it does not, on made-up series in Prometheus' own engine."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.conftest import Planned

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")

REVISION = 'monitored_resource="cloud_run_revision",location="europe-west1"'
HTTP = f'{REVISION},service_name="flowers-http"'
UPLOAD = f'{REVISION},service_name="flowers-upload"'
WAITING = (
    'pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource="pubsub_subscription",'
    'subscription_id="eventarc-europe-west1-flowers-upload-123456-sub-789"}'
)
DEAD = (
    'pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource="pubsub_subscription",'
    'subscription_id="flowers-results-dead-letters"}'
)
HOURS = 3
MINUTES = HOURS * 60


def requests(labels: str, codes: str, values: str) -> dict[str, str]:
    """Return the count of requests that were answered with `codes`."""
    return {f'run_googleapis_com:request_count{{{labels},response_code_class="{codes}"}}': values}


def latencies(fast: str, slow: str) -> dict[str, str]:
    """Return the latencies of HTTPS requests: `fast` ones below 100 ms, and `slow` ones of 8 to 16 s."""
    name = "run_googleapis_com:request_latencies"
    both = " ".join(str(quick + late) for quick, late in zip(expand(fast), expand(slow), strict=True))
    buckets = {"100": fast, "4000": fast, "8000": fast, "16000": both, "+Inf": both}
    return {f'{name}_bucket{{{HTTP},le="{bound}"}}': values for bound, values in buckets.items()} | {
        f"{name}_count{{{HTTP}}}": both
    }


def expand(values: str) -> list[int]:
    """Return the numbers that a series in promtool's notation has, one a minute."""
    numbers: list[int] = []
    for part in values.split():
        start, _, rest = part.partition("+")
        step, _, times = rest.partition("x")
        numbers += [int(start) + int(step) * number for number in range(int(times) + 1)] if rest else [int(start)]
    return numbers


def counted(step: int) -> str:
    """Return a counter that grows by `step` a minute."""
    return f"0+{step}x{MINUTES}"


def gauge(value: int) -> str:
    """Return a value that stays."""
    return f"{value}+0x{MINUTES}"


def once(minute: int, number: int = 1) -> str:
    """Return a counter that grows by `number` in one minute, and never else."""
    return f"0+0x{minute - 1} {number}+0x{MINUTES - minute}"


def events(event: str, values: str) -> dict[str, str]:
    """Return the count of an event of the upload function, in its log."""
    return {f'logging_googleapis_com:user_flowers_upload_events{{{UPLOAD},event="{event}"}}': values}


def memory(share: str) -> dict[str, str]:
    """Return memory utilizations that lie in the bucket up to `share`."""
    bounds = ["0.5", "0.8", "0.95", "+Inf"]
    return {
        f'run_googleapis_com:container_memory_utilizations_bucket{{{HTTP},le="{bound}"}}': counted(
            0 if float(bound) < float(share) else 6
        )
        for bound in bounds
    }


def failed_jobs(values: str) -> dict[str, str]:
    """Return the count of failed runs of the reconciliation."""
    labels = 'monitored_resource="cloud_run_job",location="europe-west1",job_name="flowers-reconciliation"'
    return {f'run_googleapis_com:job_completed_execution_count{{{labels},result="failed"}}': values}


BUSY = (
    requests(HTTP, "2xx", counted(600))
    | requests(HTTP, "5xx", counted(1))
    | requests(UPLOAD, "2xx", counted(300))
    | latencies(counted(600), counted(5))
    | events("classified", counted(280))
    | events("retry", counted(2))
    | {WAITING: gauge(4)}
    | memory("0.8")
)
# Results that the reconciliation writes: thousands of events, each skipped at once. Their two counters lag differently.
NIGHT_JOB = (
    requests(UPLOAD, "2xx", counted(3000))
    | events("skipped", counted(2900))
    | {WAITING: gauge(20)}
    | failed_jobs(gauge(0))
)
AGEING = f"0+0x{HOURS * 60 - 60} 0+60x59"  # an hour ago something stopped

SITUATIONS: dict[str, tuple[dict[str, str], set[str]]] = {
    "nothing was ever measured": ({}, set()),
    "quiet: nothing happens": ({WAITING: gauge(0)} | events("classified", gauge(40)) | {DEAD: gauge(0)}, set()),
    "busy, with a retry and an error now and then": (BUSY | {DEAD: gauge(0)}, set()),
    "the reconciliation at night": (NIGHT_JOB, set()),
    "one slow upload at night": (latencies(gauge(0), once(60)) | requests(HTTP, "2xx", once(60)), set()),
    "one slow upload in thirty an hour": (latencies(once(60, 20), once(62)), set()),
    "one error at night": (requests(HTTP, "5xx", once(60)) | requests(HTTP, "2xx", gauge(0)), set()),
    "one request in five is slow": (latencies(counted(40), counted(10)), {"latency"}),
    "one request in ten fails": (
        requests(HTTP, "2xx", counted(9)) | requests(HTTP, "5xx", counted(1)),
        {"error_ratio"},
    ),
    "outage: the upload function does not start": (
        requests(UPLOAD, "5xx", counted(5)) | {WAITING: AGEING},
        {"error_ratio", "no_results", "retry_age"},
    ),
    "outage: Cloud Storage refuses, every event is a retry": (
        requests(UPLOAD, "5xx", counted(5)) | events("retry", counted(5)) | {WAITING: AGEING},
        {"error_ratio", "no_results", "retry_age"},
    ),
    "outage at night beside the reconciliation": (
        NIGHT_JOB | events("skipped", once(60, 900)) | {WAITING: AGEING},
        {"no_results", "retry_age"},
    ),
    "one image that always fails among others": (BUSY | {WAITING: AGEING}, {"retry_age"}),
    "memory at its limit": (memory("0.97"), {"memory"}),
    "BigQuery refuses a document": ({DEAD: gauge(1)}, {"dead_letters"}),
    "the reconciliation fails": (failed_jobs(once(MINUTES - 10)), {"reconciliation"}),
}


@pytest.fixture(scope="session")
def rules(full_plan: dict[str, Any], planned: Planned) -> list[dict[str, str]]:
    """Return the alerts as Prometheus' rules."""
    found = []
    for name, policy in planned(full_plan, "google_monitoring_alert_policy").items():
        condition = policy["conditions"][0]["condition_prometheus_query_language"][0]
        expression = condition["query"].replace("flowers-test", "flowers").replace("user_flowers_test", "user_flowers")
        # The plan is of buckets in `eu`, and with its own threshold for latency.
        expression = expression.replace("eventarc-eu-", "eventarc-europe-west1-").replace("> 2000", "> 5000")
        alert = name.removeprefix("this[").removesuffix("]")
        found.append({"alert": alert, "expr": expression, "for": condition["duration"]})
    return found


@pytest.mark.parametrize("situation", SITUATIONS)
def test_alerts_fire_in_their_situations_only(situation: str, rules: list[dict[str, str]], tmp_path: Path) -> None:
    series, firing = SITUATIONS[situation]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    # Aggregated to one sample for each alert, whatever its labels.
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(firing)]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (max_over_time(ALERTS{alertstate="firing"}[3h]))',
                "eval_time": f"{MINUTES - 1}m",
                "exp_samples": samples,
            }
        ],
    }
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    print(json.dumps(series, indent=1))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(tmp_path / "test.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_some_situation(rules: list[dict[str, str]]) -> None:
    assert {rule["alert"] for rule in rules} == set().union(*(firing for _, firing in SITUATIONS.values()))
