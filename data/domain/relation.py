"""TABLE of the properties that name another record, for each source and kind of record; and links, which are told by events."""

from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from data.domain.entity import EntityKind, EntityRef


class Role(StrEnum):
    """What the other record is to this one. An owner is one of the customer's own users, and no entity of ours."""

    COMPANY = "company"
    CONTACT = "contact"
    DEAL = "deal"
    LEAD = "lead"
    OWNER = "owner"


# What people do for a deal, or what is to become one.
WORK = (
    EntityKind.LEAD,
    EntityKind.TICKET,
    EntityKind.NOTE,
    EntityKind.CALL,
    EntityKind.MEETING,
    EntityKind.EMAIL,
    EntityKind.TASK,
)

RELATIONS: dict[tuple[str, EntityKind], dict[str, Role]] = {
    ("hubspot", EntityKind.CONTACT): {"associatedcompanyid": Role.COMPANY, "hubspot_owner_id": Role.OWNER},
    ("hubspot", EntityKind.COMPANY): {"hubspot_owner_id": Role.OWNER},
    ("hubspot", EntityKind.DEAL): {
        "associatedcompanyid": Role.COMPANY,
        "hs_primary_associated_company": Role.COMPANY,
        "hubspot_owner_id": Role.OWNER,
    },
    ("pipedrive", EntityKind.CONTACT): {"org_id": Role.COMPANY, "owner_id": Role.OWNER},
    ("pipedrive", EntityKind.COMPANY): {"owner_id": Role.OWNER},
    ("pipedrive", EntityKind.DEAL): {
        "person_id": Role.CONTACT,
        "org_id": Role.COMPANY,
        "owner_id": Role.OWNER,
        "user_id": Role.OWNER,
    },
    ("pipedrive", EntityKind.LEAD): {
        "person_id": Role.CONTACT,
        "organization_id": Role.COMPANY,
        "owner_id": Role.OWNER,
    },
    ("pipedrive", EntityKind.ACTIVITY): {
        "person_id": Role.CONTACT,
        "org_id": Role.COMPANY,
        "deal_id": Role.DEAL,
        "lead_id": Role.LEAD,
        "owner_id": Role.OWNER,
    },
    ("pipedrive", EntityKind.NOTE): {
        "person_id": Role.CONTACT,
        "org_id": Role.COMPANY,
        "deal_id": Role.DEAL,
        "lead_id": Role.LEAD,
        "user_id": Role.OWNER,
    },
    ("generic", EntityKind.CONTACT): {"company_id": Role.COMPANY, "owner_id": Role.OWNER},
    ("generic", EntityKind.COMPANY): {"owner_id": Role.OWNER},
    ("generic", EntityKind.DEAL): {"contact_id": Role.CONTACT, "company_id": Role.COMPANY, "owner_id": Role.OWNER},
}
RELATIONS |= {("hubspot", kind): {"hubspot_owner_id": Role.OWNER} for kind in WORK}
RELATIONS |= {
    ("generic", kind): {"contact_id": Role.CONTACT, "company_id": Role.COMPANY, "deal_id": Role.DEAL, "owner_id": Role.OWNER}
    for kind in (*WORK, EntityKind.ACTIVITY)
}

# The same by name alone, for frames of facts: no name has two roles.
ROLES: dict[str, Role] = {name: role for names in RELATIONS.values() for name, role in names.items()}


def target_of(entity: EntityRef, name: str, value: Any) -> EntityRef | None:
    """The record that a property's value names; None where the property is no relation, is empty, or names an owner."""
    role = RELATIONS.get((entity.source, entity.kind), {}).get(name)
    if role is None or role is Role.OWNER or value is None:
        return None
    try:
        return EntityRef(source=entity.source, kind=EntityKind(role.value), id=str(value).strip())
    except ValidationError:
        return None


# A fact by such a name says that its entity belongs to another: what comes after is the other's kind and id. It is no feature.
LINK = "link:"


def link_name(target: EntityRef) -> str:
    """
    >>> link_name(EntityRef(source="hubspot", kind=EntityKind.COMPANY, id="7"))
    'link:company:7'
    """
    return f"{LINK}{target.kind}:{target.id}"
