"""What the columns of a file mean: `leadloop import F --mapping M.yaml`. docs/history.md has examples."""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data.domain.entity import EntityKind
from data.errors import BadInput

Name = Annotated[str, Field(min_length=1, max_length=255)]


class Mapping(BaseModel):
    """One kind of record in one file; names on the left are columns, names on the right are the source's own properties."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["hubspot", "pipedrive", "generic"] = "generic"
    """Whose ids the file has: facts join those that the CRM's events tell."""
    kind: EntityKind
    id: Name
    created_at: Name | None = None
    changed_at: Name | None = None
    """Since when the values are so; without it since the record was made."""
    properties: dict[Name, Name] | Literal["*"] = "*"
    """`*`: every other column, under its own name."""
    links: dict[EntityKind, Name] = {}
    """Columns with the ids of records that it belongs to, one or several between semicolons."""
    history: dict[Name, dict[Name, str]] = {}
    """Columns with the moment from which on a property had a value."""
    timezone: str = "UTC"
    dates: Literal["iso", "day_first", "month_first"] = "iso"

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone; one reads Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _has_a_moment(self) -> "Mapping":
        if self.created_at is None and self.changed_at is None:
            raise ValueError("name the column of created_at, of changed_at, or of both: nothing is learned from what has no time")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def named(self) -> set[str]:
        """The columns that it speaks of."""
        found = {self.id, *self.links.values(), *self.history}
        found |= {name for name in (self.created_at, self.changed_at) if name is not None}
        return found | (set(self.properties) if isinstance(self.properties, dict) else set())

    def properties_of(self, columns: Iterable[str]) -> dict[str, str]:
        """Column -> property."""
        if isinstance(self.properties, dict):
            return dict(self.properties)
        return {name: name for name in columns if name not in self.named()}


def read_mapping(path: Path) -> Mapping:
    """
    Raises:
        BadInput: the file is not there, no YAML, or no mapping; names the key.
    """
    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())[:300]}") from None
    try:
        return Mapping.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"dict[constrained-str,constrained-str]"})
        raise BadInput(f"{path}: {where + ': ' if where else ''}{first['msg']}", field=where or None) from None


def check_columns(mapping: Mapping, columns: Collection[str], path: Path) -> None:
    """
    Raises:
        BadInput: the mapping speaks of a column that the file does not have.
    """
    for name in sorted(mapping.named() - set(columns)):
        close = difflib.get_close_matches(name, list(columns), n=1)
        meant = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(sorted(columns)[:20])}"
        raise BadInput(f"{path} has no column {name!r}{meant}", field=name)
