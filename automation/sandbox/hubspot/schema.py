"""TABLES of what a HubSpot account has from the start: kinds of objects, properties, association types, pipelines, users.

https://developers.hubspot.com/docs/api-reference/latest/crm/understanding-the-crm (object type ids)
https://developers.hubspot.com/docs/api-reference/latest/crm/associations/association-details (association type ids)
https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
"""

from dataclasses import dataclass
from typing import Any

START = "2020-01-01T00:00:00.000Z"  # when the account was made: before anything in it


@dataclass(frozen=True)
class Kind:
    """`named`: webhooks call it by its name (`contact.creation`), others by the number of its type (`object.creation`)."""

    singular: str
    type_id: str
    named: bool
    created: str = "hs_createdate"
    modified: str = "hs_lastmodifieddate"
    shown: tuple[str, ...] = ()
    """What a read that names no properties gives, beside when it was made and changed."""


KINDS: dict[str, Kind] = {
    "contacts": Kind(
        "contact", "0-1", named=True, created="createdate", modified="lastmodifieddate", shown=("email", "firstname", "lastname")
    ),
    "companies": Kind("company", "0-2", named=True, created="createdate", shown=("domain", "name")),
    "deals": Kind(
        "deal", "0-3", named=True, created="createdate", shown=("amount", "closedate", "dealname", "dealstage", "pipeline")
    ),
    "tickets": Kind(
        "ticket",
        "0-5",
        named=True,
        created="createdate",
        shown=("content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "subject"),
    ),
    "products": Kind("product", "0-7", named=True, created="createdate", shown=("description", "name", "price")),
    "leads": Kind("lead", "0-136", named=False, shown=("hs_lead_name",)),
    "notes": Kind("note", "0-46", named=False),
    "calls": Kind("call", "0-48", named=False),
    "meetings": Kind("meeting", "0-47", named=False),
    "emails": Kind("email", "0-49", named=False),
    "tasks": Kind("task", "0-27", named=False),
}
NAMES: dict[str, str] = {alias.lower(): plural for plural, kind in KINDS.items() for alias in (plural, kind.singular, kind.type_id)}

# name, label, type, field type
_OWNED = (("hubspot_owner_id", "Owner", "enumeration", "select"),)
_TEXT, _AREA = ("string", "text"), ("string", "textarea")
_SEVERAL = ("enumeration", "checkbox")  # with semicolons between them
_NUMBER, _DAY, _FLAG = ("number", "number"), ("datetime", "date"), ("bool", "booleancheckbox")
_SELECT = ("enumeration", "select")
_ENGAGEMENT = (("hs_timestamp", "Activity date", *_DAY), *_OWNED)
DEFINED: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "contacts": (
        ("email", "Email", *_TEXT), ("hs_additional_emails", "Additional email addresses", *_SEVERAL),
        ("firstname", "First name", *_TEXT), ("lastname", "Last name", *_TEXT),
        ("company", "Company name", *_TEXT), ("phone", "Phone number", *_TEXT), ("jobtitle", "Job title", *_TEXT),
        ("country", "Country", *_TEXT), ("lifecyclestage", "Lifecycle stage", "enumeration", "radio"),
        ("hs_lead_status", "Lead status", "enumeration", "radio"), ("hs_analytics_num_visits", "Number of sessions", *_NUMBER),
        ("hs_analytics_num_page_views", "Number of page views", *_NUMBER), ("hs_analytics_source", "Original source", *_SELECT),
        ("associatedcompanyid", "Primary associated company", *_NUMBER), *_OWNED,
    ),
    "companies": (
        ("name", "Company name", *_TEXT), ("domain", "Company domain name", *_TEXT),
        ("hs_additional_domains", "Additional Domains", *_SEVERAL), ("industry", "Industry", *_SELECT),
        ("country", "Country", *_TEXT), ("phone", "Phone number", *_TEXT), ("numberofemployees", "Employees", *_NUMBER),
        ("annualrevenue", "Annual revenue", *_NUMBER), ("lifecyclestage", "Lifecycle stage", "enumeration", "radio"), *_OWNED,
    ),
    "deals": (
        ("dealname", "Deal name", *_TEXT), ("dealstage", "Deal stage", "enumeration", "radio"),
        ("pipeline", "Pipeline", *_SELECT),
        ("amount", "Amount", *_NUMBER), ("deal_currency_code", "Currency", *_SELECT), ("closedate", "Close date", *_DAY),
        ("dealtype", "Deal type", "enumeration", "radio"), ("closed_lost_reason", "Closed lost reason", *_AREA),
        ("hs_is_closed_won", "Is closed won", *_FLAG), ("hs_is_closed_lost", "Is closed lost", *_FLAG),
        ("hs_is_closed", "Is deal closed", *_FLAG), ("amount_in_home_currency", "Amount in company currency", *_NUMBER), *_OWNED,
    ),
    "leads": (
        ("hs_lead_name", "Lead name", *_TEXT), ("hs_lead_type", "Lead type", *_SELECT), ("hs_lead_label", "Lead label", *_SELECT),
        ("hs_pipeline", "Pipeline", *_SELECT), ("hs_pipeline_stage", "Pipeline stage", "enumeration", "radio"), *_OWNED,
    ),
    "tickets": (
        ("subject", "Ticket name", *_TEXT), ("content", "Ticket description", *_AREA), ("hs_pipeline", "Pipeline", *_SELECT),
        ("hs_pipeline_stage", "Ticket status", "enumeration", "radio"), ("hs_ticket_priority", "Priority", *_SELECT), *_OWNED,
    ),
    "products": (
        ("name", "Name", *_TEXT), ("description", "Product description", *_AREA), ("price", "Unit price", *_NUMBER),
        ("hs_sku", "SKU", *_TEXT),
    ),
    "notes": (*_ENGAGEMENT, ("hs_note_body", "Note body", *_AREA)),
    "calls": (
        *_ENGAGEMENT, ("hs_call_title", "Call title", *_TEXT), ("hs_call_body", "Call notes", *_AREA),
        ("hs_call_direction", "Call direction", *_SELECT), ("hs_call_duration", "Call duration", *_NUMBER),
        ("hs_call_disposition", "Call outcome", *_SELECT), ("hs_call_status", "Call status", *_SELECT),
        ("hs_call_recording_url", "Recording URL", *_TEXT),
    ),
    "meetings": (
        *_ENGAGEMENT, ("hs_meeting_title", "Meeting name", *_TEXT), ("hs_meeting_body", "Meeting description", *_AREA),
        ("hs_meeting_outcome", "Meeting outcome", *_SELECT), ("hs_meeting_start_time", "Meeting start time", *_DAY),
        ("hs_meeting_end_time", "Meeting end time", *_DAY),
    ),
    "emails": (
        *_ENGAGEMENT, ("hs_email_subject", "Email subject", *_TEXT), ("hs_email_text", "Email body", *_AREA),
        ("hs_email_direction", "Email direction", *_SELECT), ("hs_email_status", "Email send status", *_SELECT),
    ),
    "tasks": (
        *_ENGAGEMENT, ("hs_task_subject", "Task title", *_TEXT), ("hs_task_body", "Notes", *_AREA),
        ("hs_task_status", "Task status", *_SELECT), ("hs_task_priority", "Priority", *_SELECT),
        ("hs_task_type", "Task type", *_SELECT),
    ),
}  # fmt: skip

