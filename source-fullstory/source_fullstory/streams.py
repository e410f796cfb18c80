"""WHAT FullStory has: one class per stream, and the one ordered registry.

To add a stream: a class here, schemas/<name>.json, sample data in the simulator, a row in docs/streams.md, and lines in
integration_tests/*.json; the tests over STREAMS insist on each. CONTRIBUTING.md says which base class suits which API.
HOW FullStory behaves stands in account/ and events/.
"""

from __future__ import annotations

from typing import Any, ClassVar

from source_fullstory.account import changes
from source_fullstory.account.account_stream import AccountStream
from source_fullstory.account.bundle_list import BundleListStream
from source_fullstory.account.pages import Listing
from source_fullstory.account.recording_settings import PLATFORMS, HistoryStream, PlatformSettingStream
from source_fullstory.account.sessions import SessionStream
from source_fullstory.config import Config
from source_fullstory.events.bundle_events import EventStream
from source_fullstory.events.exported_events import ExportedEventStream
from source_fullstory.events.individuals import IndividualStream
from source_fullstory.http.api import FullStoryApi, Params
from source_fullstory.stream import FullStoryStream

_RECORDING = "/settings/recording/v1"


class Events(EventStream):
    """The rows of all bundles. https://developer.fullstory.com, "Get data export" """

    name = "events"
    primary_key = ("event_key",)
    cursor_field = "bundle_id"


class ExportedEvents(ExportedEventStream):
    """The same by exports of a segment. https://developer.fullstory.com, "Create segment export" """

    name = Events.name
    primary_key = Events.primary_key
    cursor_field = Events.cursor_field


class ExportBundles(BundleListStream):
    """https://developer.fullstory.com, "List event exports" """

    name = "export_bundles"
    primary_key = ("id",)
    cursor_field = "stop"


# -- people


class Users(AccountStream):
    """https://developer.fullstory.com, "List users" (version 2)"""

    name = "users"
    path = "/v2/users"
    listing = Listing("results", "page_token")
    objects = ("properties", "schema", "type_conflicts")
    can_exclude = True


class Individuals(IndividualStream):
    """https://developer.fullstory.com, "Create segment export" """

    name = "individuals"
    primary_key = ("IndvId",)
    cursor_field = "LastEventStart"


class Sessions(SessionStream):
    """https://developer.fullstory.com, "List sessions" (version 2)"""

    name = "sessions"
    primary_key = ("id",)


class Segments(AccountStream):
    """https://developer.fullstory.com, "List segments" """

    name = "segments"
    path = "/segments/v1"
    listing = Listing("segments", "paginationToken", limit=100)


class SessionProfiles(AccountStream):
    """https://developer.fullstory.com, "List session profiles" """

    name = "session_profiles"
    path = "/v2/visit_profile"
    listing = Listing("profiles", "page_token", limit=100)


# -- settings, and how they were


class BlockRules(AccountStream):
    """https://developer.fullstory.com, "Get block rules" """

    name = "block_rules"
    path = f"{_RECORDING}/blocking"


class BlockRulesHistory(HistoryStream):
    """https://developer.fullstory.com, "Get block rules history" """

    name = "block_rules_history"
    path = f"{_RECORDING}/blocking/history"


class DomainSettings(PlatformSettingStream):
    """https://developer.fullstory.com, "Get domain settings" """

    name = "domain_settings"
    path = f"{_RECORDING}/domain"


class DomainSettingsHistory(HistoryStream):
    """https://developer.fullstory.com, "Get domain settings history" """

    name = "domain_settings_history"
    path = f"{_RECORDING}/domain/history"
    primary_key = ("platform", "last_updated")
    queries = PLATFORMS


class GeoSettings(AccountStream):
    """https://developer.fullstory.com, "Get geo settings" """

    name = "geo_settings"
    path = f"{_RECORDING}/geo"


class GeoSettingsHistory(HistoryStream):
    """https://developer.fullstory.com, "Get geo settings history" """

    name = "geo_settings_history"
    path = f"{_RECORDING}/geo/history"


