"""How often a caller may ask: token buckets in this process's memory. Pure: the time comes in as seconds.

Each of several processes has its own, so together they allow as many times as much.
"""

import ipaddress
from functools import lru_cache

MOST_KEYS = 10_000
# A burst of a few seconds' worth is no flood.
BURST_SECONDS = 5.0
# IPv6 gives everybody at least a network of this size; counting by address would count nothing.
IPV6_NETWORK = 64
NOBODY = "unknown"  # a peer without an address, as on a Unix socket


class Bucket:
    """So many a second for each key, and a burst. A level flows back with time; keys whose level is full are forgotten."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._rate, self._burst = per_second, max(burst, 1.0)
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float) -> float:
        """Takes one, and returns 0; or, where there is none, the seconds until there is. A rate of 0 allows all."""
        if self._rate == 0:
            return 0.0
        level = self._level(key, now)
        if level < 1:
            return (1 - level) / self._rate
        self._levels.pop(key, None)  # so that they stand in the order of their last use
        if len(self._levels) >= MOST_KEYS:
            self._forget(now)
        self._levels[key] = (level - 1, now)
        return 0.0

    def is_empty(self, key: str, now: float) -> bool:
        return self._rate != 0 and self._level(key, now) < 1

    def _level(self, key: str, now: float) -> float:
        level, at = self._levels.get(key, (self._burst, now))
        # A clock that is put back takes nothing away.
        return min(self._burst, level + max(now - at, 0.0) * self._rate)

    def _forget(self, now: float) -> None:
        """Drops the keys that are as good as new, and if nearly all are busy, the half that was not heard of the longest."""
        self._levels = {key: kept for key, kept in self._levels.items() if self._level(key, now) < self._burst}
        if len(self._levels) > MOST_KEYS * 0.9:
            self._levels = dict(list(self._levels.items())[MOST_KEYS // 2 :])


@lru_cache(maxsize=MOST_KEYS)
def network_of(address: str) -> str:
    """What is counted by: an IPv4 address, or an IPv6 network.

    >>> network_of("203.0.113.7"), network_of("2001:db8:1:2:3:4:5:6"), network_of("::ffff:203.0.113.7")
    ('203.0.113.7', '2001:db8:1:2::', '203.0.113.7')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a proxy may send anything
        return address[:64] or NOBODY
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_NETWORK), strict=False).network_address)
    return str(found)
