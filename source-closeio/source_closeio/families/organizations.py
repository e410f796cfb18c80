"""The organization of the key, and its members: https://developer.close.com/api/resources/organizations.

Close has no list of either: `me` names the organizations, and each says who its members are, and were.
"""

from __future__ import annotations

from collections.abc import Iterator

from source_closeio.families.lists import ListStream
from source_closeio.http.api import Client, CloseApi
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit.contract import Page


def organizations(api: CloseApi, client: Client) -> Page:
    """The organizations, as they are; as a rule there is one."""

    def fetch() -> Page:
        try:
            own = api.me(client).get("organizations") or []
            return [client.get(f"organization/{each['id']}/") for each in own]
        except (Missing, Refused) as refusal:
            raise NotOffered(refusal.status, refusal.endpoint, refusal.text) from refusal

    return api.once("organizations", fetch)


class OrganizationStream(ListStream):
    """Whole organizations."""

    def pages(self) -> Iterator[Page]:
        yield organizations(self.api, self.client)


class MembershipStream(ListStream):
    """Members of today and of old, whom records still name; `is_active` tells them apart."""

    def pages(self) -> Iterator[Page]:
        for organization in organizations(self.api, self.client):
            for name, is_active in (("memberships", True), ("inactive_memberships", False)):
                yield [{**row, "is_active": is_active} for row in organization.get(name) or []]
