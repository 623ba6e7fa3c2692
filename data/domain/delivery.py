"""A delivery: one thing to be sent to one destination, and what may become of it."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from data.domain.entity import EntityKind
from data.domain.event import OUR_PREFIX
from data.domain.outcome import Result

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 600.0
LONGEST_RETRY_AFTER_SECONDS = 86_400.0  # what a vendor asks for beyond a day is a mistake of its own


class DeliveryKind(StrEnum):
    WRITE_BACK = "write_back"  # fields on a CRM record; sending it twice does no harm
    ALERT = "alert"  # a message that people read; sending it twice is a fault
    ENDING = "ending"  # how it ended, put into the alert's own message; sending it twice does no harm


class DeliveryState(StrEnum):
    PENDING = "pending"  # waits for a carrier
    LEASED = "leased"  # a carrier has it; past `lease_until` it may be taken over
    CONFIRMED = "confirmed"  # the destination has it
    SUPERSEDED = "superseded"  # a newer prediction of the same entity took its place before it was sent
    DEAD = "dead"  # given up after the last attempt, or refused for good


class Carrier(StrEnum):
    """Who takes a delivery first."""

    N8N = "n8n"
    WORKER = "worker"


class PredictedFields(BaseModel):
    """What is written on a CRM record. Later models add fields; every name starts with `predicted_`, or it cannot be made."""

    model_config = ConfigDict(extra="allow")

    predicted_score: float | None = None
    predicted_grade: str | None = None
    predicted_label: str | None = None
    predicted_factors: str | None = None
    predicted_scored_at: str | None = None
    predicted_model_version: str | None = None
    predicted_combined_score: float | None = None
    predicted_combined_from: str | None = None
    predicted_expected_value: float | None = None
    predicted_currency: str | None = None
    predicted_expected_value_text: str | None = None
    predicted_record: str | None = None

    @model_validator(mode="after")
    def _are_ours(self) -> "PredictedFields":
        if strangers := sorted(name for name in self.model_extra or () if not name.startswith(OUR_PREFIX)):
            raise ValueError(f"{strangers[0]!r} does not start with {OUR_PREFIX}: it may be a customer's own")
        return self


def say_the_same(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Whether two sets of fields tell a reader the same: they differ in nothing but when they were made."""
    return all(some.get(name) == others.get(name) for name in {*some, *others} - {"predicted_scored_at"})


class WriteBack(BaseModel):
    """The content of a write-back: which record, and its fields. `email` is how n8n's HubSpot node finds it."""

    model_config = ConfigDict(extra="forbid")

    object: EntityKind
    id: str
    email: str | None
    properties: PredictedFields

    @model_validator(mode="after")
    def _is_the_record_s_own(self) -> "WriteBack":
        meant, here = self.properties.predicted_record, record_name(self.object, self.id)
        if meant is not None and meant != here:
            raise ValueError(f"these fields are for {meant}, not for {here}")
        return self


class Alert(BaseModel):
    """The content of an alert: a Block Kit message. One block's `block_id` carries the delivery's id."""

    model_config = ConfigDict(extra="forbid")

    channel: str
    block_id: str
    text: str
    blocks: list[dict[str, Any]]


def record_name(kind: EntityKind, number: str) -> str:
    """How a record is named on itself.

    >>> record_name(EntityKind.CONTACT, "42")
    'contact 42'
    """
    return f"{kind} {number}"


class Ending(BaseModel):
    """The content of an ending: which alert, and what became of whom it was about. The message is made when it is sent.

    Versions before 0018 stored that too: one of them may still be running beside this one.
    """

    model_config = ConfigDict(extra="ignore")

    channel: str
    alert_id: str
    result: Result
    ended_at: AwareDatetime
    taken_back: bool = False
    """It was opened again, or had never ended: the message says again what the alert said."""


def backoff(attempts: int, retry_after_seconds: float | None = None) -> timedelta:
    """How long to wait after the n-th failed attempt: doubling from one second to ten minutes.

    A vendor's own Retry-After wins where it asks for longer.
    """
    doubled = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=max(doubled, min(retry_after_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS)))
