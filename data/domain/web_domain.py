"""The domain of a company, from its web site's address or from an e-mail address.

One at which anybody has an address is none: what would be found is the mail provider.
"""

import re

from data.domain.free_mail import FREE_MAIL

LONGEST_DOMAIN = 253  # RFC 1035
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")


def of_address(email: str | None) -> str | None:
    """The domain of an e-mail address, as it is asked about; None where there is none, or where it is nobody's company.

    >>> of_address(" Ada@Mail.Steel.example "), of_address("ada@gmail.com"), of_address("no address")
    ('mail.steel.example', None, None)
    """
    _, at, host = (email or "").strip().rpartition("@")
    return _checked(host) if at else None


def of_site(site: str | None) -> str | None:
    """The domain of a web site, however its address is written.

    >>> of_site("https://www.steel.example/about?x=1"), of_site("M\u00fcller.example"), of_site("n/a"), of_site("10.0.0.1")
    ('steel.example', 'xn--mller-kva.example', None, None)
    """
    host = re.split("[/?#]", re.sub("^[a-z][a-z0-9+.-]*://", "", (site or "").strip().lower()))[0]
    return _checked(host.rpartition("@")[2].partition(":")[0].removeprefix("www."))


def _checked(host: str) -> str | None:
    host = host.strip().lower().rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    fits = len(host) <= LONGEST_DOMAIN and HOST.fullmatch(host) is not None
    return host if fits and host not in FREE_MAIL else None
