"""TABLE: what each CRM calls the properties that our features are made of, and what its words mean.

`sessions` and `channel` of a HubSpot contact come from HubSpot's own web analytics; `engaged_sessions` and
`is_first_visit` it does not count, so they are custom properties (GA4 has both). A property without a row keeps its
name, in the form that the CRM allows.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from data.domain.entity import EntityKind
from data.domain.outcome import LOST_FLAG, WON_FLAG

PROPERTIES: dict[str, dict[str, str]] = {
    "hubspot": {
        "sessions": "hs_analytics_num_visits",
        "page_views": "hs_analytics_num_page_views",
        "channel": "hs_analytics_source",
    },
}

WORDS: dict[tuple[str, str], dict[str, str]] = {
    ("hubspot", "channel"): {
        "ORGANIC_SEARCH": "organic_search",
        "PAID_SEARCH": "paid_search",
        "PAID_SOCIAL": "paid_social",
        "SOCIAL_MEDIA": "social",
        "EMAIL_MARKETING": "email",
        "REFERRALS": "referral",
        "DIRECT_TRAFFIC": "direct",
        "OTHER_CAMPAIGNS": "display",
        "OFFLINE": "offline",
        "AI_REFERRALS": "ai_referral",
    },
}

# What an alert says of a person, and how n8n's HubSpot node finds the record.
PERSON: dict[str, tuple[str, ...]] = {
    "hubspot": ("email", "firstname", "lastname", "company"),
    "pipedrive": ("email", "name", "org_name"),
    "generic": ("email", "name", "company"),
}
# What a CRM defines itself and most accounts fill: read with the account's own fields, to learn from.
USUAL: dict[str, tuple[str, ...]] = {
    "hubspot": ("lifecyclestage", "hs_lead_status", "jobtitle", "industry", "country", "numemployees", "annualrevenue",
                "num_contacted_notes", "hs_email_open", "hs_email_click"),
}  # fmt: skip
# By what else a person or a company is known: the further addresses and domains of a record, read with each.
ALSO_KNOWN_BY: dict[str, tuple[str, str]] = {"hubspot": ("hs_additional_emails", "hs_additional_domains")}
# What a deal is worth, and in which currency.
MONEY: dict[str, tuple[str, str]] = {
    "hubspot": ("amount", "deal_currency_code"),
    "pipedrive": ("value", "currency"),
    "generic": ("amount", "currency"),
}
# The same in the account's own currency, where the CRM converts it.
HOME_AMOUNT: dict[str, str] = {"hubspot": "amount_in_home_currency"}
# What a CRM makes itself of a record's other properties: its webhooks need not tell of it.
CALCULATED: dict[str, frozenset[str]] = {"hubspot": frozenset({WON_FLAG, LOST_FLAG, HOME_AMOUNT["hubspot"]})}
_EMAILS, _DOMAINS = ALSO_KNOWN_BY["hubspot"]
_OWNER, _WHEN = ("hubspot_owner_id",), ("hs_timestamp",)
# What is read of each kind of record besides the account's own properties, where a read gives only what is named; people first,
# for others name them.
READ: dict[str, dict[EntityKind, tuple[str, ...]]] = {
    "hubspot": {
        EntityKind.COMPANY: (
            "name", "domain", "website", "industry", "country", "numberofemployees", "annualrevenue", _DOMAINS, *_OWNER,
        ),
        EntityKind.CONTACT: (
            *PERSON["hubspot"], *PROPERTIES["hubspot"].values(), *USUAL["hubspot"], "phone", "associatedcompanyid", _EMAILS,
            *_OWNER,
        ),
        EntityKind.DEAL: (
            "dealname", "dealstage", "pipeline", *MONEY["hubspot"], *sorted(CALCULATED["hubspot"]), "closedate", "dealtype",
            *_OWNER,
        ),
        EntityKind.LEAD: ("hs_lead_name", "hs_pipeline_stage", "hs_lead_label", *_OWNER),
        EntityKind.TICKET: ("subject", "content", "hs_pipeline_stage", "hs_ticket_priority", *_OWNER),
        EntityKind.PRODUCT: ("name", "price", "hs_sku"),
        EntityKind.NOTE: ("hs_note_body", *_WHEN, *_OWNER),
        EntityKind.CALL: (
            "hs_call_title", "hs_call_body", "hs_call_duration", "hs_call_direction", "hs_call_disposition", *_WHEN, *_OWNER,
        ),
        EntityKind.MEETING: ("hs_meeting_title", "hs_meeting_body", "hs_meeting_outcome", *_WHEN, *_OWNER),
        EntityKind.EMAIL: ("hs_email_subject", "hs_email_text", "hs_email_direction", *_WHEN, *_OWNER),
        EntityKind.TASK: ("hs_task_subject", "hs_task_body", "hs_task_status", *_WHEN, *_OWNER),
    },
}  # fmt: skip
# Custom fields come under keys that only a look-up can name: what such a key looks like.
KEYS: dict[str, str] = {"pipedrive": "^[0-9a-f]{40}(_currency)?$"}
# The kinds of records whose fields the CRM names; a lead has the fields of the deal that it may become.
KEYED: dict[str, tuple[EntityKind, ...]] = {
    "pipedrive": (
        EntityKind.CONTACT,
        EntityKind.COMPANY,
        EntityKind.DEAL,
        EntityKind.LEAD,
        EntityKind.PRODUCT,
        EntityKind.ACTIVITY,
    ),
}
ALIASES: dict[str, dict[str, str]] = {"pipedrive": {"emails": "email"}}
# Which records went into one, as that one says: ids between semicolons, of contacts also `id:milliseconds`.
MERGED: dict[str, tuple[str, ...]] = {"hubspot": ("hs_merged_object_ids", "hs_calculated_merged_vids")}
# They move with every write, or name the record itself and those that became part of it: no value of it.
HOUSEKEEPING: dict[str, frozenset[str]] = {
    "hubspot": frozenset({"lastmodifieddate", "hs_lastmodifieddate", "hs_object_id", *MERGED["hubspot"]}),
}


def vendor_property(source: str, feature: str) -> str:
    """What the CRM calls it."""
    return PROPERTIES.get(source, {}).get(feature) or internal_name(feature)


def internal_name(column: str) -> str:
    """A column's name in the form that HubSpot allows: lower case, letters, digits and underscores, a letter first.

    >>> internal_name("Administrative_Duration")
    'administrative_duration'
    >>> internal_name("2nd visit?")
    'p_2nd_visit'
    """
    name = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    return name if name[:1].isalpha() else f"p_{name}"


def canonical(source: str, properties: Mapping[str, Any], features: Iterable[str]) -> dict[str, Any]:
    """A CRM's properties under our names; those that no feature asks for keep their own."""
    ours = our_names(source, features)
    return {ours.get(name, name): _word(source, ours.get(name, name), value) for name, value in properties.items()}


def our_names(source: str, features: Iterable[str]) -> dict[str, str]:
    """A CRM's name -> ours, for those properties that have another name here."""
    return {vendor_property(source, feature): feature for feature in features} | ALIASES.get(source, {})


def person_properties() -> set[str]:
    """What tells who somebody is, under the names of all CRMs."""
    return {name for names in (*PERSON.values(), *ALIASES.values()) for name in names}


def _word(source: str, feature: str, value: Any) -> Any:
    return WORDS.get((source, feature), {}).get(value, value) if isinstance(value, str) else value
