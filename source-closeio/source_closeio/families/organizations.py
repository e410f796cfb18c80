"""The organization of the key, and its members: https://developer.close.com/api/resources/organizations.

Close has no list of either: `me` names the organizations, and each says who its members are, and were.
"""

from __future__ import annotations

from collections.abc import Iterator

from source_closeio.families.lists import ListStream
from source_closeio.http.api import Client, CloseApi
from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused
from source_closeio.kit.contract import Page
from source_closeio.paging.ids import objects


def organizations(api: CloseApi, client: Client) -> Page:
    """The organizations, as they are; as a rule there is one."""

    return api.once(
        "organizations", lambda: _visible(client, objects(api.me(client).get("organizations"), "me/", "organizations"))
    )


def _visible(client: Client, named: Page) -> Page:
    """A user may belong to several organizations; the key belongs to one of them, and the others are refused."""
    found: Page = []
    refusals: list[CloseError] = []
    for each in named:
        try:
            found.append(client.get(f"organization/{each['id']}/"))
        except (Missing, NotOffered, Refused) as error:
            refusals.append(error)
    if refusals and not found:
        raise NotOffered(refusals[0].status, refusals[0].endpoint, refusals[0].text)
    for refusal in refusals:
        client.leave_out(refusal)
    return found


class OrganizationStream(ListStream):
    """Whole organizations."""

    is_probed = False

    def pages(self) -> Iterator[Page]:
        yield organizations(self.api, self.client)


class MembershipStream(ListStream):
    """Members of today and of old, whom records still name; `is_active` tells them apart."""

    is_probed = False

    def pages(self) -> Iterator[Page]:
        for organization in organizations(self.api, self.client):
            for name, is_active in (("memberships", True), ("inactive_memberships", False)):
                yield [
                    {**row, "is_active": is_active} for row in objects(organization.get(name), "organization/", name)
                ]
