"""Sessions: FullStory lists them for one user at a time (https://developer.fullstory.com, "List sessions")."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_fullstory.account.pages import Listing, pages
from source_fullstory.http import errors
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.stream import FullStoryStream

_USERS = Listing("results", "page_token")
_SESSIONS = Listing("results")
_USERS_PER_SLICE = 20
_MOST_WAITING = 100  # slices: users are listed faster than they are asked for
_POLL_SECONDS = 0.1
_SOME_IDS = 10_000
_MOST_REFUSED = 10
"""Users, before the first that is answered, until it is clear that FullStory does not offer sessions at all."""
_LIMITS = (1000, 100, 20)
"""How many sessions to ask for: the most is not documented, and without a number FullStory gives 20."""

User = Mapping[str, Any]
_LISTING: list[User] = []
"""The slice that lists the users; only its identity matters."""

logger = logging.getLogger("airbyte")


class SessionStream(FullStoryStream):
    """The sessions of every user who has a `uid` or an e-mail address, by which alone FullStory finds them: a request
    for each. Slices are some users each, so that several are read side by side."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: deque[list[User]] = deque([_LISTING])
        self._lock = Lock()
        self._limits = list(_LIMITS)
        self._some_ids: set[Any] = set()
        self._ids_tell = False
        self._answered = self._refused = self._nameless = self._cut = 0

    def open(self, state: Mapping[str, Any]) -> None:
        logger.info(f"{self.name}: FullStory is asked once for each user, which takes long if there are many")

    def take_slice(self) -> list[User] | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def has_slices(self) -> bool:
        return bool(self._waiting)

    def read_slice(self, stream_slice: list[User]) -> Iterator[Page | Estimate]:
        if stream_slice is _LISTING:
            yield from self._list_users()
            return
        for user in stream_slice:
            yield self._sessions(user)

    def _list_users(self) -> Iterator[Page]:
        try:
            for page in pages(self.client, "/v2/users", _USERS, {}):
                users = [user for user in page if user.get("uid") or user.get("email")]
                self._nameless += len(page) - len(users)
                if len(self._some_ids) < _SOME_IDS:
                    self._some_ids.update(str(user.get("id")) for user in page)
                for start in range(0, len(users), _USERS_PER_SLICE):
                    some = users[start : start + _USERS_PER_SLICE]
                    self._waiting.append([{name: user.get(name) for name in ("id", "uid", "email")} for user in some])
                    yield []  # lets the other workers see the new slice
                    while len(self._waiting) > _MOST_WAITING:
                        self.client.pause(_POLL_SECONDS)
        except errors.FullStoryError as error:
            raise self.not_offered(error) from error

    def _sessions(self, user: User) -> Page:
        who = {"uid": user["uid"]} if user["uid"] else {"email": user["email"]}
        try:
            rows = self._with_limit(who)
        except errors.FullStoryError as error:
            self._leave_out(error)
            return []
        self._answered += 1
        # Several users may have one uid or address, and each is asked for. An id is documented as `user:session`;
        # should the first part be none that the list of users knows, nothing is left out.
        owners = [str(row.get("id")).partition(":")[0] for row in rows]
        own = str(user["id"])
        self._ids_tell |= own in owners or not self._some_ids.isdisjoint(owners)
        return [
            {**row, "user_id": own}
            for row, owner in zip(rows, owners, strict=True)
            if owner == own or not self._ids_tell
        ]

    def _leave_out(self, error: errors.FullStoryError) -> None:
        """A user whom FullStory does not take, or has deleted since. Raises NotOffered if it is the same with all."""
        self._refused += 1
        if isinstance(error, errors.Denied) or (not self._answered and self._refused >= _MOST_REFUSED):
            raise self.not_offered(error) from error
        if self._refused == 1:
            logger.warning(f"{self.name}: users whom FullStory does not take are left out ({error})")

    def _with_limit(self, who: Mapping[str, Any]) -> Page:
        """The sessions, with the greatest limit that FullStory takes."""
        for limit in list(self._limits):
            try:
                rows = [
                    row
                    for page in pages(self.client, "/v2/sessions", _SESSIONS, {**who, "limit": limit})
                    for row in page
                ]
            except errors.Refused:
                if limit == self._limits[-1]:
                    raise
            else:
                self._limits = [each for each in self._limits if each <= limit]
                self._tell_of_cut(len(rows), limit)
                return rows
        raise RuntimeError("there is a limit")

    def _tell_of_cut(self, rows: int, limit: int) -> None:
        self._cut += rows >= limit
        if self._cut == 1 and rows >= limit:
            logger.warning(
                f"{self.name}: a user has {limit:,} sessions or more, and FullStory shows the newest {limit:,} only"
            )

    def finish_slice(self, stream_slice: list[User]) -> Mapping[str, Any]:
        return {NO_CURSOR_STATE_KEY: True}

    def usage(self) -> str:
        notes = (
            f"{self._answered:,} users asked for, {self._nameless:,} left out that have no uid and no e-mail address"
        )
        if self._refused:
            notes += f", {self._refused:,} that FullStory does not take"
        if self._cut:
            notes += f", {self._cut:,} with more sessions than FullStory shows"
        return f"{notes}, {super().usage()}"
