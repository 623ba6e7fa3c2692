"""TABLES of what may be let go of when its time is over, and of what never goes."""

from collections.abc import Callable
from typing import Any

from data.db import Database
from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.event import EventState
from data.settings import Settings
from data.warehouse.dead_letters import DeadLetterState
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import PayloadState
from tests.ada import rows
from tests.shelf import Shelf

SETTINGS = [name for name in Settings.model_fields if name.startswith("retain_")]
FOR_EVER: dict[str, Any] = dict.fromkeys(SETTINGS, 0)
KEPT_DAYS = 30
EVERYTHING: dict[str, Any] = dict.fromkeys(SETTINGS, KEPT_DAYS)
Gone = set[tuple[str, Any]]  # table, id


def a_payload(shelf: Shelf) -> Gone:
    return {("payloads", shelf.payload())}


def a_letter(state: DeadLetterState) -> Callable[[Shelf], Gone]:
    return lambda shelf: {("dead_letters", shelf.letter(state))}


def a_delivery(**more: Any) -> Callable[[Shelf], Gone]:
    """A settled one, and a later one of the same record."""

    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        first = shelf.delivery(entity, **more)
        shelf.delivery(entity, kind=more.get("kind", DeliveryKind.WRITE_BACK))
        return {("deliveries", first)}

    return made


def a_delivery_that_was_given_up_on(shelf: Shelf) -> Gone:
    (gone,) = a_delivery(state=DeliveryState.DEAD)(shelf)
    shelf.letter(DeadLetterState.DISCARDED, delivery_id=gone[1])
    return {gone}


def a_prediction(shelf: Shelf) -> Gone:
    entity = shelf.entity()
    first = shelf.prediction(entity)
    shelf.prediction(entity)
    return {("predictions", first)}


def a_shadow(state: EventState) -> Callable[[Shelf], Gone]:
    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        return {("predictions", shelf.prediction(entity, shelf.event(entity, state), shadow=True))}

    return made


def an_event(state: EventState) -> Callable[[Shelf], Gone]:
    """One whose facts are history: it goes with them and with what was left of its payload."""

    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        event = shelf.event(entity, state)
        facts = [shelf.fact(entity, name, "1", event) for name in ("sessions", "page_views")]
        shelf.event(entity, sessions="2", page_views="2")
        return {*an_event_alone(shelf, event), *(("facts", number) for number in facts)}

    return made


def an_event_alone(shelf: Shelf, event: int | None = None) -> Gone:
    number = event or shelf.event()
    return {("events", number), ("payloads", shelf.the(EventRow, number).payload_id)}


def a_look_up(shelf: Shelf) -> Gone:
    entity = shelf.entity()
    first = shelf.fact(entity, "size", "10")
    shelf.fact(entity, "size", "20")
    return {("facts", first)}


# What may go in time: by which setting, in which step, and what makes such a thing and tells what goes.
MAY_GO: dict[str, tuple[str, str, Callable[[Shelf], Gone]]] = {
    "a payload": ("retain_payloads_days", "payloads", a_payload),
    "a replayed letter": ("retain_dead_letters_days", "dead_letters", a_letter(DeadLetterState.REPLAYED)),
    "a discarded letter": ("retain_dead_letters_days", "dead_letters", a_letter(DeadLetterState.DISCARDED)),
    "a write-back": ("retain_deliveries_days", "deliveries", a_delivery()),
    "an alert": ("retain_deliveries_days", "deliveries", a_delivery(kind=DeliveryKind.ALERT, receipt="1.0")),
    "an alert that never went out": (
        "retain_deliveries_days", "deliveries", a_delivery(kind=DeliveryKind.ALERT, state=DeliveryState.SUPERSEDED),
    ),
    "a superseded write-back": ("retain_deliveries_days", "deliveries", a_delivery(state=DeliveryState.SUPERSEDED)),
    "a delivery that was given up on": ("retain_deliveries_days", "deliveries", a_delivery_that_was_given_up_on),
    "a prediction": ("retain_predictions_days", "predictions", a_prediction),
    "a prediction in the shadow": ("retain_predictions_days", "predictions", a_shadow(EventState.DONE)),
    "a shadow of what was given up": ("retain_predictions_days", "predictions", a_shadow(EventState.DEAD)),
    "an event": ("retain_events_days", "events", an_event(EventState.DONE)),
    "an event that was given up": ("retain_events_days", "events", an_event(EventState.DEAD)),
    "an event that told nothing": ("retain_events_days", "events", an_event_alone),
    "a look-up": ("retain_events_days", "look_ups", a_look_up),
}  # fmt: skip


def a_payload_with_an_open_letter(shelf: Shelf) -> None:
    shelf.letter(payload_id=shelf.payload())


def an_event_with_an_open_letter(shelf: Shelf) -> None:
    entity = shelf.entity()
    event = shelf.event(entity, EventState.DEAD)
    shelf.prediction(entity, event, shadow=True)
    shelf.letter(event_id=event)


