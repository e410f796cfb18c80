"""The image with events by segment export, instead of bundles."""

from integration_tests.airbyte import READ, Airbyte, of_type


def test_events_are_the_same_by_either_way(airbyte: Airbyte) -> None:
    by_export = ["/configs/segment_export_config.json" if "config.json" in word else word for word in READ]
    keys = []
    for command in (list(READ), by_export):
        status, messages = airbyte.run(*command)
        assert status == 0
        keys.append({each["data"]["event_key"] for each in of_type(messages, "RECORD") if each["stream"] == "events"})
    assert len(keys[0]) == 5 * 480
    assert keys[0] == keys[1]
