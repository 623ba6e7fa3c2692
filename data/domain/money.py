"""Money: an amount is worth something only with its currency. How it is written, the account's locale says."""

import re
from dataclasses import dataclass
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, get_currency_precision

ISO_4217 = re.compile("[A-Z]{3}")
DEFAULT_LOCALE = "en"


@dataclass(frozen=True)
class Account:
    """What a CRM account says of itself. None: it does not, or could not be asked."""

    currency: str | None = None
    locale: str | None = None


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str

    def times(self, share: float) -> "Money":
        """A share of it, in whole units of what the currency is counted in: cents, yen."""
        smallest = Decimal(1).scaleb(-get_currency_precision(self.currency))
        return Money((self.amount * Decimal(repr(share))).quantize(smallest), self.currency)

    def text(self, locale: str | None) -> str:
        """As people of this locale write it.

        >>> Money(Decimal("1234.5"), "EUR").text("en"), Money(Decimal(-5), "JPY").text(None)
        ('€1,234.50', '-¥5')
        """
        return str(format_currency(self.amount, self.currency, locale=locale or DEFAULT_LOCALE))


def total(amounts: list[Money]) -> list[Money]:
    """The sum of each currency, in their alphabet: without a rate nothing is added up over currencies.

    >>> total([Money(Decimal(1), "USD"), Money(Decimal(2), "EUR"), Money(Decimal(3), "USD")])
    [Money(amount=Decimal('2'), currency='EUR'), Money(amount=Decimal('4'), currency='USD')]
    """
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.amount
    return [Money(amount, currency) for currency, amount in sorted(sums.items())]


def currency_of(text: str | None) -> str | None:
    """A currency's code as ISO 4217 writes it; None where it is none.

    >>> currency_of(" eur "), currency_of("Euro"), currency_of(None)
    ('EUR', None, None)
    """
    code = (text or "").strip().upper()
    return code if ISO_4217.fullmatch(code) else None


def locale_of(text: str | None) -> str | None:
    """A locale's name as Unicode's CLDR writes it; None where it is none that is known.

    >>> locale_of("de-AT"), locale_of("en_us"), locale_of("xx_XX"), locale_of("")
    ('de_AT', 'en_US', None, None)
    """
    try:
        return str(Locale.parse((text or "").strip().replace("-", "_")))
    except (UnknownLocaleError, ValueError, TypeError):
        return None
