"""What the key may not read: said in check, left out of the catalog, and never taken for empty."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airbyte_cdk.models import Status
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from simulator import CloseSimulator, Fault, Settings
from source_closeio import SourceCloseio, access
from source_closeio.http.api import TIMING
from source_closeio.kit.retry import Patience
from source_closeio.streams import STREAMS
from unit_tests.syncs import assert_not_offered, catalog, config, sync, table

from simkit.destination import Destination

Close = Callable[..., CloseSimulator]
NAMES = {stream.name for stream in STREAMS}
HURRY = replace(TIMING, check_patience=Patience(tries=3, seconds=2.0))
LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)


def check(sim: CloseSimulator) -> tuple[Status, str]:
    result = SourceCloseio().check(logging.getLogger("airbyte"), config(sim))
    return result.status, result.message or ""


def discover_error(sim: CloseSimulator) -> str:
    with pytest.raises(AirbyteTracedException) as raised:
        SourceCloseio().discover(logging.getLogger("airbyte"), config(sim))
    return str(raised.value.message)


class TestDiscover:
    @pytest.mark.parametrize("status", [400, 402, 403, 404])
    def test_leaves_out_what_is_refused_and_says_why(
        self, close: Close, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        refused = (status, {"error": "Upgrade your plan."})
        sim = close(forbidden={"send_as": refused, "sequence": refused, "activity/sms": refused}, event_log=False)

        with caplog.at_level(logging.WARNING, "airbyte"):
            found = SourceCloseio().discover(logging.getLogger("airbyte"), config(sim))

        gone = NAMES - {stream.name for stream in found.streams}
        assert gone == {"send_as", "sequences", "sms_activities", "event_log", "deletions", "sequence_subscriptions"}
        assert "send_as is left out of the catalog" in caplog.text
        assert "Upgrade your plan." in caplog.text

    @pytest.mark.parametrize("kind", ["500", "429-header", "reset", "200"])
    def test_leaves_in_what_may_pass(self, close: Close, kind: str) -> None:
        sim = close()
        page = "<html>Down for maintenance</html>" if kind == "200" else None
        sim.fault(Fault(path="send_as", kind=kind, times=None, seconds=0.1, body=page))

        assert catalog(sim, HURRY).keys() == NAMES

    def test_asks_once_for_each_stream(self, close: Close) -> None:
        sim = close()

        catalog(sim)

        assert len(sim.requests) <= len(STREAMS) + 6

    @pytest.mark.parametrize("object_type", ["lead", "contact", "opportunity"])
    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_fails_without_the_custom_fields_of_the_main_tables(
        self, close: Close, object_type: str, status: int
    ) -> None:
        sim = close(forbidden={f"custom_field/{object_type}": (status, {"error": "Not for you."})})

        assert "Not for you." in discover_error(sim)

    def test_fails_when_custom_fields_cannot_be_read(self, close: Close) -> None:
        sim = close()
        sim.fault(Fault(path="custom_field/lead", kind="500", times=None))

        assert "Close does not answer" in discover_error(sim)


class TestCheck:
    def test_fails_if_the_key_reads_nothing_but_itself(self, close: Close) -> None:
        sim = close(forbidden={"": (403, {"error": "No permission."}), "me": None})

        status, message = check(sim)

        assert status is Status.FAILED
        assert "No permission." in message

    def test_succeeds_if_it_reads_anything(self, close: Close) -> None:
        sim = close(forbidden={"": (403, {"error": "No permission."}), "me": None, "webhook": None})

        assert check(sim)[0] is Status.SUCCEEDED

    def test_fails_where_nobody_is_named(self, close: Close) -> None:
        sim = close()
        sim.fault(Fault(path="me", kind="200", body="{}", times=None))

        status, message = check(sim)

        assert status is Status.FAILED
        assert "names no user" in message

    @pytest.mark.parametrize(
        ("memberships", "warns"),
        [
            ([{"organization_id": "own", "permissions_granted": ["view_all_leads"]}], False),
            ([{"organization_id": "own", "permissions_granted": []}], True),
            (
                [
                    {"organization_id": "other", "permissions_granted": []},
                    {"organization_id": "own", "permissions_granted": ["view_all_leads"]},
                ],
                False,
            ),
            (
                [
                    {"organization_id": "other", "permissions_granted": ["view_all_leads"]},
                    {"organization_id": "own", "permissions_granted": []},
                ],
                True,
            ),
            (["x"], True),
            (None, True),
        ],
    )
    def test_looks_at_the_keys_own_organization(
        self, close: Close, memberships: Any, warns: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "airbyte"):
            access._warn_of_partial_view({"memberships": memberships}, [{"organization_id": "own"}])

        assert bool(caplog.text) == warns


class TestOneRefusedObject:
    """Costs one row; the list itself decides about the stream."""

    @pytest.mark.parametrize("status", ["403", "404", "400"])
    def test_a_merged_leads_destination(self, close: Close, status: str) -> None:
        sim = close(Settings(leads=5, activities=20, tasks=10, events=0))
        streams = ("leads", "contacts", "opportunities", "tasks", "custom_objects", "activities")
        first = sync(sim, *streams)
        source, destination, *_ = sim.data["lead"].truth
        sim.merge_leads(source, destination, quiet=True)
        sim.fault(Fault(kind=status, times=None, params={"lead_id": destination}))
        sim.fault(Fault(path=f"lead/{destination}", kind=status, times=None))

        second = sync(sim, *streams, state=first.state)

        assert not second.errors
        assert second.log.count("objects are left out") == len(streams)

    @pytest.mark.parametrize("status", ["403", "404"])
    def test_an_activity_that_the_log_names(self, close: Close, status: str) -> None:
        sim = close(max_ids=1)
        notes = [sim.data["activity"].add(sim.make_activity(date_created=LONG_AGO), log=False) for _ in range(3)]
        first = sync(sim, "note_activities")
        for note in notes:
            sim.data["activity"].update(note["id"], note="edited")
        sim.fault(Fault(path=f"activity/note/{notes[0]['id']}", kind=status, times=None))

        second = sync(sim, "note_activities", state=first.state)

        assert second.table("note_activities").keys() == {note["id"] for note in notes[1:]}
        assert "1 objects are left out" in second.log
        assert not second.errors

    @pytest.mark.parametrize("status", ["403", "404", "400"])
    def test_a_comment_that_the_log_names(self, close: Close, status: str) -> None:
        sim = close()
        comments = [sim.data["comment"].add({"thread_id": "t", "body": "hi"}, log=False) for _ in range(2)]
        first = sync(sim, "comments")
        for comment in comments:
            sim.data["comment"].update(comment["id"], body="changed")
        sim.fault(Fault(path=f"comment/{comments[0]['id']}", kind=status, times=None))

        second = sync(sim, "comments", state=first.state)

        assert second.table("comments").keys() == {comments[1]["id"]}
        assert not second.errors

    @pytest.mark.parametrize("status", ["403", "404", "400"])
    def test_a_group(self, close: Close, status: str) -> None:
        sim = close()
        ids = [sim.data["group"].add({"name": f"{n}", "members": []}, log=False)["id"] for n in range(25)]
        for id_ in ids[:10]:  # all of a slice
            sim.fault(Fault(path=f"group/{id_}", kind=status, times=None))

        result = sync(sim, "groups")

        assert set(result.table("groups")) == set(ids[10:])
        assert result.log.count("10 objects are left out") == 1
        assert not result.errors

    @pytest.mark.parametrize("status", ["403", "400"])
    def test_groups_of_which_none_is_given_are_no_empty_table(self, close: Close, status: str) -> None:
        sim = close()
        for number in range(25):
            sim.data["group"].add({"name": f"{number}", "members": []}, log=False)
        sim.fault(Fault(path="group/gr", kind=status, times=None))

        result = sync(sim, "groups", "users")

        assert result.statuses("groups")[-1] == "INCOMPLETE"
        assert result.statuses("users")[-1] == "COMPLETE"

    @pytest.mark.parametrize("status", ["403", "404", "400"])
    def test_a_smart_view_comes_without_its_filters(self, close: Close, status: str) -> None:
        sim = close()
        view = sim.data["saved_search"].add({"type": "lead", "name": "no filters"}, log=False)["id"]
        sim.fault(Fault(path=f"saved_search/{view}", kind=status, times=None))

        result = sync(sim, "smart_views")

        assert set(result.table("smart_views")) == {view}
        assert not result.errors

    @pytest.mark.parametrize("status", ["403", "404"])
    def test_an_organization_that_is_not_the_keys(
        self, close: Close, status: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sim = close()
        body = sim.me() | {"organizations": [{"id": "orga_other"}, {"id": sim.organization()["id"]}]}
        monkeypatch.setattr(sim, "me", lambda: body)
        sim.fault(Fault(path="organization/orga_other", kind=status, times=None))

        result = sync(sim, "organizations", "memberships")

        assert set(result.table("organizations")) == {sim.organization()["id"]}
        assert result.rows("memberships")
        assert not result.errors


def test_a_key_without_any_organization_has_none(close: Close) -> None:
    sim = close(forbidden={"organization": (403, {"error": "No."})})

    assert_not_offered(sync(sim, "organizations", "memberships", "users"), "organizations", "memberships")


def test_what_a_refused_stream_had_stays_in_the_table(close: Close) -> None:
    """It is not COMPLETE, so a destination that overwrites keeps what it has."""

    sim = close(Settings())
    destination = Destination(STREAMS)
    destination.load(sync(sim, "roles").messages)
    before = dict(destination.tables["roles"])
    sim.settings.change(forbidden={"role": (402, {"error": "Upgrade."})})

    destination.load(sync(sim, "roles").messages)

    assert before
    assert destination.tables["roles"] == before


def test_a_clock_that_is_ahead_of_closes_hides_no_deletion(close: Close) -> None:
    sim = close(now=datetime.now(UTC) - timedelta(hours=20))
    lead = sim.data["lead"].add(sim.make_lead(), log=False)["id"]
    first = sync(sim, "leads", "deletions")
    sim.settings.now = datetime.now(UTC) - timedelta(hours=19)
    sim.data["lead"].delete(lead)

    second = sync(sim, "leads", "deletions", state=first.state)

    assert [row["object_id"] for row in second.rows("deletions")] == [lead]
    assert not table("leads", first, second)
