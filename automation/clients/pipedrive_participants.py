"""Who takes part in Pipedrive's deals beside their contact person, which no property of a deal says, and no webhook.

https://developers.pipedrive.com/docs/api/v1/Deals: a row says how many they are (`include_fields`); who they are, a call for each
deal that has several (`/participants`, of API v1).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from automation.clients.history import Patience
from automation.clients.pipedrive import PipedriveClient
from data.errors import Permanent
from data.log import get_logger

log = get_logger("history")

COUNT = "participants_count"  # the contact person is one of them
PAGE = 100


def participants(client: PipedriveClient, patience: Patience, deals: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Deal -> ids of those who take part, without the contact person; by the rows of deals, with their counts.

    Deals whose participants may not be read, or that are gone meanwhile, are not there. Raises Retryable.
    """
    found: dict[str, frozenset[str]] = {}
    for deal in deals:
        number, person = str(deal["id"]), deal.get("person_id")
        if int(deal.get(COUNT) or 0) <= bool(person):
            found[number] = frozenset()
            continue
        try:
            found[number] = frozenset(_listed(client, patience, number)) - {str(person)}
        except Permanent as error:
            log.info("history.participants.unread", source="pipedrive", deal=number, reason=error.detail)
    return found


def _listed(client: PipedriveClient, patience: Patience, deal: str) -> Iterable[str]:
    start, more = 0, True
    while more:
        page = partial(client.page, f"/v1/deals/{deal}/participants", start=str(start), limit=str(PAGE))
        rows, additional = patience(page)
        yield from (str(row["person_id"]["value"]) for row in rows if row.get("active_flag") is not False)
        start, more = start + len(rows), bool(rows and additional.get("pagination", {}).get("more_items_in_collection"))
