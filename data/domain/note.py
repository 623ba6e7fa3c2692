"""TABLES of the records in which people write down what they heard, or write to us, and of the properties with their words."""

from data.domain.entity import EntityKind

# HubSpot, Pipedrive, our own JSON. What is a task or an e-mail is no note: one says what is to be done, the other goes out.
WRITTEN: dict[EntityKind, tuple[str, ...]] = {
    EntityKind.NOTE: ("hs_note_body", "content", "body"),
    EntityKind.CALL: ("hs_call_body", "body"),
    EntityKind.MEETING: ("hs_meeting_body", "body"),
    EntityKind.ACTIVITY: ("note", "body"),
}

# What tells how somebody feels: what was written down of them, and the e-mails that they wrote. What a rep writes to them tells
# how a rep writes, so an e-mail that is said to have gone out is none.
HEARD: dict[EntityKind, tuple[str, ...]] = {**WRITTEN, EntityKind.EMAIL: ("hs_email_text", "hs_email_html", "body")}
DIRECTION: tuple[str, ...] = ("hs_email_direction", "direction")
WENT_OUT = frozenset({"email", "outbound", "outgoing"})  # HubSpot calls one that a rep sent EMAIL, and an answer INCOMING_EMAIL
