"""What the image does with a saved state."""

from integration_tests.airbyte import CURSORS, READ, STREAMS, Airbyte, of_type


def test_read_goes_on_from_a_state(airbyte: Airbyte) -> None:
    """Of five bundles two were read: the events of the other three come. The list comes with what may be late."""
    status, messages = airbyte.run(*READ, "--state", "/given/sample_state.json")
    assert status == 0
    records = of_type(messages, "RECORD")
    assert {record["stream"] for record in records} >= {"events", "export_bundles", "individuals", "operations"}
    starts = {record["data"]["bundle_start"][:10] for record in records if record["stream"] == "events"}
    assert starts == {"2025-01-03", "2025-01-04", "2025-01-05"}
    states = [state["stream"] for state in of_type(messages, "STATE")]
    last = {state["stream_descriptor"]["name"]: state["stream_state"] for state in states}
    assert last["events"]["complete_through"] == last["export_bundles"]["stop"] == "2025-01-06T00:00:00Z"


def test_the_state_of_the_singer_tap_is_taken_up(airbyte: Airbyte) -> None:
    status, messages = airbyte.run(*READ, "--state", "/given/singer_state.json")
    assert status == 0
    starts = {each["data"]["bundle_start"][:10] for each in of_type(messages, "RECORD") if each["stream"] == "events"}
    assert starts == {"2025-01-04", "2025-01-05"}


def test_a_state_in_the_future_brings_nothing_but_what_is_always_read_whole(airbyte: Airbyte) -> None:
    """It counts as now, and nothing has happened since. Each stream says where it stands all the same."""
    status, messages = airbyte.run(*READ, "--state", "/given/abnormal_state.json")
    assert status == 0
    brought = {record["stream"] for record in of_type(messages, "RECORD")}
    # The exports that other tests have ordered are operations, and some of these are still running.
    assert brought - {"operations"} == STREAMS - set(CURSORS)
    states = of_type(messages, "STATE")
    assert {state["stream"]["stream_descriptor"]["name"] for state in states} == STREAMS
