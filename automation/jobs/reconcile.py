"""Looks for what webhooks missed, in each CRM that is connected: first what changed, then what is no more."""

from automation import rounds, webhooks
from automation.clients.histories import HISTORIES, history_of
from automation.clients.history import Patience
from automation.pipeline.context import Loop
from automation.reconcile import reconcile

# A look takes many calls. What still does not answer is looked at the next time.
PATIENCE = Patience(tries=3)


def sweep(loop: Loop) -> None:
    webhooks.look(loop)
    for source in HISTORIES:
        if source in loop.clients.crms:
            history = history_of(source, loop.clients, loop.settings, PATIENCE)
            reconcile(loop, source, history)
            rounds.go_on(loop, source, history)
