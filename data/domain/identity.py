"""Who is the same: a person by any e-mail address, a company by any domain, whatever CRM the records are in.

Two records are the same from the moment on at which both were known by one key. Who changes the address stays the same person.
A key that many records share, as the address of a team, tells nobody from another and makes none the same.
"""

import re
from urllib.parse import urlsplit

from data.domain.entity import EntityKind, EntityRef

# More records than this by one address or domain: it belongs to a team, a holding or a form, not to one of them.
MOST_OF_ONE_KEY = 10
ADDRESS = re.compile(r"[^\s@<>,;\"()]+@([a-z0-9-]+\.)+[a-z]{2,}")
LONGEST_ADDRESS = 254  # RFC 5321
DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}")
LONGEST_DOMAIN = 253
# Whose domains say nothing of a company.
PUBLIC_MAIL = frozenset({
    "aol.com", "gmail.com", "gmx.at", "gmx.ch", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "live.com",
    "mail.com", "mail.ru", "me.com", "msn.com", "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de",
    "yahoo.com", "yandex.ru", "zoho.com",
})  # fmt: skip

# Properties, as their senders name them, that hold a key; and those that hold further ones, with semicolons between them.
FURTHER_ADDRESSES, FURTHER_DOMAINS = ("hs_additional_emails", "other_emails"), ("hs_additional_domains",)
ADDRESSES = ("email", "emails", *FURTHER_ADDRESSES)
DOMAINS = ("domain", "website", *FURTHER_DOMAINS)
SEVERAL = frozenset({*FURTHER_ADDRESSES, *FURTHER_DOMAINS})
BETWEEN = ";"
KEYS: dict[EntityKind, tuple[str, ...]] = {EntityKind.CONTACT: ADDRESSES, EntityKind.COMPANY: DOMAINS}


def keys_of(kind: EntityKind, name: str, value: str | None) -> set[str]:
    """The keys that a property's value holds.

    >>> keys_of(EntityKind.CONTACT, "email", " Ada@Example.COM "), keys_of(EntityKind.COMPANY, "website", "https://www.acme.io/de")
    ({'ada@example.com'}, {'acme.io'})
    >>> keys_of(EntityKind.CONTACT, "email", "unknown"), keys_of(EntityKind.COMPANY, "domain", "gmail.com")
    (set(), set())
    >>> sorted(keys_of(EntityKind.CONTACT, "hs_additional_emails", "ada@home.example; A.B@old.example;"))
    ['a.b@old.example', 'ada@home.example']
    """
    if value is None or name not in KEYS.get(kind, ()):
        return set()
    read = address_of if kind is EntityKind.CONTACT else domain_of
    parts = value.split(BETWEEN) if name in SEVERAL else [value]
    return {key for part in parts if (key := read(part)) is not None}


def key_of_ref(entity: EntityRef) -> str | None:
    """The key that a record's own id is: our own JSON may name a person by the address."""
    return address_of(entity.id) if entity.source == "generic" and entity.kind is EntityKind.CONTACT else None


def address_of(text: str) -> str | None:
    found = text.strip().lower()
    return found if len(found) <= LONGEST_ADDRESS and ADDRESS.fullmatch(found) else None


def domain_of(text: str) -> str | None:
    """The domain of a web site's address, without `www.`; None where it is none, or one at which anybody has a mailbox."""
    plain = text.strip().lower()
    try:
        host = urlsplit(plain if "//" in plain else f"//{plain}").hostname or ""
    except ValueError:  # a bracket without its other half
        return None
    found = host.removeprefix("www.")
    fits = len(found) <= LONGEST_DOMAIN and DOMAIN.fullmatch(found) and found not in PUBLIC_MAIL
    return found if fits else None
