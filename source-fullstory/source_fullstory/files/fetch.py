"""Downloads ahead, in threads of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from source_fullstory.files.space import SPACE, NoRoom, Share
from source_fullstory.files.spool import Spool
from source_fullstory.http.api import Client
from source_fullstory.kit.contract import Stopped

logger = logging.getLogger("airbyte")


class Fetch:
    """A download under way in a daemon thread of its own, which ends with it and keeps no process alive.

    It is ahead until it is taken. What does not fit until then, or gets no thread, is downloaded when it is taken.
    """

    def __init__(self, client: Client, name: str, fetch: Callable[[Share], Spool]) -> None:
        self._client = client
        self._name = name
        self._fetch = fetch
        self._dropped = False
        self._run = self._start(ahead=True)

    @property
    def is_put_off(self) -> bool:
        return self._run.share.put_off or isinstance(self._run.error, NoRoom)

    def resume(self) -> None:
        """Try again to download it ahead, if it is put off."""
        if self.is_put_off and self._run.share.ahead:
            self._restart(ahead=True)

    def take(self) -> Spool:
        """What was downloaded, once it is here; the caller closes it. Raises what kept it from coming."""
        if not SPACE.take(self._run.share):
            self._restart(ahead=False)
        self._wait()
        if isinstance(self._run.error, NoRoom):
            self._restart(ahead=False)
            self._wait()
        spool, self._run.spool = self._run.spool, None
        if spool is None:
            raise self._run.error or Stopped
        return spool

    def _wait(self) -> None:
        run, tell = self._run, self._client.api.timing.tell
        while not run.done.wait(tell):
            if run.share.status:
                logger.info(f"{self._client.stream}: waits for {run.share.status}")

    def _restart(self, *, ahead: bool) -> None:
        if self._run.spool:
            self._run.spool.close()
        self._run = self._start(ahead=ahead)

    def _start(self, *, ahead: bool) -> _Run:
        run = _Run(SPACE.share(ahead=ahead))
        if ahead and SPACE.make_room(run.share, self._client.usage.largest_file):
            run.share.empty()  # without asking: each download that is not finished counts for the limit, too
            return run
        try:
            Thread(target=self._do, args=[run], name=f"download-{self._name}", daemon=True).start()
        except RuntimeError:  # the machine allows no more threads
            if ahead:
                run.share.empty()
            else:
                self._do(run)
        return run

    def _do(self, run: _Run) -> None:
        try:
            run.spool = self._fetch(run.share)
        except Exception as error:  # noqa: BLE001 - whoever takes it tells the user, whatever it is
            run.error = error
        run.done.set()
        if self._dropped or self._client.stopped.is_set():
            self.drop()

    def drop(self) -> None:
        """Close what was downloaded and not taken, or will be."""
        self._dropped = True
        if self._run.spool:
            self._run.spool.close()


class _Run:
    """One thread's work."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self.done = Event()
        self.spool: Spool | None = None
        self.error: Exception | None = None
