"""What the image does with a saved state."""

from datetime import UTC, datetime, timedelta

from integration_tests.airbyte import CURSORS, READ, STREAMS, Airbyte, of_type


def test_read_goes_on_from_a_state(airbyte: Airbyte) -> None:
    """A saved state is taken up: nothing older than it comes, but for the lookback of activities."""
    status, messages = airbyte.run(*READ, "--state", "/given/sample_state.json")
    assert status == 0
    leads = [each["data"] for each in of_type(messages, "RECORD") if each["stream"] == "leads"]
    assert all(lead["date_updated"] >= "2025-12-31T23" for lead in leads)


def test_a_state_in_the_future_counts_as_now(airbyte: Airbyte) -> None:
    """What a sync reads again before its state comes, and meetings dated ahead. The state is mended."""
    status, messages = airbyte.run(*READ, "--state", "/given/abnormal_state.json")
    assert status == 0
    yesterday = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    for record in of_type(messages, "RECORD"):
        if record["stream"] in CURSORS:
            row = record["data"]
            assert max(row[CURSORS[record["stream"]]], row.get("date_created") or "") > yesterday
    states = of_type(messages, "STATE")
    assert {state["stream"]["stream_descriptor"]["name"] for state in states} == STREAMS
    assert "2999" not in str(states)