class PrivacySettings(AccountStream):
    """https://developer.fullstory.com, "Get privacy settings" """

    name = "privacy_settings"
    path = f"{_RECORDING}/privacy"


class PrivacySettingsHistory(HistoryStream):
    """https://developer.fullstory.com, "Get privacy settings history" """

    name = "privacy_settings_history"
    path = f"{_RECORDING}/privacy/history"


class RecordingFeatures(PlatformSettingStream):
    """https://developer.fullstory.com, "Get recording features" """

    name = "recording_features"
    path = f"{_RECORDING}/features"


class RecordingFeaturesHistory(HistoryStream):
    """https://developer.fullstory.com, "Get recording features history" """

    name = "recording_features_history"
    path = f"{_RECORDING}/features/history"
    primary_key = ("platform", "last_updated")
    queries = PLATFORMS


class TargetingSettings(AccountStream):
    """https://developer.fullstory.com, "Get targeting settings" """

    name = "targeting_settings"
    path = f"{_RECORDING}/targeting"


class TargetingSettingsHistory(HistoryStream):
    """https://developer.fullstory.com, "Get targeting settings history" """

    name = "targeting_settings_history"
    path = f"{_RECORDING}/targeting/history"


class ElementBlockRules(AccountStream):
    """In beta. https://developer.fullstory.com, "List element block rules" """

    name = "element_block_rules"
    path = "/v2beta/privacy/elements"
    listing = Listing("results", "page_token")


class ExtractionRules(AccountStream):
    """In beta; one scope has to be named, and archived rules asked for. https://developer.fullstory.com, "List
    extraction rules" """

    name = "extraction_rules"
    path = "/v2beta/extraction/rules"
    listing = Listing("rules")
    queries: ClassVar[tuple[Params, ...]] = tuple(
        {"scope": scope, "include_archived": "true"} for scope in ("PAGE", "USER", "ELEMENT", "REQUEST", "EVENT")
    )


# -- the account


class Operations(AccountStream):
    """https://developer.fullstory.com, "List operations" """

    name = "operations"
    path = "/operations/v1"
    cursor_field = "createdAt"
    listing = Listing("operations", "paginationToken", limit=100)
    changes = changes.Operations


class WebhookEndpoints(AccountStream):
    """https://developer.fullstory.com, "List webhook endpoints" """

    name = "webhook_endpoints"
    path = "/webhooks/v1/endpoints"
    listing = Listing("endpoints", "pagination_token", limit=100)


class WebhookEventTypes(AccountStream):
    """https://developer.fullstory.com, "List webhook event types" """

    name = "webhook_event_types"
    path = "/webhooks/v1/event-types"
    primary_key = ("eventName",)
    listing = Listing("eventDefs")


class Datasets(AccountStream):
    """In beta. https://developer.fullstory.com, "List datasets" """

    name = "datasets"
    path = "/v2beta/datasets"
    listing = Listing("datasets")


class Quotas(AccountStream):
    """https://developer.fullstory.com, "Get organization quotas" """

    name = "quotas"
    path = "/v2/organization/quotas"


STREAMS: tuple[type[FullStoryStream[Any]], ...] = (
    *(Events, ExportBundles),
    *(Users, Individuals, Sessions, Segments, SessionProfiles),
    *(BlockRules, BlockRulesHistory, DomainSettings, DomainSettingsHistory, GeoSettings, GeoSettingsHistory),
    *(PrivacySettings, PrivacySettingsHistory, RecordingFeatures, RecordingFeaturesHistory),
    *(TargetingSettings, TargetingSettingsHistory, ElementBlockRules, ExtractionRules),
    *(Operations, WebhookEndpoints, WebhookEventTypes, Datasets, Quotas),
)


def stream_of(kind: type[FullStoryStream[Any]], api: FullStoryApi, config: Config) -> FullStoryStream[Any]:
    """The stream, read in the way that the config says."""
    return ExportedEvents(api, config) if kind is Events and config.events_source.by_export else kind(api, config)
