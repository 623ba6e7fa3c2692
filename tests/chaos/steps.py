"""A step of a story in each CRM's own words: the records change, and what tells of it is returned."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from tests.chaos.story import LOST, OPEN, WON, Step, What

Events = list[dict[str, Any]]

OWN_FIELDS = ("engaged_sessions", "is_first_visit", "job_title", "team_size", "newsletter")
COUNTED = ("sessions", "page_views", "channel", "engaged_sessions", "is_first_visit")
# A CRM's clock counts milliseconds: two changes of one record never share one, or nobody could say which is newer.
APART_SECONDS = 0.002
HUBSPOT_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent")
HUBSPOT_ENDS = {WON: "closedwon", LOST: "closedlost"}


def hubspot_events(player: HubSpotPlayer, step: Step, *, most: int) -> Events:
    """`most`: no more of a person's changed properties than so many."""
    with _apart():
        return _HUBSPOT[step.what](player, step, most)


def pipedrive_messages(player: PipedrivePlayer, step: Step) -> Events:
    with _apart():
        return _PIPEDRIVE[step.what](player, step)


@contextmanager
def _apart() -> Iterator[None]:
    yield
    time.sleep(APART_SECONDS)


def _hubspot_visit(player: HubSpotPlayer, step: Step, most: int) -> Events:
    if step.is_new:
        return player.created(step.number, step.values)
    return player.changed(step.number, dict(list(step.values.items())[:most]))


def _hubspot_deal(player: HubSpotPlayer, step: Step, _most: int) -> Events:
    told = {"dealname": f"Deal {step.number}", "amount": step.values["amount"], "pipeline": "default"}
    made = player.created(step.number, {**told, "dealstage": HUBSPOT_STAGES[step.values["stage"]]}, "deals")
    return made + player.associated(("deals", step.number), ("contacts", str(step.person)))


def _hubspot_move(player: HubSpotPlayer, step: Step, _most: int) -> Events:
    told = {name: step.values[name] for name in ("amount",) if name in step.values}
    if (end := HUBSPOT_ENDS.get(step.values.get("standing", OPEN))) is not None:
        told["dealstage"] = end
    elif "stage" in step.values:
        told["dealstage"] = HUBSPOT_STAGES[step.values["stage"]]
    return player.changed(step.number, told, "deals")


def _hubspot_link(player: HubSpotPlayer, step: Step, _most: int) -> Events:
    return player.associated(("deals", step.number), ("contacts", str(step.person)))


def _hubspot_unlink(player: HubSpotPlayer, step: Step, _most: int) -> Events:
    return player.dissociated(("deals", step.number), ("contacts", str(step.person)))


def _hubspot_merge(player: HubSpotPlayer, step: Step, _most: int) -> Events:
    return player.merged(step.number, [str(step.person)], new=step.new)


_HUBSPOT: dict[What, Callable[[HubSpotPlayer, Step, int], Events]] = {
    What.VISIT: _hubspot_visit,
    What.DEAL: _hubspot_deal,
    What.MOVE: _hubspot_move,
    What.LINK: _hubspot_link,
    What.UNLINK: _hubspot_unlink,
    What.DELETE: lambda player, step, _most: player.deleted(step.number),
    What.RESTORE: lambda player, step, _most: player.restored(step.number),
    What.MERGE: _hubspot_merge,
}


def _pipedrive_visit(player: PipedrivePlayer, step: Step) -> Events:
    values = {name: value for name, value in step.values.items() if name in COUNTED}
    if not step.is_new:
        return [player.changed(step.number, values)]
    who = {"name": f"{step.values['firstname']} {step.values['lastname']}", "email": step.values["email"]}
    return [player.created(step.number, values | who)]


def _pipedrive_deal(player: PipedrivePlayer, step: Step) -> Events:
    told = {"title": f"Deal {step.number}", "value": step.values["amount"], "currency": "EUR", "status": OPEN}
    made = {**told, "stage_id": step.values["stage"] + 1, "person_id": int(str(step.person))}
    return [player.created(step.number, made, "deals")]


def _pipedrive_move(player: PipedrivePlayer, step: Step) -> Events:
    told = {"value": step.values.get("amount"), "status": step.values.get("standing")}
    if "stage" in step.values:
        told["stage_id"] = step.values["stage"] + 1
    return [player.changed(step.number, {name: value for name, value in told.items() if value is not None}, "deals")]


def _pipedrive_restore(player: PipedrivePlayer, step: Step) -> Events:
    """Pipedrive has no message for it, but one of a change that changes nothing. Who is back is worked on, which does."""
    back = player.restored(step.number)
    time.sleep(APART_SECONDS)
    return [back, player.changed(step.number, step.values)]


_PIPEDRIVE: dict[What, Callable[[PipedrivePlayer, Step], Events]] = {
    What.VISIT: _pipedrive_visit,
    What.DEAL: _pipedrive_deal,
    What.MOVE: _pipedrive_move,
    What.LINK: lambda player, step: [player.changed(step.number, {"person_id": int(str(step.person))}, "deals")],
    What.UNLINK: lambda player, step: [player.changed(step.number, {"person_id": None}, "deals")],
    What.DELETE: lambda player, step: [player.deleted(step.number)],
    What.RESTORE: _pipedrive_restore,
    What.MERGE: lambda player, step: player.merged(step.number, str(step.person)),
}
