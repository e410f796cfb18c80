"""Sessions: FullStory lists them for one uid or e-mail address at a time (https://developer.fullstory.com, "List
sessions"). One person may have hundreds of user cards under one uid (help.fullstory.com, "Identifying users")."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from source_fullstory.account.pages import Found, Listing, pages
from source_fullstory.account.place import Place
from source_fullstory.http import errors
from source_fullstory.http.api import Client
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.stream import FullStoryStream

_USERS = Listing("results", "page_token")
_SESSIONS = Listing("results")
_PEOPLE_PER_SLICE = 20
_SOME_IDS = 10_000
_MOST_REMEMBERED = 1_000_000
"""Uids, addresses and users, as numbers of 64 bits: some 60 MB. Beyond, one that comes again is asked for again."""
_MOST_REFUSED = 10
"""People, before the first that is answered, until it is clear that FullStory does not offer sessions at all; or one
after the other, later, until it is clear that it does so no more."""
_LIMITS = (1000, 100, 20)
"""How many sessions to ask for: the most is not documented, and without a number FullStory gives 20."""

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to ask for: one uid, or one e-mail address, and the first user card that has it."""

    by: str
    value: str
    user_id: str


@dataclass(slots=True)
class _UsersPage:
    """A page of the list of users, whose sessions are asked for in slices."""

    after: Place
    """Where the next one is."""
    waiting: int
    """Slices that are not through."""


@dataclass(slots=True)
class _ListUsers:
    """Slice: one page of users."""

    place: Place
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class _ReadSome:
    """Slice: the sessions of some people."""

    people: list[Person]
    page: _UsersPage


@dataclass(slots=True)
class _Counts:
    answered: int = 0
    refused: int = 0
    denied_in_a_row: int = 0
    nameless: int = 0
    shared: int = 0
    cut: int = 0

    def __str__(self) -> str:
        notes = [
            f"{self.answered:,} people asked for",
            f"{self.nameless:,} users left out that have no uid and no e-mail address",
        ]
        notes += [f"{self.shared:,} users that share the uid or address of another"] if self.shared else []
        notes += [f"{self.refused:,} that FullStory does not take"] if self.refused else []
        notes += [f"{self.cut:,} with more sessions than FullStory shows"] if self.cut else []
        return ", ".join(notes)


@dataclass(slots=True)
class _Seen:
    """What came before, by the hash, so that it neither is asked for nor comes twice. Not thread-safe."""

    asked: set[int] = field(default_factory=set)
    owners: set[int] = field(default_factory=set)
    """Users whose sessions are out."""

    def is_new(self, by: str, value: str) -> bool:
        before = len(self.asked)
        key = hash((by, value))
        if before < _MOST_REMEMBERED:
            self.asked.add(key)
            return len(self.asked) > before
        return key not in self.asked

    def add_owners(self, owners: set[str]) -> None:
        if len(self.owners) < _MOST_REMEMBERED:
            self.owners.update(map(hash, owners))


