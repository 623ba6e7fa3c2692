"""A token as callers see it: never the token itself, but for the one time that it is made."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from automation.tokens import DEFAULT_GRACE, LONGEST, NAME, NewToken
from data.settings import Scope
from data.warehouse.api_tokens import ApiToken

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
Hours = Annotated[float, Field(ge=0, le=LONGEST.total_seconds() / 3600)]


class TokenOut(BaseModel):
    """`is_good`: it passes now. `replaced_at`: a rotation put another in its place; it passes until `expires_at`."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    scopes: list[Scope]
    is_good: bool
    created_at: datetime
    expires_at: datetime | None
    replaced_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: ApiToken, now: datetime) -> "TokenOut":
        return cls.model_validate({**row.model_dump(exclude={"id", "digest"}), "is_good": row.is_good(now)})


class CreateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    lasts_hours: Annotated[float, Field(gt=0, le=LONGEST.total_seconds() / 3600)] | None = None


class RotateIn(BaseModel):
    """`grace_hours`: how long the one before still passes."""

    model_config = ConfigDict(extra="forbid")

    grace_hours: Hours = DEFAULT_GRACE.total_seconds() / 3600

    @property
    def grace(self) -> timedelta:
        return timedelta(hours=self.grace_hours)


class RevokeIn(BaseModel):
    """`replaced_only`: the current one stays."""

    model_config = ConfigDict(extra="forbid")

    replaced_only: bool = False


class NewTokenOut(BaseModel):
    """`token` is told this once and stored nowhere. `old_good_until`: how long the one before still passes."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    token: str
    scopes: list[Scope]
    expires_at: datetime | None
    old_good_until: datetime | None

    @classmethod
    def of(cls, made: NewToken) -> "NewTokenOut":
        return cls.model_validate({**vars(made), "scopes": sorted(made.scopes, key=list(Scope).index)})


class RevokedOut(BaseModel):
    name: str
    ended: int
