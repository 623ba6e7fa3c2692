"""HubSpot's webhook events, as their sender writes them.

https://developers.hubspot.com/docs/api-reference/latest/webhooks/guide: contacts, companies, deals, tickets and products go by
their name (`contact.creation`), all else by `object.creation` with the number of its type. A link is told from both.
"""

from collections.abc import Callable, Iterator
from typing import Any

from automation.sandbox.accounts import APP_ID, PORTAL_ID, SUBSCRIPTION_ID
from automation.sandbox.hubspot.schema import KINDS, UNLABELLED
from automation.sandbox.hubspot.text import text
from automation.sandbox.records import milliseconds
from automation.sandbox.world import Happening

ACTIONS = {
    "created": "creation", "changed": "propertyChange", "deleted": "deletion", "erased": "privacyDeletion", "merged": "merge",
    "restored": "restore", "associated": "associationChange", "dissociated": "associationChange",
}  # fmt: skip


def events_of(happening: Happening, next_id: Callable[[], int], skew_ms: int = 0) -> list[dict[str, Any]]:
    """The events that tell of something: one for each property that changed, two for a link, otherwise one."""
    common = {
        "subscriptionId": SUBSCRIPTION_ID,
        "portalId": PORTAL_ID,
        "appId": APP_ID,
        "occurredAt": milliseconds(happening.at) + skew_ms,
        "attemptNumber": 0,
        "changeSource": happening.source.type,
        "sourceId": happening.source.id,
    }
    return [{"eventId": next_id(), **common, **said} for said in _said(happening)]


def _said(happening: Happening) -> Iterator[dict[str, Any]]:
    about = {**_named(happening.kind, ACTIONS[happening.verb]), "objectId": int(happening.id)}
    if happening.verb == "changed":
        for name, value in happening.changed.items():
            yield {**about, "propertyName": name, "propertyValue": text(value)}
    elif happening.verb == "merged":
        # The first of those that went was the primary one, and all became a new record; or one of them stayed.
        gone = [int(number) for _, number in happening.others]
        first, rest = (gone[0], gone[1:]) if happening.primary else (int(happening.id), gone)
        new = int(happening.id) if happening.primary else None
        yield {**about, "primaryObjectId": first, "mergedObjectIds": rest, "newObjectId": new, "numberOfPropertiesMoved": 0}
    elif happening.verb in {"associated", "dissociated"}:
        ((other, far),) = happening.others
        near = (happening.kind, happening.id)
        removed = happening.verb == "dissociated"
        yield _link(near, (other, far), removed=removed, primary=happening.primary)
        yield _link((other, far), near, removed=removed, primary=happening.primary)
    else:
        yield about


def _link(near: tuple[str, str], far: tuple[str, str], *, removed: bool, primary: bool) -> dict[str, Any]:
    return {
        **_named(near[0], "associationChange"),
        "associationType": f"{KINDS[near[0]].singular}_to_{KINDS[far[0]].singular}".upper(),
        "associationTypeId": UNLABELLED[near[0], far[0]],
        "associationCategory": "HUBSPOT_DEFINED",
        "fromObjectId": int(near[1]),
        "toObjectId": int(far[1]),
        "fromObjectTypeId": KINDS[near[0]].type_id,
        "toObjectTypeId": KINDS[far[0]].type_id,
        "associationRemoved": removed,
        "isPrimaryAssociation": primary,
    }


def _named(kind: str, action: str) -> dict[str, str]:
    about = KINDS[kind]
    if about.named:
        return {"subscriptionType": f"{about.singular}.{action}"}
    return {"subscriptionType": f"object.{action}", "objectTypeId": about.type_id}
