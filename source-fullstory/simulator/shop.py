"""What happens in the simulated web shop: visitors, pages, kinds of events, custom variables.

Field names, types, and which field goes with which event follow FullStory's list of export fields
(developer.fullstory.com, "Export fields"). Rows are made in the newer generation of names; `legacy` gives what
older bundles have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from .rows import Row

BIG_IDS = ((2**53 - 8, 2**53 + 8), (2**53, 2**62), (2**62, 2**63 - 1), (2**63 - 512, 2**63 - 1))
AGENTS = (
    (
        "Chrome",
        "126.0.0.0",
        "Desktop",
        "Windows",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
    ),
    (
        "Safari",
        "17.4",
        "Mobile",
        "iOS",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4",
    ),
    ("Firefox", "127.0", "Desktop", "Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101"),
    ("Robot", "2.1", "Robot", "Robot", "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example.com/)"),
)
PATHS = ("/", "/fruits", "/fruits/pineapple", "/cart", "/checkout?step=2&coupon=a%2Fb", "/account#orders")
TEXTS = (
    "Add to cart",
    "Checkout",
    "",
    "Käse & Brot",
    "\u00a0Weiter \u2192",
    "Grapefruit (3 \u00d7 1,20 \u20ac)",
)
SELECTORS = (
    "body main .product-card .add-to-cart",
    "form#checkout input.card-number",
    "nav a.cart-link span",
)
WORDS = ("apple", "banana", "cherry", "dragon fruit", "elderberry", "", "null", "0")


def identifier(rng: Random, *, big: bool) -> int:
    """An id in the recorded range below 2^53, or with `big` now and then near or beyond it."""
    low, high = rng.choice(BIG_IDS) if big and rng.random() < 0.5 else (4_600_000_000_000_000, 6_700_000_000_000_000)
    return rng.randint(low, high)


def visitor(rng: Random, *, big_ids: bool) -> Row:
    """One browser's cookie and who FullStory thinks is behind it; anonymous ones have empty strings."""
    known = rng.random() < 0.6
    number = rng.randrange(100_000)
    row: Row = {
        "IndvId": identifier(rng, big=big_ids),
        "UserId": identifier(rng, big=big_ids),
        "UserCreated": iso(rng.randrange(1_700_000_000, 1_704_000_000)),
        "UserAppKey": f"cust-{number}" if known else "",
        "UserDisplayName": f"Zoë Müller {number}" if known else f"User {number}",
        "UserEmail": f"zoe.{number}@example.com" if known else "",
    }
    if known:
        row["user_plan_str"] = rng.choice(("free", "pro", ""))
        row["user_seats_int"] = rng.randint(1, 500)
        row["user_beta_bool"] = rng.random() < 0.5
        row["user_teams_strs"] = rng.sample(WORDS, 2)
    return row


def page(rng: Random, started: int, *, big_ids: bool) -> Row:
    """A session and one page view in it; every event of the page repeats these fields."""
    browser, version, device, system, agent = rng.choice(AGENTS)
    duration = rng.randint(900, 900_000)
    row: Row = {
        "SessionId": identifier(rng, big=big_ids),
        "SessionStart": iso(started - rng.randrange(600)),
        "PageId": identifier(rng, big=big_ids),
        "PageStart": iso(started),
        "PageDuration": duration,
        "PageActiveDuration": duration // rng.randint(2, 9),
        "PageUrl": "https://shop.example.com" + rng.choice(PATHS),
        "PageRefererUrl": rng.choice(("", "https://www.example.org/search?q=fruit")),
        "PageIp": rng.choice(("", "203.0.113.7", "2001:db8::42")),
        "PageLatLong": rng.choice(("39.0481,-77.4728", "52.5200,13.4050")),
        "PageUserAgent": agent,
        "PageBrowser": browser,
        "PageBrowserVersion": version,
        "PageDevice": device,
        "PageOperatingSystem": system,
        "PagePlatform": "Web",
        "PageScreenWidth": 1920,
        "PageScreenHeight": 1080,
        "PageViewportWidth": 1423,
        "PageViewportHeight": 851,
        "PageNumInfos": rng.randrange(9),
        "PageNumWarnings": rng.randrange(4),
        "PageNumErrors": rng.randrange(3),
    }
    if rng.random() < 0.99:
        row["PageClusterId"] = rng.randrange(1, 400)
    if rng.random() < 0.3:
        row["page_pageName_str"] = rng.choice(WORDS)
        row["page_basket.value_real"] = rng.choice((12, 12.5))
    return row


