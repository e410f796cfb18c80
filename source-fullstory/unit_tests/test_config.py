"""The form: defaults, and a sentence that helps for each thing that can be wrong."""

import re
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fullstory import SourceFullstory
from source_fullstory.config import Config, EventsSource

KEY = "na1.abc/def="


def test_only_the_key_is_required() -> None:
    config = Config.parse({"api_key": f"  {KEY}\n"})
    assert config == Config(
        api_key=KEY,
        start_date=None,
        events_source=EventsSource(
            by_export=False, segment_id="everyone", window_hours=24, settle_hours=24, lookback_hours=0
        ),
        exclude_fields=(),
        num_workers=2,
        downloads_per_minute=2,
        api_url="https://api.fullstory.com",
        export_url="https://export.fullstory.com",
    )


def test_an_eu_key_goes_to_the_eu_host() -> None:
    config = Config.parse({"api_key": "eu1.abc"})
    assert config.api_url == "https://api.eu1.fullstory.com"
    assert config.export_url == "https://export.fullstory.com"


@pytest.mark.parametrize(
    ("region", "key", "host"),
    [
        ("Europe", "legacy", "https://api.eu1.fullstory.com"),
        ("United States", "legacy", "https://api.fullstory.com"),
        ("Automatic", "eu1.abc", "https://api.eu1.fullstory.com"),
        ("Automatic", "legacy", "https://api.fullstory.com"),
        ("", "eu1.abc", "https://api.eu1.fullstory.com"),
        (None, "na1.abc", "https://api.fullstory.com"),
        ("europe ", "na1.abc", "https://api.eu1.fullstory.com"),
    ],
)
def test_the_region_says_which_host(region: str | None, key: str, host: str) -> None:
    assert Config.parse({"api_key": key, "region": region}).api_url == host
    other = Config.parse({"api_key": key, "region": region, "api_url": "https://proxy.example.com/"})
    assert other.api_url == "https://proxy.example.com"


def test_a_key_pasted_with_its_scheme_is_understood() -> None:
    assert Config.parse({"api_key": f"Basic {KEY}"}).api_key == KEY


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2024-01-01", 1704067200), ("2024-01-01T01:00:00.9+01:00", 1704067200), ("", None), (None, None)],
)
def test_start_dates_are_read_to_the_second_in_utc(text: str | None, seconds: int | None) -> None:
    assert Config.parse({"api_key": KEY, "start_date": text}).start_date == seconds


def test_without_a_start_date_a_first_sync_begins_a_year_ago() -> None:
    config = Config.parse({"api_key": KEY})
    assert config.first_start(1709208000) == 1677585600  # 2024-02-29 12:00 to 2023-02-28 12:00


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("api_key", None, "API key is missing"),
        ("api_key", "  ", "API key is missing"),
        ("api_key", "two words", "characters that no key has"),
        ("api_key", "line\nbreak", "characters that no key has"),
        ("start_date", "01/02/2024", "2025-01-01T00:00:00Z"),
        ("start_date", "1900-01-01", "2025-01-01T00:00:00Z"),
        ("region", "Mars", "Automatic, United States or Europe"),
        ("region", 5, "Automatic, United States or Europe"),
        ("num_workers", 0, "from 1 to 8"),
        ("num_workers", 9, "from 1 to 8"),
        ("num_workers", True, "from 1 to 8"),
        ("downloads_per_minute", 601, "from 1 to 600"),
        ("api_url", "fullstory", "not the address of an API"),
        ("api_url", "http://[", "not the address of an API"),
        ("api_url", "http://api.fullstory.com", "https://"),
        ("export_url", "http://10.0.0.1", "https://"),
        ("export_url", "ftp://export.fullstory.com", "not the address of an API"),
    ],
)
def test_what_is_wrong_is_a_config_error_that_says_what_to_do(field: str, value: Any, hint: str) -> None:
    with pytest.raises(AirbyteTracedException) as caught:
        Config.parse({"api_key": KEY, field: value})
    assert hint in str(caught.value.message)
    assert caught.value.failure_type.value == "config_error"


