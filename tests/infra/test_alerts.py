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


WEEK = 7 * 4  # quarters of a day


def results(service: str, identified: str, others: str) -> dict[str, str]:
    """Return the count of results by whether they were identified."""
    name = f"logging_googleapis_com:user_flowers_confidence_count{{{service},identified="
    counts = {"true": identified, "false": others}
    return {f'{name}"{value}"}}': values for value, values in counts.items() if values}


def weekly(*numbers: int, first: int = 0) -> str:
    """Return a counter that grows by so many a quarter of a day in each week; it exists from week `first` on."""
    values, total = ["_x" + str(first * WEEK)] if first else [], 0
    for number in numbers:
        values.append(f"{total}+{number}x{WEEK - 1}")
        total += number * WEEK
    return " ".join([*values, str(total)])


# Photos a quarter of a day, in each of six weeks.
GOOD, POOR = weekly(*[57] * 6), weekly(*[3] * 6)
QUALITY: dict[str, tuple[dict[str, str], bool]] = {
    "nothing was ever classified": ({}, False),
    "as ever": (results(HTTP, GOOD, POOR), False),
    "five points fewer": (results(HTTP, weekly(57, 57, 57, 57, 57, 54), weekly(3, 3, 3, 3, 3, 6)), False),
    "a quarter fewer": (results(HTTP, weekly(57, 57, 57, 57, 57, 42), weekly(3, 3, 3, 3, 3, 18)), True),
    "none, of uploads alone": (
        results(HTTP, GOOD, POOR) | results(UPLOAD, weekly(20, 20, 20, 20, 20), weekly(1, 1, 1, 1, 1, 20)),
        True,
    ),
    "all were, and now many are not": (
        results(HTTP, weekly(60, 60, 60, 60, 60, 40), weekly(20, first=5)),
        True,
    ),
    "ever more": (results(HTTP, weekly(30, 30, 30, 30, 30, 57), weekly(30, 30, 30, 30, 30, 3)), False),
    "a quiet week with poor photos": (results(HTTP, weekly(57, 57, 57, 57, 57, 0), weekly(3, 3, 3, 3, 3, 1)), False),
    "a new deployment with poor photos": (results(HTTP, weekly(20, first=5), weekly(40, first=5)), False),
    "the first photos of a service were few": (
        results(HTTP, weekly(1, 20, first=4), weekly(0, 40, first=4)),
        False,
    ),
    "many more of the poorer uploads": (
        results(HTTP, GOOD, POOR) | results(UPLOAD, weekly(5, 5, 5, 5, 5, 90), weekly(5, 5, 5, 5, 5, 90)),
        False,
    ),
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
    judge(series, firing, rules, ("1m", f"{MINUTES - 1}m", "3h"), tmp_path)


@pytest.mark.parametrize("situation", QUALITY)
def test_quality_alert_fires_on_a_drop_only(situation: str, rules: list[dict[str, str]], tmp_path: Path) -> None:
    series, fires = QUALITY[situation]
    judge(series, {"identified"} if fires else set(), rules, ("6h", f"{6 * WEEK * 6}h", "1h"), tmp_path)


def judge(
    series: dict[str, str],
    firing: set[str],
    rules: list[dict[str, str]],
    clock: tuple[str, str, str],
    folder: Path,
) -> None:
    """Let promtool judge which alerts fire. `clock`: the time between values, the end, and the time before it."""
    interval, end, before = clock
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    # Aggregated to one sample for each alert, whatever its labels.
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(firing)]
    test = {
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'group by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{before}]))',
                "eval_time": end,
                "exp_samples": samples,
            }
        ],
    }
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(tests))
    print(json.dumps(series, indent=1))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(folder / "test.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_in_some_situation(rules: list[dict[str, str]]) -> None:
    assert {rule["alert"] for rule in rules} == set().union(
        *(firing for _, firing in SITUATIONS.values()), {"identified"}
    )
