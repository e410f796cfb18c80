"""Airbyte's classic acceptance tests (CAT), as we read their rules: what they ask of a connector at high strictness.

CAT itself is retired and needs dagger; whoever has it runs it with ../cat/acceptance-test-config.yml. Each function
here is one of its rules and returns what breaks it. test_cat.py goes through them.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, ValidationError, validators

Json = Mapping[str, Any]
Streams = Mapping[str, Json]

SECTIONS = ("spec", "connection", "discovery", "basic_read", "full_refresh", "incremental")
SETTINGS = {
    "spec": {"spec_path", "config_path", "backward_compatibility_tests_config"},
    "connection": {"config_path", "status"},
    "discovery": {"config_path", "backward_compatibility_tests_config"},
    "basic_read": {
        "config_path",
        "empty_streams",
        "expect_records",
        "fail_on_extra_columns",
        "validate_stream_statuses",
    },
    "full_refresh": {"config_path", "ignored_fields"},
    "incremental": {"config_path", "configured_catalog_path", "future_state"},
}
"""Those that we use; CAT refuses any that it does not know."""
UNSUPPORTED_IN_FORM = {"not", "anyOf", "allOf", "if", "then", "else", "patternProperties", "prefixItems"}
SECRET_NAMES = {"key", "token", "secret", "password", "credentials", "api_key", "api_token", "access_token", "jwt"}
CHECKPOINTS = 5
"""About so many states of a stream are read from again."""


# -- the configuration


def faults_of_config(config: Json) -> Iterator[str]:
    """Nothing unknown, nothing missing at high strictness."""
    yield from _unknown("", config, {"connector_image", "test_strictness_level", "base_path", "acceptance_tests"})
    if config["test_strictness_level"] != "high":
        yield "the strictness is not high"
    sections = config["acceptance_tests"]
    yield from _unknown("acceptance_tests", sections, set(SECTIONS))
    for name in SECTIONS:
        tests = sections.get(name, {}).get("tests") or []
        if not tests and not sections.get(name, {}).get("bypass_reason"):
            yield f"{name} has neither tests nor a reason"
        for test in tests:
            yield from _unknown(name, test, SETTINGS[name])
    yield from _faults_of_reasons(sections)


def _faults_of_reasons(sections: Json) -> Iterator[str]:
    for test in sections["basic_read"]["tests"]:
        if not test.get("expect_records", {}).get("path"):
            yield "basic_read expects no records"
        yield from _without_reason("an empty stream", test.get("empty_streams", []))
    for test in sections["full_refresh"]["tests"]:
        for fields in test.get("ignored_fields", {}).values():
            yield from _without_reason("an ignored field", fields)
    for test in sections["incremental"]["tests"]:
        future = test.get("future_state", {})
        if not future.get("bypass_reason") and not future.get("future_state_path"):
            yield "incremental has neither a future state nor a reason"


def _without_reason(what: str, entries: Iterable[Json]) -> Iterator[str]:
    return (f"{what} without a reason: {entry['name']}" for entry in entries if not entry.get("bypass_reason"))


def _unknown(where: str, given: Json, known: set[str]) -> Iterator[str]:
    return (f"{where} has an unknown setting: {name}" for name in sorted(set(given) - known))


# -- spec


def faults_of_spec(spec: Json, file: Json, config: Json) -> Iterator[str]:
    schema = spec["connectionSpecification"]
    yield from (f"spec says otherwise than its file: {key}" for key, value in file.items() if spec.get(key) != value)
    yield from (f"config: {error.message}" for error in Draft7Validator(schema).iter_errors(config))
    for path, node in subschemas(schema):
        for fault in _faults_of_field(node, path):
            yield f"{path or 'form'}: {fault}"


def _faults_of_field(node: Json, path: str) -> Iterator[str]:
    kind = node.get("type")
    yield from (f"a form cannot show {keyword}" for keyword in sorted(UNSUPPORTED_IN_FORM & set(node)))
    if "$ref" in node:
        yield "a $ref"
    if node.get("additionalProperties", True) is not True:
        yield "additionalProperties is not true"
    if isinstance(kind, list) and (len(kind) > 2 or kind[1:] not in ([], ["null"])):
        yield f"type {kind}"
    enum = node.get("enum", [])
    if len(set(map(str, enum))) < len(enum):
        yield "an enum with repeats"
    if kind == "object" and "oneOf" not in node and not node.get("properties"):
        yield "an object without properties"
    if kind == "array" and node.get("items", {}).get("type") not in {"object", "string", "number", "integer"}:
        yield "items of no simple type"
    if "display_type" in node and ("oneOf" not in node or node["display_type"] not in {"dropdown", "radio"}):
        yield "display_type where there is no choice"
    if "group" in node and path.count(".") > 0:
        yield "a group below the top"
    yield from _faults_of_choice(node)
    yield from _faults_of_properties(node.get("properties", {}))


def _faults_of_choice(node: Json) -> Iterator[str]:
    choices = [set(each.get("properties", {})) for each in node.get("oneOf", [])]
    if not choices:
        return
    if node.get("type") != "object":
        yield "a choice whose parent is no object"
    properties = [each["properties"] for each in node["oneOf"]]
    constant = [name for name in set.intersection(*choices) if all("const" in each[name] for each in properties)]
    if len(constant) != 1:
        yield f"choices are told apart by {constant}, not by one constant"


def _faults_of_properties(properties: Json) -> Iterator[str]:
    orders = Counter((each.get("group"), each["order"]) for each in properties.values() if "order" in each)
    yield from (f"order {order} occurs twice" for (_, order), count in orders.items() if count > 1)
    for name, each in properties.items():
        secret = name.lower() in SECRET_NAMES and each.get("type") in {"string", "integer", "number"}
        if secret and "const" not in each and not each.get("airbyte_secret"):
            yield f"{name} is not marked as a secret"


# -- check


def faults_of_check(messages: Sequence[Json], expected: str) -> Iterator[str]:
    statuses = [each["connectionStatus"]["status"] for each in messages if each["type"] == "CONNECTION_STATUS"]
    if statuses != [{"succeed": "SUCCEEDED", "failed": "FAILED"}[expected]]:
        yield f"check answers {statuses}"


# -- discover


def faults_of_catalog(streams: Sequence[Json]) -> Iterator[str]:
    names = Counter(stream["name"] for stream in streams)
    yield from (f"{name} occurs {count} times" for name, count in names.items() if count > 1)
    if not streams:
        yield "no streams"
    for stream in streams:
        yield from (f"{stream['name']}: {fault}" for fault in _faults_of_stream(stream))


def _faults_of_stream(stream: Json) -> Iterator[str]:
    schema = stream["json_schema"]
    Draft7Validator.check_schema(schema)
    if not stream.get("supported_sync_modes"):
        yield "no sync modes"
    key = stream.get("source_defined_primary_key") or []
    for path in [stream.get("default_cursor_field") or [], *key]:
        if path and property_at(schema, path) is None:
            yield f"{path} is not in the schema"
    for path in key:
        kind = (property_at(schema, path) or {}).get("type", [])
        if {"object", "array"} & set([kind] if isinstance(kind, str) else kind):
            yield f"the key {path} is no simple value"
    for path, node in subschemas(schema):
        yield from (f"{path}: {keyword}" for keyword in sorted({"$ref", "allOf", "not"} & set(node)))
        if node.get("additionalProperties", True) is not True:
            yield f"{path}: additionalProperties is not true"


# -- read


def faults_of_records(records: Sequence[Json], streams: Streams, more_columns: bool) -> Iterator[str]:
    """Each fits its schema, has no undeclared column, and has its key; one fault a stream is enough."""
    more = {"additionalProperties": more_columns}
    checks = {name: _checker({**stream["json_schema"], **more}) for name, stream in streams.items()}
    faulty: set[str] = set()
    for record in records:
        name = record["stream"]
        fault = next(_faults_of_record(record["data"], streams[name], checks[name]), "") if name not in faulty else ""
        if fault:
            faulty.add(name)
            yield f"{name}: {fault}"


def _faults_of_record(data: Json, stream: Json, check: Callable[[Json], Iterator[ValidationError]]) -> Iterator[str]:
    yield from (f"{error.json_path}: {error.message[:200]}" for error in check(data))
    if not set(data) & set(stream["json_schema"]["properties"]):
        yield "no field of the schema"
    key = key_of(data, stream)
    if key and all(value is None for value in key):
        yield "no key"


def _checker(schema: Json) -> Callable[[Json], Iterator[ValidationError]]:
    """Strict as CAT is: 1.0 is no integer, and a date-time is one."""
    kinds = Draft7Validator.TYPE_CHECKER.redefine("integer", lambda _, value: isinstance(value, int))
    formats = FormatChecker(formats=())
    formats.checks("date-time")(
        lambda value: not isinstance(value, str) or bool(re.match(r"\d{4}-\d\d?-\d\d?[T ]\d\d?:\d\d?:\d\d?", value))
    )
    strict = validators.extend(Draft7Validator, type_checker=kinds)  # type: ignore[no-untyped-call]
    made = strict(schema, format_checker=formats)
    return made.iter_errors  # type: ignore[no-any-return]


def faults_of_emptiness(records: Sequence[Json], names: Iterable[str]) -> Iterator[str]:
    filled = {record["stream"] for record in records}
    return (f"{name} is empty" for name in names if name not in filled)


def faults_of_expectation(records: Sequence[Json], expected: Sequence[Json], streams: Streams) -> Iterator[str]:
    """Every expected key came, and every stream is expected."""
    came = {(each["stream"], key_of(each["data"], streams[each["stream"]])) for each in records}
    for each in expected:
        if (each["stream"], key_of(each["data"], streams[each["stream"]])) not in came:
            yield f"{each['stream']}: {each['data']} did not come"
    yield from (f"{name} has no expected record" for name in set(streams) - {each["stream"] for each in expected})


def faults_of_statuses(messages: Sequence[Json], names: Iterable[str]) -> Iterator[str]:
    """STARTED, RUNNING once or more, COMPLETE: for each stream of the catalog, and no other."""
    said: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        if message["type"] == "TRACE" and message["trace"]["type"] == "STREAM_STATUS":
            status = message["trace"]["stream_status"]
            said[status["stream_descriptor"]["name"]].append(status["status"])
    for name in sorted({*said, *names}):
        first, *running, last = said[name] or ["", ""]
        if (first, last) != ("STARTED", "COMPLETE") or set(running) != {"RUNNING"}:
            yield f"{name} says {said[name]}"


def faults_of_states(messages: Sequence[Json], names: Iterable[str]) -> Iterator[str]:
    """At least one for each stream, none of the old kind, each with its count of records."""
    states = [message["state"] for message in messages if message["type"] == "STATE"]
    yield from ("a state of the old kind" for state in states if state.get("type") == "LEGACY")
    uncounted = [state for state in states if "recordCount" not in state["sourceStats"]]
    yield from (f"a state without a count: {state}" for state in uncounted)
    told = {state["stream"]["stream_descriptor"]["name"] for state in states}
    yield from (f"{name} has no state" for name in names if name not in told)


def faults_of_repetition(
    first: Sequence[Json], second: Sequence[Json], ignored: Mapping[str, Iterable[str]]
) -> list[str]:
    """What the first read brought, the second brings too."""

    def left_out(stream: str) -> Iterable[str]:
        return ignored.get(stream, ())

    def facts(record: Json) -> str:
        fields = {name: value for name, value in record["data"].items() if name not in left_out(record["stream"])}
        return json.dumps([record["stream"], fields], sort_keys=True)

    missing = Counter(map(facts, first)) - Counter(map(facts, second))
    return [f"came only once: {fact[:300]}" for fact in missing]


# -- incremental


def checkpoints(states: Sequence[Json]) -> list[tuple[Json, float]]:
    """States to read from again, each with how many records must come then: none of the first and the last, and none
    that covers nothing."""
    distinct: list[tuple[Json, float]] = []
    for state in states:
        count = state["sourceStats"]["recordCount"]
        if distinct and distinct[-1][0]["stream"] == state["stream"]:
            distinct[-1] = (distinct[-1][0], distinct[-1][1] + count)
        else:
            distinct.append((state, count))
    covering = [(state, count) for state, count in distinct if count]
    rest = [(state, sum(count for _, count in covering[at + 1 :])) for at, (state, _) in enumerate(covering)]
    if len(rest) < 3:
        return rest[-1:]
    return rest[1:-1][:: max(1, len(rest) // CHECKPOINTS)]


# -- schemas


def subschemas(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """The schema, and every one inside it, with where it is."""
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from subschemas(each, f"{path}.{name}".lstrip("."))
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from subschemas(schema[keyword], f"{path}[]")
    for number, each in enumerate(schema.get("oneOf", [])):
        yield from subschemas(each, f"{path}({number})")


def property_at(schema: Json, path: Sequence[str]) -> Json | None:
    for name in path:
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return None
    return schema


def key_of(data: Json, stream: Json) -> tuple[Any, ...]:
    return tuple(data.get(path[0]) for path in stream.get("source_defined_primary_key") or [])