# From kind, to kind: the unlabelled type and, where there is one, the primary one.
_PAIRS: tuple[tuple[str, str, int, int, int | None, int | None], ...] = (
    ("contacts", "companies", 279, 280, 1, 2), ("deals", "contacts", 3, 4, None, None), ("deals", "companies", 341, 342, 5, 6),
    ("tickets", "contacts", 16, 15, None, None), ("tickets", "companies", 339, 340, 26, 25),
    ("deals", "tickets", 27, 28, None, None),
    ("leads", "contacts", 608, 607, 578, 577), ("leads", "companies", 610, 609, None, None),
    ("leads", "calls", 596, 595, None, None), ("leads", "emails", 598, 597, None, None),
    ("leads", "meetings", 600, 599, None, None),
    ("leads", "notes", 602, 601, None, None), ("leads", "tasks", 606, 605, None, None),
    *((kind, "contacts", place, place - 1, None, None)
      for kind, place in (("calls", 194), ("emails", 198), ("meetings", 200), ("notes", 202), ("tasks", 204))),
    *((kind, "companies", place, place - 1, None, None)
      for kind, place in (("calls", 182), ("emails", 186), ("meetings", 188), ("notes", 190), ("tasks", 192))),
    *((kind, "deals", place, place - 1, None, None)
      for kind, place in (("calls", 206), ("emails", 210), ("meetings", 212), ("notes", 214), ("tasks", 216))),
    *((kind, "tickets", place, place - 1, None, None)
      for kind, place in (("calls", 220), ("emails", 224), ("meetings", 226), ("notes", 228), ("tasks", 230))),
)  # fmt: skip
UNLABELLED = {(a, b): n for left, right, one, other, *_ in _PAIRS for a, b, n in ((left, right, one), (right, left, other))}
PRIMARY = {
    (a, b): n for left, right, _, _, one, other in _PAIRS for a, b, n in ((left, right, one), (right, left, other)) if n is not None
}

# What a private app is granted from the start: all that anything here asks for.
SCOPES = frozenset({
    *(f"crm.{part}.{kind}.{does}" for part in ("objects", "schemas") for kind in ("contacts", "companies", "deals", "leads")
      for does in ("read", "write")),
    "crm.objects.owners.read", "sales-email-read", "tickets", "e-commerce",
})  # fmt: skip

