"""Bundles into temporary files, some ahead of the one that is being read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.events.bundles import Bundle, list_bundles
from source_fullstory.files.download import Download
from source_fullstory.files.fetch import Fetch
from source_fullstory.files.space import SPACE, Share
from source_fullstory.files.spool import Spool
from source_fullstory.http import errors
from source_fullstory.http.api import Answered, Client
from source_fullstory.kit.errors import system_error, transient_error
from source_fullstory.kit.retry import GivenUp
from source_fullstory.rows.unpack import BadBundle, NotRows

logger = logging.getLogger("airbyte")


class NotThere(Exception):
    """The bundle was listed, and FullStory does not give it: it is gone, or has expired."""


def fetch(client: Client, bundle: Bundle, share: Share) -> Spool:
    """Download the bundle. Raises NotThere, NoRoom, Stopped, or AirbyteTracedException with the bundle's name."""
    what = f"the download of bundle {bundle.id}"
    download = Download(client, str(bundle), "/export/get", partial(client.api.open_bundle, bundle.id), share)

    def attempt(answered: Answered) -> Spool:
        return download.attempt(answered, prove=lambda _: None)

    try:
        try:
            return client.persist(what, client.api.downloads, attempt)
        except errors.Missing as error:
            if bundle not in list_bundles(client, bundle.stop - 1, until=bundle.stop):
                raise NotThere("was listed, and is gone") from error
            logger.info(f"{client.stream}: {bundle} is listed, but not there; trying once more")
            return client.persist(what, client.api.downloads, attempt)
    except errors.Missing as error:
        raise NotThere(f"is listed, but FullStory does not give it ({error})") from error
    except NotRows as error:
        raise unreadable(bundle, error) from error
    except GivenUp as given_up:
        raise _given_up(client, bundle, given_up) from given_up
    except errors.Denied as error:
        raise errors.no_data_export(str(error)) from error
    except errors.FullStoryError as error:
        raise _refused(bundle, error) from error


def fetch_now(client: Client, bundle: Bundle) -> Spool:
    """Likewise, with nothing else in turn."""
    return fetch(client, bundle, SPACE.share(ahead=False))


class Downloads:
    """Fetches `bundles` in their order, up to `ahead` of them beyond the one that was taken last."""

    def __init__(self, client: Client, bundles: Sequence[Bundle], ahead: int) -> None:
        self._client = client
        self._bundles = bundles
        self._ahead = ahead
        self._fetches: list[Fetch] = []

    def take(self, number: int) -> Spool:
        """Bundle `number`, once it is here. Ask for them in order. Raises as `fetch` does."""
        self._start_to(number + self._ahead)
        spool = self._fetches[number].take()
        self._start_to(number + 1 + self._ahead)
        for waiting in self._fetches[number + 1 :]:
            waiting.resume()
        return spool

    def _start_to(self, end: int) -> None:
        for bundle in self._bundles[len(self._fetches) : end]:
            self._fetches.append(Fetch(self._client, str(bundle.id), partial(fetch, self._client, bundle)))

    def close(self) -> None:
        """Drop what was downloaded and not taken."""
        for started in self._fetches:
            started.drop()


def unreadable(bundle: Bundle, error: BadBundle) -> AirbyteTracedException:
    return transient_error(
        f"FullStory's {bundle} {error}. The bundles before it are kept, and the next sync reads this one again. If it "
        "stays so, ask FullStory's support about this bundle, or choose a start date after it.",
        f"{bundle} {error}",
    )


def _given_up(client: Client, bundle: Bundle, given_up: GivenUp) -> AirbyteTracedException:
    if given_up.wait is not None:
        return errors.asked_to_wait(client.stream, str(bundle), given_up, given_up.wait)
    return transient_error(
        f"{client.stream}: {bundle} could not be downloaded: it {given_up}. The bundles before it are kept, "
        "and the next sync goes on with this one. If it breaks off again and again, choose a shorter bundle period in "
        "FullStory's Data Export settings, so that bundles become smaller, or ask FullStory's support about this one.",
        f"{bundle} {given_up.problem}",
    )


def _refused(bundle: Bundle, error: errors.FullStoryError) -> AirbyteTracedException:
    return system_error(
        f"FullStory lists {bundle}, but does not give it: {error}. The bundles before it are kept. Run the "
        "sync again; if it goes on, ask FullStory's support about this bundle.",
        str(error),
    )
