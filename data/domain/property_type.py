"""TABLE of the properties that have one meaning whoever sends them, for each kind of entity, and what values they take.

A value of another type is set aside with its event where it comes in our own JSON. A CRM's is stored as it comes, noted beside its
event, and counts as missing where a model has learned the property with its type. Any other property is the account's own: it is
typed where it is learned from.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from data.domain.entity import EntityKind


class PropertyType(StrEnum):
    TEXT = "text"
    EMAIL = "e-mail address"
    NUMBER = "number"
    COUNT = "count"
    BOOLEAN = "boolean"
    MOMENT = "date or time"
    CURRENCY = "currency"
    RESULT = "open, won or lost"


# What a value must be, and one that is.
WANTED: dict[PropertyType, tuple[str, Any]] = {
    PropertyType.TEXT: ("one value: a text, a number, true or false", "Abel Ltd"),
    PropertyType.EMAIL: ("an e-mail address", "ada@example.com"),
    PropertyType.NUMBER: ("a number", 1200.5),
    PropertyType.COUNT: ("a number of 0 or more", 4),
    PropertyType.BOOLEAN: ("true or false", True),
    PropertyType.MOMENT: ("a date or a time", "2026-01-31T12:00:00Z"),
    PropertyType.CURRENCY: ("the three letters of a currency", "EUR"),
    PropertyType.RESULT: ("open, won or lost", "won"),
}


# Texts as they may be, for the examples.
SAMPLES: dict[str, str] = {
    "firstname": "Ada",
    "lastname": "Abel",
    "name": "Abel Ltd",
    "phone": "+44 20 7946 0000",
    "channel": "organic_search",
    "domain": "abel.example",
    "industry": "steel",
    "country": "GB",
    "stage": "negotiation",
    "pipeline": "sales",
    "title": "50 desks",
    "subject": "Delivery date",
    "body": "Asked for a price.",
    "direction": "inbound",
    "outcome": "call again",
    "type": "call",
    "contact_id": "901",
    "company_id": "70",
    "deal_id": "5",
    "owner_id": "3",
    "pipeline_id": "1",
}


@dataclass(frozen=True)
class Property:
    name: str
    type: PropertyType
    means: str

    @property
    def example(self) -> Any:
        return SAMPLES.get(self.name, WANTED[self.type][1])


T = PropertyType
_OWNER = Property("owner_id", T.TEXT, "the customer's own user who looks after it")
_CONTACT = Property("contact_id", T.TEXT, "the contact that it is with")
_COMPANY = Property("company_id", T.TEXT, "the company that it belongs to")
_DEAL = Property("deal_id", T.TEXT, "the deal that it is about")
_AMOUNT = Property("amount", T.NUMBER, "what it is worth, in its currency")
_CURRENCY = Property("currency", T.CURRENCY, "ISO 4217, as EUR")
_ABOUT = (_CONTACT, _COMPANY, _DEAL, _OWNER)
_WHEN = Property("happened_at", T.MOMENT, "when it took place, or will")
_BODY = Property("body", T.TEXT, "what was written down")
_SUBJECT = Property("subject", T.TEXT, "its title")
_DONE = Property("done", T.BOOLEAN, "whether it is over")

PROPERTIES: dict[EntityKind, tuple[Property, ...]] = {
    EntityKind.CONTACT: (
        Property("email", T.EMAIL, "by it a person is known in all sources"),
        Property("firstname", T.TEXT, "for people to read"),
        Property("lastname", T.TEXT, "for people to read"),
        Property("name", T.TEXT, "for people to read, where it is not in two parts"),
        Property("phone", T.TEXT, "as it is dialled"),
        Property("sessions", T.COUNT, "visits to the web site"),
        Property("engaged_sessions", T.COUNT, "visits that lasted, or led to something"),
        Property("page_views", T.COUNT, "pages seen"),
        Property("is_first_visit", T.BOOLEAN, "whether this is the first visit"),
        Property("channel", T.TEXT, "where the visit came from"),
        _COMPANY,
        _OWNER,
    ),
    EntityKind.COMPANY: (
        Property("name", T.TEXT, "for people to read"),
        Property("domain", T.TEXT, "of its web site; by it a company is known in all sources"),
        Property("industry", T.TEXT, "what it does"),
        Property("country", T.TEXT, "where it is"),
        Property("numemployees", T.COUNT, "people who work there"),
        Property("annualrevenue", T.NUMBER, "a year's, in the account's currency"),
        _OWNER,
    ),
    EntityKind.DEAL: (
        Property("name", T.TEXT, "for people to read"),
        _AMOUNT,
        _CURRENCY,
        Property("stage", T.TEXT, "the step of its pipeline"),
        Property("pipeline", T.TEXT, "the pipeline that it is in"),
        Property("status", T.RESULT, "how it ended, if it has"),
        Property("close_date", T.MOMENT, "when it ended, or is expected to"),
        _CONTACT,
        _COMPANY,
        _OWNER,
    ),
    EntityKind.LEAD: (Property("title", T.TEXT, "for people to read"), _AMOUNT, _CURRENCY, _CONTACT, _COMPANY, _OWNER),
    EntityKind.TICKET: (_SUBJECT, _BODY, Property("stage", T.TEXT, "the step that it is at"), *_ABOUT),
    EntityKind.PRODUCT: (Property("name", T.TEXT, "for people to read"), Property("price", T.NUMBER, "of one"), _CURRENCY),
    EntityKind.NOTE: (_BODY, _WHEN, *_ABOUT),
    EntityKind.CALL: (
        _SUBJECT,
        _BODY,
        _WHEN,
        Property("duration_seconds", T.NUMBER, "how long it lasted"),
        Property("direction", T.TEXT, "inbound or outbound"),
        Property("outcome", T.TEXT, "what came of it"),
        *_ABOUT,
    ),
    EntityKind.MEETING: (_SUBJECT, _BODY, _WHEN, Property("outcome", T.TEXT, "what came of it"), *_ABOUT),
    EntityKind.EMAIL: (_SUBJECT, _BODY, _WHEN, Property("direction", T.TEXT, "inbound or outbound"), *_ABOUT),
    EntityKind.TASK: (_SUBJECT, _BODY, Property("due_at", T.MOMENT, "when it is to be done"), _DONE, *_ABOUT),
    EntityKind.ACTIVITY: (
        _SUBJECT,
        Property("type", T.TEXT, "call, meeting, task, or the account's own"),
        Property("due_at", T.MOMENT, "when it is to be done"),
        _DONE,
        *_ABOUT,
    ),
    EntityKind.USER: (Property("name", T.TEXT, "for people to read"), Property("email", T.EMAIL, "of the user")),
    EntityKind.PIPELINE: (Property("name", T.TEXT, "for people to read"),),
    EntityKind.STAGE: (
        Property("name", T.TEXT, "for people to read"),
        Property("pipeline_id", T.TEXT, "the pipeline that it is a step of"),
        Property("position", T.NUMBER, "its place among the steps"),
        Property("probability", T.NUMBER, "what the account takes for the chance of deals in it, in percent"),
    ),
    EntityKind.OTHER: (),
}