def iso(seconds: int) -> str:
    """RFC 3339 with the milliseconds that recorded exports have."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _target(rng: Random) -> Row:
    return {"EventTargetText": rng.choice(TEXTS), "EventTargetSelector": rng.choice(SELECTORS)}


def _click(rng: Random) -> Row:
    """`EventMod*` fields are there only when they say something."""
    row = _target(rng)
    if rng.random() < 0.2:
        row[rng.choice(("EventModFrustrated", "EventModDead", "EventModSuspicious"))] = 1
    if rng.random() < 0.1:
        row["EventModError"] = rng.randint(1, 3)
    return row


def _seen(rng: Random) -> Row:
    shown = rng.randint(1, 90_000)
    return {
        **_target(rng),
        "EventSubType": rng.choice(("rendered", "visible")),
        "EventDuration": shown,
        "EventSecondaryDuration": shown // 2,
    }


def _load(rng: Random) -> Row:
    first = rng.randint(80, 900)
    return {
        "LoadDomContentTime": first * 2,
        "LoadFirstPaintTime": first,
        "LoadLargestPaintTime": first * 3,
        "LoadEventTime": first * 4,
    }


def _navigate(rng: Random) -> Row:
    return {
        "EventSubType": rng.choice(("navigate", "reload", "back_forward")),
        "PageMaxScrollDepthPercent": rng.randrange(101),
    }


def _request(rng: Random) -> Row:
    return {
        "ReqUrl": "https://shop.example.com/api/cart",
        "ReqMethod": rng.choice(("GET", "POST")),
        "ReqStatus": rng.choice((200, 404, 503)),
    }


def _exception(rng: Random) -> Row:
    return {
        "EventSubType": "uncaught",
        "EventWebSourceFileUrl": f"https://shop.example.com/app.{rng.randrange(9)}.js",
    }


def _custom(rng: Random) -> Row:
    """`evt_<name>_<type>`: names keep their case and dots, `_real` may come as an integer."""
    row: Row = {"EventCustomName": rng.choice(("Order Completed", "Checkout Error", "Featured Fruit"))}
    for name, make in rng.sample(VARIABLES, rng.randint(1, 5)):
        row[name] = make(rng)
    return row


def _custom_error(rng: Random) -> Row:
    return {**_custom(rng), "EventVarErrorKind": "type", "EventVarFields": "term"}


VARIABLES: tuple[tuple[str, Callable[[Random], object]], ...] = (
    ("evt_order.items_real", lambda rng: rng.randint(1, 9)),
    ("evt_order.total_real", lambda rng: rng.randint(100, 99_999) / 100),
    ("evt_term_int", lambda rng: rng.randint(-5, 5)),
    ("evt_term_real", lambda rng: rng.choice((4, 4.5, 0.1, 1e-7))),
    ("evt_featuredFruit_str", lambda rng: rng.choice(WORDS)),
    ("evt_basket_strs", lambda rng: rng.sample(WORDS, rng.randrange(4))),
    ("evt_coupon_bool", lambda rng: rng.random() < 0.5),
    ("evt_due_date", lambda rng: f"2024-02-{rng.randint(1, 28):02d}T00:00:00Z"),
)

# (EventType, how often, what it adds). The set of types is open.
KINDS: tuple[tuple[str, int, Callable[[Random], Row]], ...] = (
    ("click", 30, _click),
    ("custom", 30, _custom),
    ("navigate", 12, _navigate),
    ("seen", 10, _seen),
    ("change", 9, _target),
    ("custom_error", 5, _custom_error),
    ("load", 4, _load),
    ("uservar", 3, lambda _: {}),
    ("request", 3, _request),
    ("exception", 1, _exception),
    ("cumulative_layout_shift", 1, lambda rng: {"EventCumulativeLayoutShift": rng.randrange(900) / 1000}),
    ("first_input_delay", 1, lambda rng: {"EventFirstInputDelay": rng.randint(1, 300)}),
)

RENAMED = {"PageUserAgent": "PageAgent", "EventTargetSelector": "EventTargetSelectorTok"}
NEW_ONLY = frozenset(
    {
        "UserCreated",
        "SessionStart",
        "PageStart",
        "PagePlatform",
        "PageBrowserVersion",
        "PageMaxScrollDepthPercent",
    }
    | {
        "PageScreenWidth",
        "PageScreenHeight",
        "PageViewportWidth",
        "PageViewportHeight",
        "LoadLargestPaintTime",
    }
    | {"EventSubType", "EventDuration", "EventSecondaryDuration", "EventPageOffset", "EventSessionOffset"}
    | {"EventVarErrorKind", "EventVarFields", "EventWebSourceFileUrl", "ReqUrl", "ReqMethod", "ReqStatus"}
    | {"EventCumulativeLayoutShift", "EventFirstInputDelay"}
)


def legacy(row: Row) -> Row:
    """The same event under the names that bundles had before Segment Export (2020), without the later fields."""
    old = {RENAMED.get(name, name): value for name, value in row.items() if name not in NEW_ONLY}
    selector = old.get("EventTargetSelectorTok")
    if isinstance(selector, str):
        old["EventTargetSelectorTok"] = re.sub(r"[^\w .#]", lambda found: f"%{ord(found[0]):02X}", selector)
    return old


def modern(row: Row) -> Row:
    """A row of either generation under the newer names."""
    names = {old: new for new, old in RENAMED.items()}
    new = {names.get(name, name): value for name, value in row.items()}
    selector = row.get("EventTargetSelectorTok")
    if isinstance(selector, str):
        new["EventTargetSelector"] = re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), selector)
    return new


def selector_tokens(selector: object) -> object:
    """`EventTargetSelector` as `EventTargetSelectorTok`."""
    return legacy({"EventTargetSelector": selector})["EventTargetSelectorTok"]
