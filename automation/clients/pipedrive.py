"""Pipedrive over HTTP (it has no SDK that is kept up): API v2 for records, v1 for the schema of their fields."""

import threading
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

import httpx

from automation.clients.account import AccountAsked, account_of
from automation.clients.base import LABELS_SECONDS, TIMEOUT_SECONDS, Record, Write, retry_after
from automation.clients.limit_headers import pipedrive_rest, wait_of_refusal
from automation.clients.pace import Pace, Turn, Unpaced
from automation.clients.pipedrive_schema import KEY_LENGTH, Schema, schema_of
from automation.sources.pipedrive import created_at, flat
from data.domain.entity import EntityKind
from data.domain.money import Account
from data.domain.outcome import Standing
from data.domain.pace import Rate
from data.errors import Gone, Permanent, Retryable, VendorError
from data.log import get_logger
from data.redaction import shortened
from data.tls import shared_context

PATHS: dict[EntityKind, str] = {
    EntityKind.CONTACT: "persons",
    EntityKind.COMPANY: "organizations",
    EntityKind.DEAL: "deals",
    EntityKind.PRODUCT: "products",
    EntityKind.ACTIVITY: "activities",
}
FIELD_PATHS: dict[EntityKind, str] = {
    EntityKind.CONTACT: "personFields",
    EntityKind.COMPANY: "organizationFields",
    EntityKind.DEAL: "dealFields",
    EntityKind.LEAD: "dealFields",  # a lead has the fields of the deal that it may become
    EntityKind.PRODUCT: "productFields",
    EntityKind.ACTIVITY: "activityFields",
}
# No account has as many as a page holds.
LABEL_PATHS: dict[EntityKind, str] = {
    EntityKind.USER: "/v1/users",
    EntityKind.PIPELINE: "/api/v2/pipelines?limit=500",
    EntityKind.STAGE: "/api/v2/stages?limit=500",
}
# How long an account's fields are good, and how soon they are asked for again where a record has one that is not among them.
NAMES_SECONDS, UNNAMED_SECONDS = 300.0, 10.0
GONE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
LEAD_LABELS = "/v1/leadLabels"

log = get_logger("clients")