def form() -> dict[str, Any]:
    spec: dict[str, Any] = SourceFullstory().spec(None).connectionSpecification  # type: ignore[arg-type]
    return spec


def numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that take a number, also those inside a choice."""
    inner = [way["properties"] for field in fields.values() for way in field.get("oneOf", ())]
    return {name: each for some in (fields, *inner) for name, each in some.items() if each["type"] == "integer"}


def test_the_form_asks_for_what_the_code_reads() -> None:
    fields = form()["properties"]
    assert [name for name in fields if name != "region"] == list(Config.__dataclass_fields__)
    assert fields["api_key"]["airbyte_secret"] is True
    assert [field["order"] for field in fields.values()] == list(range(len(fields)))


def test_what_is_hidden_has_no_default_that_would_be_saved_with_each_source() -> None:
    hidden = {name: field for name, field in form()["properties"].items() if field.get("airbyte_hidden")}
    assert set(hidden) == {"downloads_per_minute", "api_url", "export_url"}
    assert not any("default" in field for field in hidden.values())


def test_few_fields_are_visible_at_first_and_the_start_date_is_one() -> None:
    fields = form()["properties"]
    visible = [name for name, field in fields.items() if name in form()["required"] or field.get("always_show")]
    assert visible == ["api_key", "start_date", "events_source"]
    assert fields["events_source"]["display_type"] == "radio"


def test_numbers_say_that_they_are_whole_and_within_which_bounds() -> None:
    found = numbers(form()["properties"])
    assert set(found) == {"window_hours", "settle_hours", "lookback_hours", "num_workers", "downloads_per_minute"}
    for field in found.values():
        assert f"A whole number from {field['minimum']} to {field['maximum']}" in field["description"]


def test_the_bounds_and_defaults_of_the_form_are_those_of_the_code() -> None:
    for name, field in numbers(form()["properties"]).items():
        for value, taken in ((field["minimum"], True), (field["maximum"], True), (field["minimum"] - 1, False)):
            hours = {"events_source": {"method": "segment_export", name: value}}
            raw = {"api_key": KEY, **(hours if name.endswith("_hours") else {name: value})}
            assert is_taken(raw) is taken, (name, value)
    config = Config.parse({"api_key": KEY, "events_source": {"method": "segment_export"}})
    for name, field in numbers(form()["properties"]).items():
        if "default" in field:
            assert getattr(config.events_source if name.endswith("_hours") else config, name) == field["default"]


def is_taken(raw: dict[str, Any]) -> bool:
    try:
        Config.parse(raw)
    except AirbyteTracedException:
        return False
    return True


@pytest.mark.parametrize("text", ["", "2025-01-31", "2025-01-31T00:00:00Z", "2025-01-31T00:00:00.5+01:00"])
def test_the_pattern_of_the_start_date_lets_through_what_the_code_takes(text: str) -> None:
    assert re.search(form()["properties"]["start_date"]["pattern"], text)
    assert is_taken({"api_key": KEY, "start_date": text})


@pytest.mark.parametrize("names", ["UserEmail", [1], {"a": 1}, [""]])
def test_fields_to_leave_out_are_a_list_of_names(names: Any) -> None:
    with pytest.raises(AirbyteTracedException, match="Give a list of field names"):
        Config.parse({"api_key": KEY, "exclude_fields": names})


@pytest.mark.parametrize("source", [{"method": "carrier pigeon"}, "bundles", {"segment_id": "x"}, [1]])
def test_the_source_of_events_is_one_of_two(source: Any) -> None:
    with pytest.raises(AirbyteTracedException, match="Give events_source a method"):
        Config.parse({"api_key": KEY, "events_source": source})


@pytest.mark.parametrize(("name", "value"), [("window_hours", 25), ("settle_hours", -1), ("lookback_hours", "x")])
def test_hours_are_whole_numbers_within_bounds(name: str, value: Any) -> None:
    with pytest.raises(AirbyteTracedException, match=f"{name} is {value!r}. Give a whole number"):
        Config.parse({"api_key": KEY, "events_source": {"method": "segment_export", name: value}})
