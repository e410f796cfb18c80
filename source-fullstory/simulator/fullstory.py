"""Everything behind the API, without HTTP: events, exports, the rest of the account, and what limits its use."""

from __future__ import annotations

from .account import Account, filled
from .export_data import ExportData
from .limits import Promises, RateLimit
from .operations import Operation
from .recording_settings import KINDS, RecordingSettings
from .rows import Row
from .segments import made_up
from .settings import Settings

OTHER_OPERATIONS = ("DELETE_USER", "DELETE_SESSION", "DELETE_SEGMENT_USERS", "DELETE_SEGMENT_SESSIONS")
OPENED = 1_577_836_800.0  # when the account was


class FullStory(ExportData):
    """An account."""

    storage_url = ""
    """The other host, where redirected downloads end up."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.account = Account()
        self.recording = RecordingSettings(self.settings.seed, OPENED)
        self.limits = {name: RateLimit() for name in ("downloads", "lists", "exports", "requests")}
        self.promises = Promises()

    def fill_account(self, count: int = 45) -> Account:
        """About `count` of everything: users, segments, versions … Replaces `account` and `recording`."""
        now = self.now()
        self.account = filled(self.settings.seed, now, count, self.settings.org_id)
        for segment in made_up(self.settings.seed, count):
            self.add_segment(segment)
        for number in range(count):
            kind = OTHER_OPERATIONS[number % len(OTHER_OPERATIONS)]
            self.add_operation(kind, when=now - (count - number) * 86_400, details={"uid": f"cust-{number}"})
        self.recording = RecordingSettings(self.settings.seed, OPENED)
        for kind, (_, platforms) in KINDS.items():
            for platform in platforms:
                for number in range(count):
                    self.change_setting(kind, platform, when=now - (count - number) * 86_400)
        return self.account

    def add_operation(
        self,
        type: str = "DELETE_USER",  # noqa: A002 - it is the operation's type
        state: str = "COMPLETED",
        when: float | None = None,
        details: object = None,
    ) -> Operation:
        """One that was not ordered over this API, such as the deletion of a person."""
        created = self.now() if when is None else when
        number = len(self.operations) + 1
        finished = None if state == "PENDING" else created + 60
        key = f"{type.lower()}-{number}-{int(created)}"
        operation = Operation(key, type, created, details, None, state, finished=finished, percent=100)
        operation.by_itself = True
        return self.operations.add(operation)

    def change_setting(
        self, kind: str, platform: str = "", when: float | None = None, values: Row | None = None
    ) -> Row:
        """A new version of a recording setting (blocking, domain, features, geo, privacy, targeting) at that time.

        It has the given values, or made-up ones.
        """
        return self.recording.change(kind, self.now() if when is None else when, platform, values)
