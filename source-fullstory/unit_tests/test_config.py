"""The form: defaults, and a sentence that helps for each thing that can be wrong."""

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


def test_the_form_asks_for_what_the_code_reads() -> None:
    fields = SourceFullstory().spec(None).connectionSpecification["properties"]  # type: ignore[arg-type]
    assert list(fields) == list(Config.__dataclass_fields__)
    assert fields["api_key"]["airbyte_secret"] is True
    hidden = {name for name, field in fields.items() if field.get("airbyte_hidden")}
    assert hidden == {"downloads_per_minute", "api_url", "export_url"}


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
