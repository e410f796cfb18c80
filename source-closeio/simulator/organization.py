"""The organization, its members and what `/me/` says about the owner of the key.

https://developer.close.com/api/resources/users and …/organizations
"""

from __future__ import annotations

from typing import Any, Final

from .settings import Settings
from .store import Row

PERMISSIONS: Final = (
    "bulk_delete",
    "bulk_edit",
    "bulk_email",
    "delete_own_activities",
    "edit_own_activities",
    "export",
    "import",
    "manage_customizations",
    "manage_organization",
    "view_all_leads",
    "view_all_tasks",
)


def membership(settings: Settings, user: Row, organization_id: str, *, owner: bool) -> Row:
    """How a user belongs to the organization; the owner of the key has the role of the settings."""
    role = settings.role if owner else "user"
    granted = list(PERMISSIONS)
    if role == "restricted":
        granted = ["edit_own_activities"]
    elif role == "user":
        granted = ["edit_own_activities", "export", "view_all_leads", "view_all_tasks"]
    return {
        "auto_record_calls": "unset",
        "default_caller_id": None,
        "hangup_recording_url": None,
        "id": user["id"].replace("user_", "memb_"),
        "is_free": False,
        "may_workflows_impersonate": True,
        "onboarding_status": "completed",
        "organization_id": organization_id,
        "permissions_granted": granted,
        "plan_type": "enterprise",
        "primary_personal_number": None,
        "role": {"restricted": "restricteduser"}.get(role, role),
        "role_id": {"restricted": "restricteduser"}.get(role, role),
        "track_email_opens": True,
        "user_id": user["id"],
    }


def organization(organization_id: str, owner_id: str, parts: dict[str, list[Row]]) -> Row:
    """The organization as it stands inside `/me/` and, with its members, at its own address."""
    return {
        "currency": "USD",
        "currency_symbol": "$",
        "created_by": owner_id,
        "date_created": "2015-03-01T09:00:00.123000+00:00",
        "date_updated": "2026-01-15T10:30:00+00:00",
        "features": ["event_log", "custom_objects"],
        "id": organization_id,
        "leads_email": None,
        "name": "Sümulated & Sons 🏢",
        "plan_id": "sdr_20230601_v1",
        "plan_type": "sdr",
        "plan_version": 9,
        "status": "active",
        "transcript_enabled": True,
        "updated_by": owner_id,
        **parts,
    }


def me(settings: Settings, users: list[Row], organization_row: Row) -> Row:
    """`GET /me/`: the first user, with organizations and memberships as objects."""
    owner: dict[str, Any] = dict(users[0])
    organization_id = str(organization_row["id"])
    return owner | {
        "connected_accounts": [],
        "email_signatures": [],
        "memberships": [membership(settings, users[0], organization_id, owner=True)],
        "organizations": [organization_row],
        "phone_numbers": [],
    }


def with_members(settings: Settings, users: list[Row], organization_row: Row) -> Row:
    """`GET /organization/{id}/`: members with `user_*` fields, former ones apart."""
    organization_id = str(organization_row["id"])
    members = []
    for number, user in enumerate(users):
        names = {f"user_{name}": user[name] for name in ("email", "first_name", "last_name")}
        names |= {"user_full_name": f"{user['first_name']} {user['last_name']}", "user_phone": "15550100"}
        members.append(membership(settings, user, organization_id, owner=number == 0) | names)
    gone = {
        "id": "memb_former",
        "user_id": "user_former",
        "user_full_name": "Former Member",
        "user_email": "f@x.example",
    }
    inactive = [members[0] | gone] if members else []
    return organization_row | {"memberships": members, "inactive_memberships": inactive}