# What an account makes itself has numbers or UUIDs for ids, as the second pipeline of deals here.
_STAGES: dict[str, tuple[tuple[str, str, tuple[tuple[str, str, str, str], ...]], ...]] = {
    "deals": (
        ("default", "Sales Pipeline", (
            ("appointmentscheduled", "Appointment scheduled", "0.2", "false"),
            ("qualifiedtobuy", "Qualified to buy", "0.4", "false"),
            ("presentationscheduled", "Presentation scheduled", "0.6", "false"),
            ("decisionmakerboughtin", "Decision maker bought-in", "0.8", "false"),
            ("contractsent", "Contract sent", "0.9", "false"),
            ("closedwon", "Closed won", "1.0", "true"), ("closedlost", "Closed lost", "0.0", "true"),
        )),
        ("94650172", "Renewals", (
            ("174586371", "Renewal due", "0.5", "false"), ("174586372", "In talks", "0.7", "false"),
            ("9f0c2f4e-1d0b-4f5c-8a54-6c1f7f3f0a11", "Renewed", "1.0", "true"), ("174586374", "Not renewed", "0.0", "true"),
        )),
    ),
    "tickets": (("0", "Support Pipeline", (
        ("1", "New", "OPEN", "false"), ("2", "Waiting on contact", "OPEN", "false"), ("4", "Closed", "CLOSED", "true"),
    )),),
    "leads": (("lead-pipeline-id", "Lead pipeline", (
        ("new-stage-id", "New", "NEW", "false"), ("attempting-stage-id", "Attempting", "IN_PROGRESS", "false"),
        ("qualified-stage-id", "Qualified", "QUALIFIED", "true"), ("unqualified-stage-id", "Disqualified", "UNQUALIFIED", "true"),
    )),),
}  # fmt: skip
_STAGE_SAYS = {"deals": "probability", "tickets": "ticketState", "leads": "leadState"}


def properties() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> name -> definition, as HubSpot defines them itself."""
    return {plural: {row["name"]: row for row in _of_hubspot(plural, kind)} for plural, kind in KINDS.items()}


def groups() -> dict[str, dict[str, dict[str, Any]]]:
    return {
        plural: {(name := _group(plural)): {"name": name, "label": "Information", "displayOrder": 0, "archived": False}}
        for plural in KINDS
    }


def definition(*, name: str, **given: Any) -> dict[str, Any]:
    """A property as the API shows it, from what was asked for when it was made."""
    return {
        "name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation", "description": "",
        "options": [], "displayOrder": -1, "calculated": False, "externalOptions": False, "hasUniqueValue": False,
        "hidden": False,
        "formField": False, "archived": False, "hubspotDefined": False, "createdAt": START, "updatedAt": START,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
        **given,
    }  # fmt: skip


def owners() -> list[dict[str, Any]]:
    people = (("501", "Mia", "Berg"), ("502", "Leo", "Wolf"))
    return [
        {"id": number, "email": f"{first.lower()}@customer.example", "firstName": first, "lastName": last, "type": "PERSON",
         "userId": int(number) + 1000, "userIdIncludingInactive": int(number) + 1000, "createdAt": START, "updatedAt": START,
         "archived": False, "teams": []}
        for number, first, last in people
    ]  # fmt: skip


def pipelines() -> dict[str, list[dict[str, Any]]]:
    """Kind -> its pipelines with their stages."""
    return {kind: [_pipeline(kind, place, *row) for place, row in enumerate(rows)] for kind, rows in _STAGES.items()}


def _of_hubspot(plural: str, kind: Kind) -> list[dict[str, Any]]:
    frozen = {"archivable": False, "readOnlyDefinition": True, "readOnlyValue": True}
    own = (("hs_object_id", "Record ID", *_NUMBER), (kind.created, "Create date", *_DAY), (kind.modified, "Last modified", *_DAY))
    return [_given(plural, *row) for row in DEFINED[plural]] + [_given(plural, *row, modificationMetadata=frozen) for row in own]


def _given(plural: str, name: str, label: str, type_: str, field_type: str, **more: Any) -> dict[str, Any]:
    given = {"groupName": _group(plural), "hubspotDefined": True, **more}
    return definition(name=name, label=label, type=type_, fieldType=field_type, **given)


def _group(plural: str) -> str:
    return f"{KINDS[plural].singular}information"


def _pipeline(kind: str, order: int, number: str, label: str, stages: tuple[tuple[str, str, str, str], ...]) -> dict[str, Any]:
    dated = {"createdAt": START, "updatedAt": START, "archived": False}
    rows = [
        {"id": stage, "label": name, "displayOrder": place, "metadata": {_STAGE_SAYS[kind]: says, "isClosed": closed},
         "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT", **dated}
        for place, (stage, name, says, closed) in enumerate(stages)
    ]  # fmt: skip
    return {"id": number, "label": label, "displayOrder": order, "stages": rows, **dated}
