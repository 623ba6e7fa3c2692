"""TABLES of what a Pipedrive account has from the start: kinds of records, their fields, its users, pipeline and currencies.

https://developers.pipedrive.com/docs/api/v1 (each kind's page, v2 where it has one), and the fields of each kind there.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """`entity` is its name in webhooks; `fields` its path for the fields; `v1` whether only the older API has it."""

    entity: str
    fields: str | None
    v1: bool = False
    custom: bool = True
    made: int = 200
    """The status with which a new one is answered."""
    blank: tuple[tuple[str, Any], ...] = ()
    """What a row shows where nothing was set."""


_PARTY: tuple[tuple[str, Any], ...] = (("owner_id", 1), ("visible_to", 3), ("label_ids", ()))
KINDS: dict[str, Kind] = {
    "persons": Kind("person", "personFields", blank=(
        ("name", None), ("first_name", None), ("last_name", None), ("org_id", None), ("emails", ()), ("phones", ()),
        ("im", ()), ("birthday", None), ("job_title", None), ("notes", None), ("picture_id", None), ("postal_address", None),
        *_PARTY)),
    "organizations": Kind("organization", "organizationFields", blank=(
        ("name", None), ("address", None), ("website", None), ("linkedin", None), ("industry", None), ("annual_revenue", None),
        ("employee_count", None), *_PARTY)),
    "deals": Kind("deal", "dealFields", blank=(
        ("title", None), ("value", 0), ("currency", "EUR"), ("status", "open"), ("pipeline_id", 1), ("stage_id", 1),
        ("person_id", None),
        ("org_id", None), ("probability", None), ("lost_reason", None), ("close_time", None), ("won_time", None),
        ("lost_time", None),
        ("expected_close_date", None), ("stage_change_time", None), ("is_archived", False),
        ("origin", "ManuallyCreated"), ("origin_id", None), ("channel", None), ("channel_id", None), ("source_lead_id", None),
        ("arr", None), ("mrr", None), ("acv", None), *_PARTY)),
    "activities": Kind("activity", "activityFields", custom=False, blank=(
        ("subject", None), ("type", "call"), ("done", False), ("busy", False), ("due_date", None), ("due_time", None),
        ("duration", None),
        ("deal_id", None), ("lead_id", None), ("person_id", None), ("org_id", None), ("note", None), ("public_description", None),
        ("location", None), ("participants", ()), ("attendees", ()), ("marked_as_done_time", None), ("owner_id", 1),
        ("priority", None), ("creator_user_id", 1), ("project_id", None), ("conference_meeting_client", None),
        ("conference_meeting_url", None), ("conference_meeting_id", None))),
    "products": Kind("product", "productFields", made=201, blank=(
        ("name", None), ("code", None), ("description", None), ("unit", None), ("tax", 0), ("category", None), ("prices", ()),
        ("billing_frequency", "one-time"), ("billing_frequency_cycles", None), ("is_linkable", True),
        ("owner_id", 1), ("visible_to", 3))),
    "pipelines": Kind("pipeline", None, custom=False, blank=(
        ("name", None), ("order_nr", 0), ("is_deal_probability_enabled", True))),
    "stages": Kind("stage", None, custom=False, blank=(
        ("name", None), ("pipeline_id", 1), ("order_nr", 0), ("deal_probability", 100), ("is_deal_rot_enabled", False),
        ("days_to_rotten", None))),
    "leads": Kind("lead", "leadFields", v1=True, made=201, blank=(
        ("title", None), ("owner_id", 1), ("creator_id", 1), ("label_ids", ()), ("person_id", None), ("organization_id", None),
        ("source_name", "API"), ("origin", "API"), ("origin_id", None), ("channel", None), ("channel_id", None),
        ("source_deal_id", None),
        ("is_archived", False), ("was_seen", False), ("value", None), ("expected_close_date", None), ("next_activity_id", None),
        ("visible_to", "3"), ("cc_email", "customer+leads@pipedrivemail.example"))),
    "notes": Kind("note", "noteFields", v1=True, custom=False, blank=(
        ("content", ""), ("user_id", 1), ("deal_id", None), ("person_id", None), ("org_id", None), ("lead_id", None),
        ("project_id", None), ("task_id", None), ("last_update_user_id", None),
        ("pinned_to_deal_flag", False), ("pinned_to_person_flag", False), ("pinned_to_organization_flag", False),
        ("pinned_to_project_flag", False), ("pinned_to_task_flag", False),
        ("deal", None), ("organization", None), ("person", None), ("project", None), ("task", None), ("user", None))),
    "users": Kind("user", None, v1=True, custom=False, blank=(
        ("name", None), ("email", None), ("default_currency", "EUR"), ("locale", "de_DE"), ("lang", 1), ("phone", None),
        ("activated", True), ("last_login", None), ("role_id", 1), ("timezone_name", "Europe/Berlin"),
        ("timezone_offset", "+01:00"),
        ("icon_url", None), ("has_created_company", False), ("access", ()))),
}  # fmt: skip
BY_FIELDS: dict[str, str] = {kind.fields: plural for plural, kind in KINDS.items() if kind.fields}
ARCHIVABLE = tuple(plural for plural, kind in KINDS.items() if "is_archived" in dict(kind.blank))
# A lead has the custom fields of a deal.
FIELDS_OF: dict[str, str] = {plural: "deals" if plural == "leads" else plural for plural in KINDS}

# key, name, type; what is the same everywhere comes first.
_EVERYWHERE = (
    ("id", "ID", "int"),
    ("add_time", "Created", "date"),
    ("update_time", "Updated", "date"),
    ("owner_id", "Owner", "user"),
)
_LABEL = (("label_ids", "Labels", "set"), ("visible_to", "Visible to", "visible_to"))
FIELDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "persons": (
        *_EVERYWHERE, ("name", "Name", "varchar"), ("first_name", "First name", "varchar"), ("last_name", "Last name", "varchar"),
        ("emails", "Email", "varchar"), ("phones", "Phone", "phone"), ("org_id", "Organization", "org"), *_LABEL,
    ),
    "organizations": (*_EVERYWHERE, ("name", "Name", "varchar"), ("address", "Address", "address"), *_LABEL),
    "deals": (
        *_EVERYWHERE, ("title", "Title", "varchar"), ("value", "Value", "monetary"), ("currency", "Currency", "varchar"),
        ("status", "Status", "status"), ("stage_id", "Stage", "stage"), ("pipeline_id", "Pipeline", "double"),
        ("person_id", "Contact person", "people"), ("org_id", "Organization", "org"), ("probability", "Probability", "int"),
        ("expected_close_date", "Expected close date", "date"), ("close_time", "Deal closed on", "date"),
        ("won_time", "Won time", "date"),
        ("lost_time", "Lost time", "date"), ("lost_reason", "Lost reason", "varchar_options"), *_LABEL,
    ),
    "leads": (*_EVERYWHERE, ("title", "Title", "varchar"), ("value", "Value", "monetary"),
        ("person_id", "Contact person", "people")),
    "activities": (
        *_EVERYWHERE, ("subject", "Subject", "varchar"), ("type", "Type", "enum"), ("done", "Done", "boolean"),
        ("due_date", "Due date", "date"), ("note", "Note", "text"), ("deal_id", "Deal", "deal"),
        ("person_id", "Contact person", "people"),
    ),
    "products": (*_EVERYWHERE, ("name", "Name", "varchar"), ("code", "Product code", "varchar"),
        ("prices", "Prices", "price_list")),
    "notes": (*_EVERYWHERE, ("content", "Content", "text"), ("deal_id", "Deal", "deal"),
        ("person_id", "Contact person", "people")),
}  # fmt: skip

# What every account has before anybody has made anything: kind, id, values.
FIRST_RECORDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("users", "1", {"name": "Mia Berg", "email": "mia@customer.example"}),
    ("users", "2", {"name": "Leo Wolf", "email": "leo@customer.example"}),
    ("pipelines", "1", {"name": "Sales pipeline", "order_nr": 1}),
    ("stages", "1", {"name": "Qualified", "pipeline_id": 1, "order_nr": 1, "deal_probability": 20}),
    ("stages", "2", {"name": "Contact made", "pipeline_id": 1, "order_nr": 2, "deal_probability": 40}),
    ("stages", "3", {"name": "Demo scheduled", "pipeline_id": 1, "order_nr": 3, "deal_probability": 60}),
    ("stages", "4", {"name": "Proposal made", "pipeline_id": 1, "order_nr": 4, "deal_probability": 80}),
    ("stages", "5", {"name": "Negotiations started", "pipeline_id": 1, "order_nr": 5, "deal_probability": 90}),
)


def no_custom_fields() -> dict[str, dict[str, dict[str, Any]]]:
    return {plural: {} for plural in KINDS}


def currencies() -> list[dict[str, Any]]:
    rows = (("EUR", "Euro", "€"), ("USD", "US Dollar", "$"), ("GBP", "Pound Sterling", "£"), ("CHF", "Swiss Franc", "CHF"))
    return [
        {
            "id": place,
            "code": code,
            "name": name,
            "symbol": symbol,
            "decimal_points": 2,
            "active_flag": True,
            "is_custom_flag": False,
        }
        for place, (code, name, symbol) in enumerate(rows, 1)
    ]
