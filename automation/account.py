"""The customer's own account: its currency and the form of its numbers, as the settings have them, or else as the CRM says."""

from collections.abc import Iterable

from automation.pipeline.context import Loop
from data.domain.money import Account


def accounts(loop: Loop, sources: Iterable[str]) -> dict[str, Account]:
    """Source -> its account. A CRM is asked only for what no setting says; not to be called within a transaction."""
    return {source: _account(loop, source) for source in set(sources)}


def _account(loop: Loop, source: str) -> Account:
    told = Account(loop.settings.account_currency or None, loop.settings.account_locale or None)
    crm = loop.clients.crms.get(source)
    if crm is None or (told.currency and told.locale):
        return told
    theirs = crm.account()
    return Account(told.currency or theirs.currency, told.locale or theirs.locale)
