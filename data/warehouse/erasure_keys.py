"""The key of the digests by which those who were erased are known again. It is made at the first use, and is never given out.

Without it a digest tells nothing. With it (that is, with the database) it can be checked whether somebody was erased.
"""

import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, Session, SQLModel

from data.db import insert_new
from data.domain.entity import EntityRef
from data.domain.mention import normal

ONLY = 1
KEY_BYTES = 32  # as long as what SHA-256 makes
# Of a digest in the place of an address: short enough to read over, and among a million addresses two alike once in 500 databases.
TOKEN_LENGTH = 12
TOKEN = "erased-"  # noqa: S105 stands in texts where an address was


class ErasureKey(SQLModel, table=True):
    __tablename__ = "erasure_keys"

    id: int = Field(default=ONLY, primary_key=True)
    key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


@dataclass(frozen=True, repr=False)
class Digests:
    """HMAC-SHA-256 with the database's key."""

    key: bytes

    def of_record(self, ref: EntityRef) -> str:
        number = normal(ref.id) if "@" in ref.id else ref.id  # an address is the same in capitals
        return self._digest(f"record\x1f{ref.source}\x1f{ref.kind}\x1f{number}")

    def of_address(self, address: str) -> str:
        return self._digest(f"address\x1f{normal(address)}")

    def of_text(self, text: str) -> str:
        return self._digest(f"text\x1f{text}")

    def token(self, address: str) -> str:
        """What stands in the place of an address: always the same, so that names and keys made of one stay names and keys."""
        return TOKEN + self.of_address(address)[:TOKEN_LENGTH]

    def _digest(self, text: str) -> str:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def digests(session: Session) -> Digests:
    """With the key there is; in a transaction that writes one is made if there is none."""
    if (row := session.get(ErasureKey, ONLY)) is None:
        insert_new(session, ErasureKey, [{"id": ONLY, "key": secrets.token_bytes(KEY_BYTES)}], ("id",))
        row = session.get_one(ErasureKey, ONLY)
    return Digests(row.key)


def throwaway() -> Digests:
    """With a key that nobody keeps, for a look that changes nothing."""
    return Digests(secrets.token_bytes(KEY_BYTES))
