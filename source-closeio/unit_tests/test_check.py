"""check: every mistake of the user gets its own sentence, and exit 0."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import Status
from simulator import CloseSimulator, Fault, Settings
from source_closeio import SourceCloseio
from unit_tests.syncs import config

Close = Callable[..., CloseSimulator]


def check(**settings: Any) -> tuple[Status, str]:
    result = SourceCloseio().check(logging.getLogger("airbyte"), settings)
    return result.status, result.message or ""


def test_a_good_key_succeeds_with_two_requests(close: Close) -> None:
    sim = close()

    assert check(**config(sim)) == (Status.SUCCEEDED, "")
    assert [request.path for request in sim.requests] == ["me", "lead"]


def test_a_good_key_needs_nothing_but_itself(close: Close) -> None:
    sim = close()

    assert check(api_key=sim.api_key, api_url=sim.url)[0] is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"api_key": "api_wrong.key"}, "does not accept this API key"),
        ({"api_key": ""}, "API key is missing"),
        ({"api_key": None}, "API key is missing"),
        ({"start_date": "01/02/2025"}, "2025-01-01T00:00:00Z"),
        ({"start_date": "2025-13-45"}, "2025-01-01T00:00:00Z"),
        ({"lookback_window_hours": 721}, "from 0 to 720"),
        ({"lookback_window_hours": "24"}, "from 0 to 720"),
        ({"num_workers": 0}, "from 1 to 32"),
        ({"api_url": "http://api.close.com/api/v1/"}, "https://"),
        ({"api_url": "close"}, "not the address of an API"),
        ({"api_url": "http://127.0.0.1:9/api/v1/"}, "can reach that address"),
        ({"api_url": "https://no-such-host.invalid/"}, "can reach that address"),
    ],
)
def test_each_mistake_has_its_sentence(close: Close, changes: dict[str, Any], says: str) -> None:
    status, message = check(**config(close(), **changes))

    assert status is Status.FAILED
    assert says in message


def test_the_command_answers_a_bad_date_with_the_same_sentence(tmp_path: Path) -> None:
    """The CDK would quote a regular expression."""
    (tmp_path / "config.json").write_text('{"api_key": "api_some.key", "start_date": "soon"}')

    done = subprocess.run(
        [sys.executable, "-m", "source_closeio", "check", "--config", str(tmp_path / "config.json")],
        capture_output=True,
        cwd=Path(__file__).parents[1],
        check=True,
        text=True,
    )

    status = json.loads(done.stdout.splitlines()[-1])["connectionStatus"]
    assert status["status"] == "FAILED"
    assert "2025-01-01T00:00:00Z" in status["message"]


def test_a_key_without_access_fails(close: Close) -> None:
    status, message = check(**config(close(forbidden={"me": (403, {"error": "Access denied."})})))

    assert status is Status.FAILED
    assert "Access denied." in message


def test_an_address_that_is_not_closes_fails(close: Close) -> None:
    sim = close()

    status, message = check(**config(sim, api_url=sim.root + "/elsewhere/"))

    assert status is Status.FAILED
    assert "no Close API at this address" in message


def test_a_server_in_trouble_fails_within_seconds(close: Close) -> None:
    sim = close()
    sim.fault(Fault(path="me", kind="503", times=None))

    status, message = check(**config(sim))

    assert status is Status.FAILED
    assert "503" in message


def test_a_key_that_sees_only_some_leads_succeeds_with_a_warning(
    close: Close, caplog: pytest.LogCaptureFixture
) -> None:
    sim = close(Settings(role="restricted"))

    with caplog.at_level(logging.WARNING, "airbyte"):
        status, _ = check(**config(sim))

    assert status is Status.SUCCEEDED
    assert "view_all_leads" in caplog.text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost:1/x", "http://[::1]:1/", "https://a.example/"]
)
def test_plain_http_is_for_loopback_only(url: str) -> None:
    from source_closeio.config import Config

    assert Config.parse({"api_key": "k", "api_url": url}).api_url.endswith("/")
