"""HubSpot through its own SDK: batch read, batch update (207 matched row by row), properties."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hubspot.crm import companies, contacts, deals, objects, properties

from automation.clients.account import AccountAsked, account_of
from automation.clients.base import LABELS_SECONDS, TIMEOUT_SECONDS, Record, Write
from automation.clients.hubspot_sdk import SdkCalls
from automation.clients.hubspot_stages import standing_of
from automation.clients.limit_headers import hubspot_rest
from automation.clients.pace import Pace, Unpaced
from data.domain.entity import EntityKind
from data.domain.event import OUR_PREFIX
from data.domain.money import Account
from data.domain.outcome import Standing
from data.domain.pace import Rate
from data.errors import Permanent, Retryable, VendorError
from data.log import get_logger
from data.redaction import shortened

OBJECTS: dict[EntityKind, str] = {
    EntityKind.CONTACT: "contacts",
    EntityKind.COMPANY: "companies",
    EntityKind.DEAL: "deals",
    EntityKind.LEAD: "leads",
    EntityKind.TICKET: "tickets",
    EntityKind.PRODUCT: "products",
    EntityKind.NOTE: "notes",
    EntityKind.CALL: "calls",
    EntityKind.MEETING: "meetings",
    EntityKind.EMAIL: "emails",
    EntityKind.TASK: "tasks",
}
MODULES: dict[EntityKind, Any] = {EntityKind.CONTACT: contacts, EntityKind.COMPANY: companies, EntityKind.DEAL: deals}
GROUP = "leadloop"
ALREADY_THERE = 409
OWN_PROPERTIES_SECONDS = 300.0
OWNERS_PAGE = 500
ACCOUNT_PATH = "/account-info/v3/details"
TOKEN_PATH = "/oauth/v2/private-apps/get/access-token-info"  # noqa: S105 it takes one
# HubSpot's categories of what passes by itself: a row of a batch that is refused so goes out again. All others stay.
PASSING = frozenset({"INTERNAL_ERROR", "RATE_LIMITS", "CONFLICT", "LOCKED"})

log = get_logger("clients")


class HubSpotClient:
    """Implements `automation.clients.base.Crm`. HubSpot takes 100 inputs a batch."""

    limit = "hubspot"
    batch_size = 100
    write_size = 100

    def __init__(self, access_token: str, base_url: str, *, pace: Pace | None = None, calls_per_10_seconds: int = 100) -> None:
        self._calls = SdkCalls()
        self.sdk = self._calls.sdk(access_token, base_url.rstrip("/"))
        self.pace, self.rate = pace or Unpaced(), rate_of(calls_per_10_seconds)
        self._own: dict[EntityKind, tuple[float, tuple[str, ...]]] = {}
        self._labels: dict[EntityKind, tuple[float, dict[str, str]]] = {}
        self._lock = threading.Lock()
        self._account = AccountAsked(self._ask_account)

    def read(self, kind: EntityKind, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Record | VendorError]:
        inputs = [objects.SimplePublicObjectId(id=number) for number in ids]
        body = objects.BatchReadInputSimplePublicObjectId(inputs=inputs, properties=list(properties), properties_with_history=[])
        api = self.sdk.crm.objects.batch_api
        answer = self.called(lambda: api.read(OBJECTS[kind], body, _request_timeout=TIMEOUT_SECONDS))
        refused = {number: error for number, error in row_errors(answer).items() if isinstance(error, Retryable)}
        return {**refused, **{row.id: Record(row.id, dict(row.properties), utc(row.created_at)) for row in answer.results}}

    def write(self, kind: EntityKind, writes: Sequence[Write]) -> dict[str, VendorError]:
        module = MODULES[kind]
        inputs = [
            module.SimplePublicObjectBatchInput(
                id=write.id,
                object_write_trace_id=write.id,
                properties={name: property_text(value) for name, value in write.properties.items()},
            )
            for write in writes
        ]
        body = module.BatchInputSimplePublicObjectBatchInput(inputs=inputs)
        answer = self.called(lambda: self._batch(kind).update(body, _request_timeout=TIMEOUT_SECONDS))
        failures = row_errors(answer)
        done = {row.id for row in answer.results}
        for write in writes:
            if write.id not in done and write.id not in failures:
                failures[write.id] = Retryable("HubSpot answered for the batch but not for this row")
        return failures

    def own_properties(self, kind: EntityKind) -> Sequence[str]:
        """Those that HubSpot does not define and that are not ours; what was asked for is good for a few minutes."""
        with self._lock:
            found = self._own.get(kind)
        if found is None or time.monotonic() - found[0] > OWN_PROPERTIES_SECONDS:
            found = time.monotonic(), self._asked_for_own(kind)
            with self._lock:
                self._own[kind] = found
        return found[1]

    def _asked_for_own(self, kind: EntityKind) -> tuple[str, ...]:
        api = self.sdk.crm.properties.core_api
        try:
            rows = self.called(lambda: api.get_all(OBJECTS[kind], _request_timeout=TIMEOUT_SECONDS)).results
        except Permanent as error:  # A token without crm.schemas.*.read: the rest of the record can be read all the same.
            log.warning("hubspot.own_properties.refused", kind=kind, reason=error.detail)
            return ()
        return tuple(row.name for row in rows if not row.hubspot_defined and not row.name.startswith(OUR_PREFIX))

    def names(self, kind: EntityKind) -> dict[str, str]:
        return {}

    def labels(self, kind: EntityKind) -> dict[str, str]:
        with self._lock:
            found = self._labels.get(kind)
        if found is None or time.monotonic() - found[0] > LABELS_SECONDS:
            found = time.monotonic(), self._asked_for_labels(kind)
            with self._lock:
                self._labels[kind] = found
        return found[1]

    def _asked_for_labels(self, kind: EntityKind) -> dict[str, str]:
        try:
            if kind is EntityKind.USER:
                return self._owners()
            rows = self._pipelines()
        except Permanent as error:  # A token without crm.objects.owners.read or crm.objects.deals.read: the ids have to do.
            log.warning("hubspot.labels.refused", kind=kind, reason=error.detail)
            return {}
        named = rows if kind is EntityKind.PIPELINE else [stage for row in rows for stage in row.stages]
        return {row.id: row.label for row in named}

    def stages(self) -> dict[str, Standing]:
        """Of all pipelines of deals, as they are now."""
        return {stage.id: standing_of(stage.metadata or {}) for row in self._pipelines() for stage in row.stages}

    def _pipelines(self) -> Any:
        api = self.sdk.crm.pipelines.pipelines_api
        return self.called(lambda: api.get_all(OBJECTS[EntityKind.DEAL], _request_timeout=TIMEOUT_SECONDS)).results

    def _owners(self) -> dict[str, str]:
        api, found, after = self.sdk.crm.owners.owners_api, {}, None
        while True:
            page = {"limit": OWNERS_PAGE} if after is None else {"limit": OWNERS_PAGE, "after": after}
            answer = self.called(partial(api.get_page, **page, _request_timeout=TIMEOUT_SECONDS))
            for row in answer.results:
                found[row.id] = " ".join(filter(None, (row.first_name, row.last_name))) or row.email or row.id
            after = answer.paging.next.after if answer.paging and answer.paging.next else None
            if after is None:
                return found

    def account(self) -> Account:
        """HubSpot knows a company currency and no locale."""
        return self._account()

    def _ask_account(self) -> Account:
        return account_of(self._object(ACCOUNT_PATH, "GET").get("companyCurrency"))

    def scopes(self) -> frozenset[str]:
        """What the token of the private app was granted. Raises Retryable or Permanent."""
        # Besides the header, which it needs outside of North America, it takes the token in the body.
        found = self._object(TOKEN_PATH, "POST", body={"tokenKey": self.sdk.access_token}).get("scopes")
        if not isinstance(found, list):
            raise Permanent("HubSpot does not tell the scopes of this token: it is none of a private app")
        return frozenset(map(str, found))

    def missing_properties(self, kind: EntityKind, wanted: Sequence[str]) -> list[str]:
        """Those of some properties that the account does not have. Raises Retryable or Permanent."""
        there = {row.name for row in self.called(lambda: self.sdk.crm.properties.core_api.get_all(OBJECTS[kind])).results}
        return [name for name in wanted if name not in there]

    def unreadable(self, kinds: Sequence[EntityKind]) -> dict[EntityKind, str]:
        """The kinds of records that the token may not read, with what HubSpot says to it. Raises Retryable."""
        refused = {}
        for kind in kinds:
            try:
                self.called(
                    partial(self.sdk.crm.objects.basic_api.get_page, OBJECTS[kind], limit=1, _request_timeout=TIMEOUT_SECONDS)
                )
            except Permanent as error:
                refused[kind] = error.detail
        return refused

    def ensure_properties(self, kind: EntityKind, wanted: Sequence[dict[str, Any]]) -> list[str]:
        """Creates the property group and what is missing of the properties; returns the names that were created."""
        api = self.sdk.crm.properties
        group = properties.PropertyGroupCreate(name=GROUP, label="Leadloop")
        self.called(lambda: api.groups_api.create(OBJECTS[kind], group), passable=ALREADY_THERE)
        there = {row.name for row in self.called(lambda: api.core_api.get_all(OBJECTS[kind])).results}
        missing = [row for row in wanted if row["name"] not in there]
        for row in missing:
            create = properties.PropertyCreate(group_name=GROUP, **row)
            self.called(partial(api.core_api.create, OBJECTS[kind], create), passable=ALREADY_THERE)
        return [row["name"] for row in missing]

    def _object(self, path: str, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """For what the SDK has no method: its own transport has, with the credentials and the host."""
        api = self.sdk.crm.properties.core_api.api_client
        sends = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        answer = self.called(
            lambda: api.call_api(
                path, method, header_params=sends, body=body, auth_settings=["oauth2"],
                _preload_content=False, _request_timeout=TIMEOUT_SECONDS,
            )
        )  # fmt: skip
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Retryable(f"HubSpot answered to {path} with something that is no JSON object")
        return found

    def _batch(self, kind: EntityKind) -> Any:
        return getattr(self.sdk.crm, OBJECTS[kind]).batch_api

    def called(self, call: Callable[[], Any], *, passable: int | None = None) -> Any:
        """A call of the SDK within the pace; its errors become ours."""
        with self.pace.call(self.limit, self.rate, vendor=self.limit) as turn:
            try:
                return self._calls.answer(call, passable)
            finally:
                turn.rest_seconds = hubspot_rest(self._calls.headers)


def rate_of(calls_per_10_seconds: int) -> Rate:
    """HubSpot counts calls in windows of ten seconds. Half of a window's may go out at once."""
    return Rate(calls=calls_per_10_seconds, per_seconds=10.0, burst=max(1, calls_per_10_seconds // 2))


def utc(moment: datetime) -> datetime:
    """A moment as the SDK gives it: with no zone, it is in UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def property_text(value: Any) -> str:
    """HubSpot keeps every property as text; a missing one is the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def row_errors(answer: Any) -> dict[str, VendorError]:
    """Of a batch's answer, 200 or 207: the rows that were refused, and why."""
    found: dict[str, VendorError] = {}
    for error in getattr(answer, "errors", None) or []:
        context = error.context or {}
        # The trace id is our own row; errors about unknown ids come with `ids` instead.
        for row in (*context.get("objectWriteTraceId", ()), *context.get("ids", ())):
            kind = Retryable if error.category in PASSING else Permanent
            found[str(row)] = kind(shortened(f"HubSpot refused this row: {error.category}: {error.message}", 500))
    return found
