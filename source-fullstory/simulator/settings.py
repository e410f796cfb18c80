"""Everything about the simulated account and its API that a test, the demo or a benchmark can choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from simkit.settings import BaseSettings

Role = Literal["USER", "ARCHITECT", "ADMIN"]
Order = Literal["sorted", "reversed", "shuffled"]
Shape = Literal["pascal", "lower"]
Encoding = Literal["gzip", "content-encoding", "plain", "double", "members", "mislabelled", "claimed"]
Framing = Literal["chunked", "length", "close"]
Style = Literal["lines", "single", "pretty", "spaced", "crlf"]
RowOrder = Literal["given", "shuffled"]
Generation = Literal["legacy", "new", "mixed"]
Edge = Literal["start", "stop", "both"]
RetryAfter = Literal["seconds", "date", "none"]
PendingState = Literal["PENDING", "UNKNOWN", "omitted"]
Unsettled = Literal["values", "some", "missing"]
EmptyExport = Literal["gzip", "bytes"]
Totals = Literal["all", "range"]
Paging = Literal["key", "offset"]
LastToken = Literal["empty", "absent", "null"]
HistoryToken = Literal["next_pagination_token", "nextPaginationToken"]
HistoryParameter = Literal["paginationToken", "either"]
Names = Literal["camel", "snake"]
OperationOrder = Literal["newest", "oldest", "unordered"]

TRICKS = frozenset(
    {
        "identical",  # a row that occurs twice, equal in every field
        "same_time",  # two different events of one page in the same instant
        "fine_times",  # microseconds, nanoseconds, or no fraction at all
        "zones",  # an offset instead of Z
        "big_ids",  # around and beyond 2^53, up to the greatest int64
        "null_session",
        "nulls",  # a field that is null, or "", where others leave it out
        "type_changes",  # one custom variable with several JSON types
        "big_variables",  # integers beyond 2^53 in custom variables
        "surrogates",  # a lone surrogate, escaped, as cut emoji leave it
        "text_traps",  # strings that look like JSON, odd line separators, emoji
        "long_text",
        "unknown_fields",  # top-level fields nobody has documented yet
    }
)
OPTIONAL_TRICKS = frozenset({"over_64_bits"})  # integers that no 64-bit parser can read
REGENERATIONS = frozenset({"order", "settled", "column", "numbers"})


@dataclass
class Settings(BaseSettings):
    """The simulator's choices; every one may be changed while it runs, and a wrong name or value raises.

    The defaults are what FullStory documents (developer.fullstory.com, help.fullstory.com), or where nothing
    is documented, the variant that public clients were written against.
    """

    SETS: ClassVar = {
        "tricks": TRICKS | OPTIONAL_TRICKS,
        "regenerate": REGENERATIONS,
        "not_offered": frozenset(),  # of any text
    }

    # The account and its key.
    api_key: str = "na1.c2ltdWxhdG9yOm5vdC1hLXJlYWwta2V5/U0lNVUxBVE9S"
    org_id: str = "o-1SIMUL8-na1"
    email: str = "data.team@example.com"
    role: Role = "ARCHITECT"  # USER is what the UI calls a Standard key
    data_export: bool = True  # whether the account has the Data Export add-on
    no_data_export_status: int = 403
    now: float | None = None  # the server's clock, None = the real one

    # GET /api/v1/export/list
    listing_lag: float = 86_400.0  # seconds from a bundle's stop until it is listed
    retention_days: float | None = None
    page_size: int = 20
    order: Order = "sorted"  # within a page
    shape: Shape = "pascal"  # pascal: {"Id": 1}; lower: {"id": "1"}
    inclusive_start: bool = False
    repeat_last_page: bool = False  # never an empty page: the last one for ever
    hide_bundles: bool = False  # an empty list, whatever there is

    # GET /api/v1/export/get
    encoding: Encoding = "gzip"
    framing: Framing = "chunked"
    style: Style = "lines"
    row_order: RowOrder = "given"  # made-up events come by time
    html_escapes: bool = False  # Go's default: <, > and & as \u003c, \u003e, \u0026
    regenerate: frozenset[str] = frozenset()  # what differs when a bundle is downloaded again
    redirect: str = ""  # "", "storage", "loop", or the scheme and host of some other server
    signed_url_seconds: float = 300.0

    # POST /segments/v1/exports and what follows
    export_polls: int = 2  # so many looks at the operation find it pending
    export_seconds: float | None = None  # by the clock instead: seconds until it is completed
    export_never_completes: bool = False
    id_suffix: str = ""  # of operations and exports: what the ids of some day may hold
    pending_state: PendingState = "PENDING"  # how the API names it
    export_failures: int = 0  # so many exports, from the first on, end as FAILED
    export_fails_above_hours: float | None = None  # and all that cover more than so many hours
    export_fails_above_rows: int | None = None  # and all with more than so many rows
    export_losses: int = 0  # the operations of so many exports, from the first on, are not found
    max_running_exports: int = 0  # more are refused with 429 (one at which nobody looks goes on running); 0 = no limit
    busy_seconds: float = 1.0  # the wait which that 429 asks for
    exports_per_minute: int = 0  # of `window_seconds`; 0 = no limit
    unknown_segment_status: int = 404
    expired_export_status: int = 404
    expired_url_status: int = 400  # of a signed URL
    export_encoding: Encoding = "gzip"
    export_framing: Framing = "length"
    ndjson_ended: bool = True  # whether the last line has an end
    empty_export: EmptyExport = "gzip"  # gzip: an empty member; bytes: nothing at all
    settle_seconds: float = 0.0  # how old events are when they are final
    unsettled: Unsettled = "values"  # what younger ones lack: final values, half of them are missing, or all are
    individual_totals: Totals = "all"  # whether numbers of people are of all time or of the asked range

    # Everything else on the API host
    not_offered: frozenset[str] = frozenset()  # beginnings of paths that the account's plan does not include
    not_offered_status: int = 403
    anywhere: bool = True  # whether webhooks are
    no_anywhere_status: int = 403
    user_page_size: int = 20
    page_cap: int = 0  # more rows than that are on no page, whatever `limit` asks for; 0 = no such cap
    paging: Paging = "key"  # what a token remembers: the last row, or only how many came before it
    last_token: LastToken = "empty"  # how the last page says that it is  # noqa: S105
    names: Names = "camel"  # of version 1: as in the examples, or as in the schemas
    history_token: HistoryToken = "next_pagination_token"  # as in the examples, or as in the schema  # noqa: S105
    history_parameter: HistoryParameter = "paginationToken"  # either: `pagination_token` too
    platform_required: bool = False  # without one, domain and features are those of the web
    operation_order: OperationOrder = "newest"

    # Pace.
    requests_per_second: int = 0  # all but /export/list and /export/get; 0 = no limit
    downloads_per_minute: int = 2  # 0 = no limit
    lists_per_minute: int = 0
    window_seconds: float = 60.0  # how long the "minute" of both limits lasts
    retry_after: RetryAfter = "seconds"
    bytes_per_second: int = 0  # of a bundle's body; 0 = as fast as it goes

    # Events made up by the simulator.
    events_per_day: int = 480
    generation: Generation = "legacy"  # of field names
    edge: Edge = "start"  # which bundle gets an event exactly between two
    tricks: frozenset[str] = TRICKS
    stream_above: int = 20_000  # an event count above it is streamed from templates
