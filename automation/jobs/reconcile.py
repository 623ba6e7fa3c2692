"""Looks for what webhooks missed, in each CRM that is connected."""

from automation.clients.histories import HISTORIES, history_of
from automation.clients.history import Patience
from automation.pipeline.context import Loop
from automation.reconcile import reconcile

# A look takes many calls. What still does not answer is looked at the next time.
PATIENCE = Patience(tries=3)


def sweep(loop: Loop) -> None:
    for source in HISTORIES:
        if source in loop.clients.crms:
            reconcile(loop, source, history_of(source, loop.clients, loop.settings, PATIENCE))