def an_event_that_waits(shelf: Shelf) -> None:
    entity = shelf.entity()
    shelf.prediction(entity, shelf.event(entity, EventState.NEW), shadow=True)


def a_delivery_that_is_out(state: DeliveryState) -> Callable[[Shelf], None]:
    """However many later ones there are."""

    def made(shelf: Shelf) -> None:
        entity = shelf.entity()
        shelf.delivery(entity, state)
        shelf.delivery(entity)

    return made


def a_delivery_with_an_open_letter(shelf: Shelf) -> None:
    entity = shelf.entity()
    shelf.letter(delivery_id=shelf.delivery(entity, DeliveryState.DEAD))
    shelf.delivery(entity)


def the_last_delivery(shelf: Shelf) -> None:
    for state in (DeliveryState.CONFIRMED, DeliveryState.SUPERSEDED, DeliveryState.DEAD):
        shelf.delivery(shelf.entity(), state)


def the_last_alert(shelf: Shelf) -> None:
    """Later ones never went out."""
    entity = shelf.entity()
    shelf.delivery(entity, kind=DeliveryKind.ALERT)
    shelf.delivery(entity, DeliveryState.SUPERSEDED, DeliveryKind.ALERT)


def an_alert_whose_ending_waits(shelf: Shelf) -> None:
    entity = shelf.entity()
    alert = shelf.delivery(entity, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(entity, DeliveryState.PENDING, DeliveryKind.ENDING, prediction_id=shelf.the(DeliveryRow, alert).prediction_id)
    shelf.delivery(entity, kind=DeliveryKind.ALERT, receipt="2.0")


def an_alert_beside_the_last_one_of_another(shelf: Shelf) -> None:
    """In one message, with how it ended."""
    ada, bo = shelf.entity(), shelf.entity()
    alert = shelf.delivery(ada, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(bo, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(ada, kind=DeliveryKind.ENDING, receipt="1.0", prediction_id=shelf.the(DeliveryRow, alert).prediction_id)
    again = shelf.delivery(ada, kind=DeliveryKind.ALERT, receipt="2.0")
    shelf.delivery(ada, kind=DeliveryKind.ENDING, receipt="2.0", prediction_id=shelf.the(DeliveryRow, again).prediction_id)


def what_is_known(shelf: Shelf) -> None:
    """Also beside what another way has told since."""
    entity = shelf.entity()
    shelf.event(entity, sessions="1")
    shelf.fact(entity, "sessions", "2")


def what_is_known_in_part(shelf: Shelf) -> None:
    """An event stays whole."""
    entity = shelf.entity()
    shelf.event(entity, sessions="1", channel="email")
    shelf.event(entity, sessions="2")


def how_a_deal_ended(shelf: Shelf) -> None:
    """It was won once, and opened again."""
    deal = shelf.entity("deal")
    shelf.event(deal, dealstage="closedwon")
    shelf.event(deal, dealstage="demo")
    shelf.fact(deal, "status", "won")
    shelf.fact(deal, "status", "open")


def whom_a_deal_named(shelf: Shelf) -> None:
    contact, deal = shelf.entity(), shelf.entity("deal")
    shelf.fact(deal, f"link:contact:{contact}", "true", shelf.event(deal), target_id=contact)
    shelf.fact(deal, f"link:contact:{contact}", None, shelf.event(deal))


NEVER_GOES: dict[str, Callable[[Shelf], object]] = {
    "a payload that is being parsed": lambda shelf: shelf.payload(PayloadState.RECEIVED),
    "a payload that was put off": lambda shelf: shelf.payload(PayloadState.DEFERRED),
    "a payload with an open letter": a_payload_with_an_open_letter,
    "an open letter": lambda shelf: shelf.letter(),
    "an event that waits": an_event_that_waits,
    "an event with an open letter": an_event_with_an_open_letter,
    "a delivery that waits": a_delivery_that_is_out(DeliveryState.PENDING),
    "a delivery under lease": a_delivery_that_is_out(DeliveryState.LEASED),
    "a delivery with an open letter": a_delivery_with_an_open_letter,
    "the last delivery of a record": the_last_delivery,
    "the last alert of a record": the_last_alert,
    "an alert whose ending waits": an_alert_whose_ending_waits,
    "an alert beside the last one of another": an_alert_beside_the_last_one_of_another,
    "the last prediction of a record": lambda shelf: shelf.prediction(shelf.entity()),
    "what is known": what_is_known,
    "what is known in part": what_is_known_in_part,
    "what a look-up told last": lambda shelf: shelf.fact(shelf.entity(), "size", "10"),
    "how a deal ended": how_a_deal_ended,
    "whom a deal named": whom_a_deal_named,
}


def keys(database: Database) -> Gone:
    return {(table, row["id"]) for table, found in rows(database).items() for row in found if "id" in row}


def all_that_may_go() -> list[Callable[[Shelf], Gone]]:
    return [make for _, _, make in MAY_GO.values()]
