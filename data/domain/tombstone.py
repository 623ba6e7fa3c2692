"""A tombstone: that somebody was erased, and when. An erasure is about the past; who comes anew comes as anybody else."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Tombstone:
    """`renewed_at`: when the source created the record once more, or a new record came with the address."""

    erased_at: datetime
    renewed_at: datetime | None = None


def is_erased(
    at: datetime, record: Tombstone | None, addresses: Iterable[Tombstone] = (), *, created_at: datetime | None = None
) -> bool:
    """Whether what is told of a record is about somebody who was erased, and must not be stored.

    - Of a record that was erased nothing is taken, however late it comes, until its source has created it once more after
      the erasure; then what happened from that moment on.
    - Of another record that has an erased address, what happened before the erasure is not taken. Nor is anything where the
      source says that the record was created before it: it is the same person's, whom we had not heard of in it.

    Parameters:
        at: when it happened; for a look-up or a history, when it was true.
        record: the tombstone of the record, if it has one. addresses: of the addresses that are the record's own.
        created_at: when the source created the record, where that is known.
    """
    if record is not None:
        if created_at is not None and created_at > record.erased_at:
            return False
        return record.renewed_at is None or at < record.renewed_at
    born = at if created_at is None else created_at
    return any(born <= stone.erased_at for stone in addresses)