class SessionStream(FullStoryStream[_ListUsers | _ReadSome]):
    """The sessions of every user who has a `uid` or an e-mail address: a request for each distinct one. Slices are some
    people each, so that several are read side by side.

    State: the oldest page of users that is not through; see place.py.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: deque[_ListUsers | _ReadSome] = deque()
        self._walk: Iterator[Found] = iter(())
        self._pages: deque[_UsersPage] = deque()
        self._place = Place("")
        self._is_listed = False
        self._lock = Lock()
        self._limits = list(_LIMITS)
        self._seen = _Seen()
        self._some_ids: set[str] = set()
        self._ids_tell = False
        self._counts = _Counts()

    # reader.Stream

    def open(self, state: Mapping[str, Any]) -> None:
        self._place = Place.begin(state, self.api.sync_start)
        self._walk = pages(self.client, "/v2/users", _USERS, {}, self._place.token)
        self._waiting.append(_ListUsers(self._place, is_last=self._place.is_end))
        logger.info(
            f"{self.name}: FullStory is asked once for each uid or e-mail address, which takes long if there are many"
        )

    def take_slice(self) -> _ListUsers | _ReadSome | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def has_slices(self) -> bool:
        return bool(self._waiting)

    def read_slice(self, stream_slice: _ListUsers | _ReadSome) -> Iterator[Page | Estimate]:
        if isinstance(stream_slice, _ListUsers):
            self._list_users(stream_slice)
            return
        for person in stream_slice.people:
            yield self._sessions(person)

    def finish_slice(self, stream_slice: _ListUsers | _ReadSome) -> Mapping[str, Any]:
        with self._lock:
            if isinstance(stream_slice, _ListUsers):
                self._is_listed = stream_slice.is_last
            else:
                stream_slice.page.waiting -= 1
            while self._pages and not self._pages[0].waiting:
                after = self._pages.popleft().after
                self._place = after if after.token else self._place
            if self._is_listed and not self._pages:
                self._place = replace(self._place, is_end=True)
            return self._place.to_state()

    @property
    def goes_on(self) -> bool:
        return not self._place.is_start

    def usage(self) -> str:
        return f"{self._counts}, {super().usage()}"

    # users

    def _list_users(self, slice_: _ListUsers) -> None:
        """Queue the people of a page behind those who are waiting, and the next page behind them."""
        if slice_.place.is_end:
            return
        try:
            users, token = next(self._walk)
        except errors.FullStoryError as error:
            raise self.not_offered(error) from error
        after = replace(slice_.place, token=token)
        slice_.is_last = not token
        with self._lock:
            people = self._people(users)
            some = [people[at : at + _PEOPLE_PER_SLICE] for at in range(0, len(people), _PEOPLE_PER_SLICE)]
            page = _UsersPage(after, len(some))
            self._pages.append(page)
            self._waiting.extend(_ReadSome(each, page) for each in some)
            if token:
                self._waiting.append(_ListUsers(after))

    def _people(self, users: Page) -> list[Person]:
        people = []
        for user in users:
            if len(self._some_ids) < _SOME_IDS:
                self._some_ids.add(str(user.get("id")))
            by = next((name for name in ("uid", "email") if user.get(name)), "")
            if not by:
                self._counts.nameless += 1
            elif self._seen.is_new(by, str(user[by])):
                people.append(Person(by, str(user[by]), str(user.get("id"))))
            else:
                self._counts.shared += 1
        return people

    # their sessions

    def _sessions(self, person: Person) -> Page:
        try:
            rows, limit = self._with_limit({person.by: person.value})
        except errors.FullStoryError as error:
            self._leave_out(error)
            return []
        with self._lock:
            self._counts.answered += 1
            self._counts.denied_in_a_row = 0
            is_cut = len(rows) >= limit
            if is_cut:
                self._tell_of_cut(limit)
            return self._owned(person, rows, is_cut=is_cut)

    def _owned(self, person: Person, rows: Page, *, is_cut: bool) -> Page:
        """The rows under the users whose they are, without those that came with another answer.

        An id is documented as `user:session`; should the first part be none that the list of users knows, all are of
        the user who was asked for.
        """
        owners = [str(row.get("id")).partition(":")[0] for row in rows]
        self._ids_tell |= person.user_id in owners or not self._some_ids.isdisjoint(owners)
        if not self._ids_tell:
            return [{**row, "user_id": person.user_id} for row in rows]
        out = self._seen.owners
        new = [{**row, "user_id": owner} for row, owner in zip(rows, owners, strict=True) if hash(owner) not in out]
        if not is_cut:  # else another answer may have more of them
            self._seen.add_owners(set(owners))
        return new

    def _leave_out(self, error: errors.FullStoryError) -> None:
        """Someone whom FullStory does not take, or has deleted since. Raises NotOffered if it is the same with all."""
        is_denied = isinstance(error, errors.Denied)
        with self._lock:
            counts = self._counts
            counts.refused += 1
            counts.denied_in_a_row += is_denied
            refused = counts.refused
            never = not counts.answered and (is_denied or refused >= _MOST_REFUSED)
            no_more = counts.denied_in_a_row >= _MOST_REFUSED
        if never or no_more:
            raise self.not_offered(error) from error
        if refused == 1:
            logger.warning(f"{self.name}: users whom FullStory does not take are left out ({error})")

    def _with_limit(self, who: Mapping[str, Any]) -> tuple[Page, int]:
        """The sessions, and the greatest limit that FullStory takes."""
        for limit in list(self._limits):
            try:
                found = pages(self.client, "/v2/sessions", _SESSIONS, {**who, "limit": limit})
                rows = [row for page, _ in found for row in page]
            except errors.Refused:
                if limit == self._limits[-1]:
                    raise
            else:
                self._limits = [each for each in self._limits if each <= limit]
                return rows, limit
        raise RuntimeError("there is a limit")

    def _tell_of_cut(self, limit: int) -> None:
        self._counts.cut += 1
        if self._counts.cut == 1:
            logger.warning(
                f"{self.name}: a user has {limit:,} sessions or more, and FullStory shows the newest {limit:,} only"
            )

    # discover

    def probe(self, client: Client) -> None:
        """Users are listed for it; and nobody has this uid."""
        client.get("/v2/users")
        try:
            client.get("/v2/sessions", {"uid": "-", "limit": 1})
        except errors.Missing:
            return
