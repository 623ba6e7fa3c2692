"""TABLE of the records in which people write down what they heard and did, and of the properties that hold their words."""

from data.domain.entity import EntityKind

# HubSpot, Pipedrive, our own JSON. What is a task or an e-mail is no note: one says what is to be done, the other goes out.
WRITTEN: dict[EntityKind, tuple[str, ...]] = {
    EntityKind.NOTE: ("hs_note_body", "content", "body"),
    EntityKind.CALL: ("hs_call_body", "body"),
    EntityKind.MEETING: ("hs_meeting_body", "body"),
    EntityKind.ACTIVITY: ("note", "body"),
}
