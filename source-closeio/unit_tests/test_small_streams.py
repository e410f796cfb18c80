"""The small streams that are read in a way of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator import CloseSimulator
from simulator.faults import Fault
from source_closeio.streams import STREAMS
from unit_tests.syncs import Sync, assert_not_offered, saved, sync

Close = Callable[..., CloseSimulator]


def put(sim: CloseSimulator, collection: str, *rows: dict[str, Any]) -> list[str]:
    return [sim.data[collection].add(row, log=False)["id"] for row in rows]


def test_groups_come_with_their_members(close: Close) -> None:
    sim = close()
    sales, empty = put(
        sim, "group", {"name": "Sales", "members": [{"user_id": "user_1"}]}, {"name": "-", "members": []}
    )

    rows = sync(sim, "groups").table("groups")

    assert rows[sales]["members"] == [{"user_id": "user_1"}]
    assert rows[empty]["members"] == []


def test_a_group_that_vanishes_meanwhile_hides_no_other(close: Close) -> None:
    sim = close()
    gone, *others = put(sim, "group", *({"name": f"{number}", "members": []} for number in range(25)))
    sim.fault(Fault(path=f"group/{gone}", kind="404", times=None))

    result = sync(sim, "groups")

    assert set(result.table("groups")) == set(others)
    assert not result.errors


def test_memberships_of_today_and_of_old(close: Close) -> None:
    sim = close(users=6)

    result = sync(sim, "memberships", "organizations")

    rows = result.rows("memberships")
    assert {row["is_active"] for row in rows} == {True, False}
    assert len(rows) == len({row["id"] for row in rows})
    (organization,) = result.rows("organizations")
    assert len(organization["memberships"]) + len(organization["inactive_memberships"]) == len(rows)
    assert [request.path.partition("/")[0] for request in sim.requests] == ["me", "organization"]  # for both streams


def test_subscriptions_of_every_sequence(close: Close) -> None:
    sim = close(max_limits={"": 100})
    sequences = put(sim, "sequence", *({"name": f"{number}"} for number in range(23)))
    for number in range(250):
        put(sim, "sequence_subscription", {"sequence_id": sequences[number % 3], "contact_id": f"cont_{number}"})

    result = sync(sim, "sequence_subscriptions")

    assert result.table("sequence_subscriptions").keys() == sim.data["sequence_subscription"].truth.keys()
    assert len(result.rows("sequence_subscriptions")) == 250


@pytest.mark.parametrize("refused", [False, True])
def test_smart_views_of_all_types(close: Close, refused: bool) -> None:
    sim = close()
    views = put(sim, "saved_search", *({"type": kind, "s_query": {}} for kind in ("lead", "contact", "call", "email")))
    if refused:
        sim.fault(Fault(path="saved_search/$", kind="400", times=None, params={"type__in": TYPES}))

    result = sync(sim, "smart_views")

    assert sorted(row["id"] for row in result.rows("smart_views")) == sorted(views)


TYPES = "lead,contact,opportunity,call,email,sms,meeting,note,whatsapp_message,custom_activity,form_submission"


def test_a_smart_view_without_its_filters_is_fetched_alone(close: Close) -> None:
    sim = close()
    (view,) = put(sim, "saved_search", {"type": "lead", "name": "no filters"})

    sync(sim, "smart_views")

    assert [request.path for request in sim.requests][-1] == f"saved_search/{view}"


@pytest.mark.parametrize(("stream", "collection"), [("email_templates", "email_template"), ("forms", "form")])
def test_archived_ones_come_too(close: Close, stream: str, collection: str) -> None:
    sim = close(archived_hidden=True)
    ids = put(sim, collection, {"name": "live", "is_archived": False}, {"name": "old", "is_archived": True})

    rows = sync(sim, stream).rows(stream)

    assert sorted(row["id"] for row in rows) == sorted(ids)


def test_unsubscribed_emails_are_known_by_their_address(close: Close) -> None:
    sim = close()
    for number in range(30):
        sim.data["unsubscribe/email"].add({"email": f"{number}@example.com"}, log=False)

    assert len(sync(sim, "unsubscribed_emails").rows("unsubscribed_emails")) == 30


@pytest.mark.parametrize(
    ("stream", "collection", "secret"),
    [("webhooks", "webhook", "signature_key"), ("exports", "export", "download_url")],
)
def test_secrets_stay_inside(close: Close, stream: str, collection: str, secret: str) -> None:
    sim = close()
    put(sim, collection, {"status": "done", secret: "https://storage.example/?sig=hush"})

    result = sync(sim, stream)

    assert result.rows(stream)[0]["status"] == "done"
    assert "hush" not in str([message.record for message in result.output.records]) + result.log


@pytest.mark.parametrize("status", [400, 404])
def test_a_sequence_that_vanishes_meanwhile_hides_no_other(close: Close, status: int) -> None:
    sim = close()
    gone, *others = put(sim, "sequence", {"name": "gone"}, {"name": "b"}, {"name": "c"})
    kept = put(sim, "sequence_subscription", *({"sequence_id": id_, "contact_id": "any"} for id_ in others))
    sim.fault(Fault(path="sequence_subscription", kind=str(status), params={"sequence_id": gone}, times=None))

    result = sync(sim, "sequence_subscriptions", "users")

    assert sorted(row["id"] for row in result.rows("sequence_subscriptions")) == sorted(kept)
    assert bool(result.errors) == (status == 400)


def test_more_subscriptions_than_a_list_shows(close: Close) -> None:
    sim = close(skip_cap=100, max_limits={"": 100})
    (sequence,) = put(sim, "sequence", {"name": "everybody"})
    leads = put(sim, "lead", *(sim.make_lead() for _ in range(8)))
    for number in range(400):
        put(sim, "sequence_subscription", {"sequence_id": sequence, "lead_id": leads[number % 8]})

    result = sync(sim, "sequence_subscriptions")

    assert sorted(row["id"] for row in result.rows("sequence_subscriptions")) == sorted(
        sim.data["sequence_subscription"].truth
    )


@pytest.mark.parametrize("most", [60, 20])
def test_lists_with_smaller_pages_than_any_that_were_seen(close: Close, most: int) -> None:
    sim = close(max_limits={"": most})
    ids = put(sim, "role", *({"name": f"{number}"} for number in range(130)))
    notes = put(sim, "activity", *(sim.make_activity() for _ in range(130)))

    result = sync(sim, "roles", "activities")

    assert sorted(row["id"] for row in result.rows("roles")) == sorted(ids)
    assert sorted(row["id"] for row in result.rows("activities")) == sorted(notes)


@pytest.mark.parametrize("status", [400, 402, 403, 404])
def test_a_plan_without_email_threads_has_all_other_activities(close: Close, status: int) -> None:
    sim = close(forbidden={"activity/emailthread": (status, {})})
    ids = put(sim, "activity", *(sim.make_activity() for _ in range(5)))

    first = sync(sim, "activities")
    second = sync(sim, "activities", state=first.state)

    assert set(first.table("activities")) == set(ids)
    assert first.log.count("activity/emailthread/ are left out") == 1
    assert not first.errors + second.errors


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(
    "stream", [stream.name for stream in STREAMS if stream.name not in {"leads", "contacts", "users"}]
)
def test_a_stream_of_which_everything_is_refused_fails_alone(close: Close, stream: str, status: int) -> None:
    sim = close(forbidden={"": (status, {"error": "not in your plan"}), "user": None, "me": None})

    assert_not_offered(sync(sim, stream, "users"), stream)


@pytest.mark.parametrize("status", [400, 402, 403, 404])
def test_what_is_not_offered_fails_alone_whatever_the_status(close: Close, status: int) -> None:
    sim = close(forbidden={"send_as": (status, {"error": "SendAs requires payment"}), "sequence": (status, {})})
    put(sim, "role", {"name": "any"})

    result = sync(sim, "send_as", "sequence_subscriptions", "roles")

    assert_not_offered(result, "send_as", "sequence_subscriptions")
    assert len(result.rows("roles")) == 1


def test_send_as_comes_in_both_directions(close: Close) -> None:
    sim = close()
    me, other = sim.users()[0]["id"], "user_other"
    mine, others, own, _foreign = put(
        sim,
        "send_as",
        {"allowing_user_id": me, "allowed_user_id": other},
        {"allowing_user_id": other, "allowed_user_id": me},
        {"allowing_user_id": me, "allowed_user_id": me},
        {"allowing_user_id": other, "allowed_user_id": "user_third"},
    )

    rows = sync(sim, "send_as").rows("send_as")

    assert sorted(row["id"] for row in rows) == sorted([mine, others, own])


class TestComments:
    """All threads at first, then what the event log names."""

    @staticmethod
    def talk(sim: CloseSimulator, threads: int) -> list[str]:
        ids = put(sim, "comment_thread", *({"object_id": f"note_{number}"} for number in range(threads)))
        return put(
            sim, "comment", *({"thread_id": id_, "body": "hi", "object_id": "x"} for id_ in ids for _ in range(3))
        )

    def test_of_all_threads_and_then_those_that_changed(self, close: Close) -> None:
        sim = close()
        ids = self.talk(sim, 40)
        first = sync(sim, "comments")
        sim.data["comment"].update(ids[7], body="changed")
        new = sim.data["comment"].add({"thread_id": "any", "body": "new"})["id"]
        sim.clear_requests()

        second = sync(sim, "comments", state=first.state)

        assert len(first.rows("comments")) == 120
        assert set(second.table("comments")) == {ids[7], new}
        assert len(sim.requests) == 4  # the clock, the log, two comments
        assert self.is_true(sim, first, second)

    def test_go_on_from_a_state_of_version_0_2(self, close: Close) -> None:
        sim = close()
        self.talk(sim, 1)
        position = sync(sim, "comments").states("comments")[-1]["updated_at"]
        old = saved("comments", date_updated=position, events_read_to=position)

        second = sync(sim, "comments", state=old)

        assert not second.rows("comments")
        assert second.states("comments")[-1].keys() == {"updated_at", "events_read_to"}

    def test_of_which_the_text_was_removed_lose_it(self, close: Close) -> None:
        sim = close()
        ids = self.talk(sim, 1)
        first = sync(sim, "comments")
        sim.data["comment"].update(ids[0], body=None, log=False)
        sim.events.write("comment", "deleted", {"id": ids[0]})

        second = sync(sim, "comments", state=first.state)

        assert second.table("comments")[ids[0]]["body"] is None

    def test_without_an_event_log_all_are_read_each_time(self, close: Close) -> None:
        sim = close(event_log=False)
        ids = self.talk(sim, 12)
        first = sync(sim, "comments")
        sim.data["comment"].update(ids[7], body="changed")

        second = sync(sim, "comments", state=first.state)

        assert len(second.rows("comments")) == 36
        assert self.is_true(sim, first, second)

    @staticmethod
    def is_true(sim: CloseSimulator, *syncs: Sync) -> bool:
        table = {id_: row for each in syncs for id_, row in each.table("comments").items()}
        return table == sim.data["comment"].truth