class PipedriveClient:
    """Implements `automation.clients.base.Crm`. Reads 100 at a time; writes one by one, as the API has no batch."""

    limit = "pipedrive"
    batch_size = 100
    write_size = 5  # a call each: more would outlive a lease when Pipedrive is slow

    def __init__(self, api_token: str, base_url: str, *, pace: Pace | None = None, calls_per_2_seconds: int = 20) -> None:
        self._pace, self.rate = pace or Unpaced(), rate_of(calls_per_2_seconds)
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"), headers={"x-api-token": api_token}, timeout=TIMEOUT_SECONDS, trust_env=False,
            verify=shared_context(),
        )  # fmt: skip
        self._schemas: dict[EntityKind, tuple[float, Schema]] = {}
        self._labels: dict[EntityKind, tuple[float, dict[str, str]]] = {}
        self._lock = threading.Lock()
        self._account = AccountAsked(self._ask_account)

    def read(self, kind: EntityKind, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Record | VendorError]:
        found = self._listed(PATHS[kind], ids)
        if kind is EntityKind.DEAL and (left := [number for number in ids if number not in found]):
            found |= self._listed(f"{PATHS[kind]}/archived", left)
        self._forget_fields_without(kind, {key for record in found.values() for key in record.properties})
        return dict(found)

    def _forget_fields_without(self, kind: EntityKind, keys: Set[str]) -> None:
        """What was added to the account a moment ago has its name at once: without it, nobody could be scored by it."""
        with self._lock:
            asked_at, schema = self._schemas.get(kind, (0.0, None))
            unnamed = schema is not None and any(len(key) == KEY_LENGTH for key in keys - schema.names.keys())
            if unnamed and time.monotonic() - asked_at > UNNAMED_SECONDS:
                del self._schemas[kind]

    def _listed(self, path: str, ids: Sequence[str]) -> dict[str, Record]:
        rows = self._call("GET", f"/api/v2/{path}", params={"ids": ",".join(ids), "limit": str(len(ids))})
        return {str(row["id"]): Record(str(row["id"]), flat(row), created_at(row)) for row in rows}

    def write(self, kind: EntityKind, writes: Sequence[Write]) -> dict[str, VendorError]:
        keys = {name: key for key, name in self.schema(kind).names.items()}
        failures: dict[str, VendorError] = {}
        asked_again = False
        for write in writes:
            unknown = sorted(write.properties.keys() - keys.keys())
            if unknown and not asked_again:
                asked_again, keys = True, {name: key for key, name in self._fresh_schema(kind).names.items()}
                unknown = sorted(write.properties.keys() - keys.keys())
            if unknown:
                failures[write.id] = Permanent(f"Pipedrive has no field {', '.join(unknown)}: run `leadloop pipedrive setup`")
                continue
            fields = {keys[name]: value for name, value in write.properties.items()}
            try:
                self._call("PATCH", f"/api/v2/{PATHS[kind]}/{write.id}", json={"custom_fields": fields})
            except VendorError as error:
                failures[write.id] = error
        return failures

    def own_properties(self, kind: EntityKind) -> Sequence[str]:
        return ()

    def names(self, kind: EntityKind) -> dict[str, str]:
        """Custom field key -> name, and `key=option` -> what people call the option."""
        schema = self.schema(kind)
        return {**schema.names, **schema.labels}

    def schema(self, kind: EntityKind) -> Schema:
        """What the account calls its fields and their options; good for a few minutes. Raises Retryable or Permanent."""
        with self._lock:
            found = self._schemas.get(kind)
        if found is not None and time.monotonic() - found[0] < NAMES_SECONDS:
            return found[1]
        return self._fresh_schema(kind)

    def labels(self, kind: EntityKind) -> dict[str, str]:
        with self._lock:
            found = self._labels.get(kind)
        if found is None or time.monotonic() - found[0] > LABELS_SECONDS:
            rows = self._call("GET", LABEL_PATHS[kind])
            found = time.monotonic(), {str(row["id"]): str(row["name"]) for row in rows}
            with self._lock:
                self._labels[kind] = found
        return found[1]

    def stages(self) -> dict[str, Standing]:
        """None: a deal has a `status` beside its stage."""
        return {}

    def _fresh_schema(self, kind: EntityKind) -> Schema:
        rows = self._call("GET", f"/v1/{FIELD_PATHS[kind]}", params={"limit": "500"})
        found = schema_of(rows, self._lead_labels() if kind is EntityKind.LEAD else None)
        with self._lock:
            self._schemas[kind] = time.monotonic(), found
        return found

    def _lead_labels(self) -> list[dict[str, Any]]:
        try:
            return list(self._call("GET", LEAD_LABELS))
        except Permanent as error:  # who may not see leads has none whose labels these are
            log.info("pipedrive.lead_labels.refused", reason=error.detail)
            return []

    def missing_properties(self, kind: EntityKind, wanted: Sequence[str]) -> list[str]:
        """Those of some custom fields that the account does not have. Raises Retryable or Permanent."""
        there = set(self._fresh_schema(kind).names.values())
        return [name for name in wanted if name not in there]

    def has_webhook(self, url: str, user: str, password: str) -> bool:
        """Whether one that is alive tells this address everything, with this user and password. Raises Retryable or Permanent."""
        wanted = _webhook(url, user, password)
        return any(_fits(row, wanted) for row in self._call("GET", "/v1/webhooks"))

    def ensure_properties(self, kind: EntityKind, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
        """Creates the custom fields that are missing; returns their names."""
        there = set(self.schema(kind).names.values())
        missing = [row for row in wanted if row["name"] not in there]
        for row in missing:
            self._call("POST", f"/v1/{FIELD_PATHS[kind]}", json={"name": row["name"], "field_type": row["field_type"]})
        with self._lock:
            self._schemas.pop(kind, None)
        return [row["name"] for row in missing]

    def ensure_webhook(self, url: str, user: str, password: str) -> bool:
        """Has everything that happens told to an address, with HTTP Basic; whether that is new.

        One of another password, or of less, gives way to it, so that a password is changed by running this again.
        https://developers.pipedrive.com/docs/api/v1/Webhooks: one that was not answered for three days is gone, and made anew.
        """
        wanted = _webhook(url, user, password)
        there = [row for row in self._call("GET", "/v1/webhooks") if row.get("subscription_url") == url]
        fitting = [row for row in there if _fits(row, wanted)]
        if not fitting:
            self._call("POST", "/v1/webhooks", json=wanted)
        for row in there:
            if row not in fitting:
                self._call("DELETE", f"/v1/webhooks/{row['id']}")
        return not fitting

    def account(self) -> Account:
        """As the user sees it whose token this is; `locale` is the form of dates and numbers, not the language."""
        return self._account()

    def _ask_account(self) -> Account:
        user = self._call("GET", "/v1/users/me")
        return account_of(user.get("default_currency"), user.get("locale")) if isinstance(user, dict) else Account()

    def one(self, path: str) -> dict[str, Any]:
        """A single record. Raises Gone: there is none, or none that this user may see. Raises Retryable or Permanent."""
        found = self._call("GET", path)
        return found if isinstance(found, dict) else {}

    def page(self, path: str, **query: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """One page of a list: its rows, and what is said of the next one. Raises Retryable or Permanent."""
        body = self._body("GET", path, params=query)
        return body.get("data") or [], body.get("additional_data") or {}

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._body(method, path, **options).get("data") or []

    def _body(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        with self._pace.call(self.limit, self.rate, vendor=self.limit) as turn:
            return self._answer(turn, method, path, **options)

    def _answer(self, turn: Turn, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Retryable(f"Pipedrive cannot be reached: {type(error).__name__}", unsure=True) from None
        turn.rest_seconds = pipedrive_rest(answer.headers)
        if answer.status_code == 429:
            wait = wait_of_refusal(answer.headers, retry_after(answer.headers.get("x-ratelimit-reset")))
            raise Retryable("Pipedrive answered 429", retry_after_seconds=wait, limited=True)
        if answer.status_code == 401 or answer.status_code >= 500:
            wait = retry_after(answer.headers.get("Retry-After"))
            raise Retryable(f"Pipedrive answered {answer.status_code}", retry_after_seconds=wait)
        try:
            body = answer.json()
        except ValueError:
            raise Retryable(f"Pipedrive answered {answer.status_code} with something that is not JSON") from None
        if not body.get("success"):
            kind = Gone if answer.status_code in GONE else Permanent
            raise kind(f"Pipedrive answered {answer.status_code}: {shortened(str(body.get('error')), 300)}")
        return dict(body)


def _webhook(url: str, user: str, password: str) -> dict[str, str]:
    return {
        "name": "Leadloop", "subscription_url": url, "event_action": "*", "event_object": "*", "version": "2.0",
        "http_auth_user": user, "http_auth_password": password,
    }  # fmt: skip


def _fits(row: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return row.get("is_active") in (1, True) and all(row.get(name) == value for name, value in wanted.items() if name != "name")


def rate_of(calls_per_2_seconds: int) -> Rate:
    """Pipedrive counts calls in windows of two seconds. Half of a window's may go out at once."""
    return Rate(calls=calls_per_2_seconds, per_seconds=2.0, burst=max(1, calls_per_2_seconds // 2))
