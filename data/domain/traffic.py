"""Traffic: which share of the entities a challenger is asked for, and whether its answers count."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Variant(StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Mode(StrEnum):
    OFF = "off"  # the champion answers everybody
    SHADOW = "shadow"  # the challenger is asked too; its answers are stored for the comparison, and nobody sees them
    LIVE = "live"  # the challenger answers its share


class Traffic(BaseModel):
    """Two versions of a model that are compared, since when, and how.

    The setting belongs to these versions: another challenger gets none of it.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    champion: str
    challenger: str
    mode: Mode
    share: float = Field(ge=0, le=1)
    since: AwareDatetime

    def is_same_comparison(self, other: "Traffic") -> bool:
        """The same versions in the same mode: another share only moves the border."""
        return (self.champion, self.challenger, self.mode) == (other.champion, other.challenger, other.mode)


def changed(before: Traffic | None, after: Traffic) -> Traffic:
    """The new setting. The same comparison goes on since it began."""
    if before is None or not before.is_same_comparison(after):
        return after
    return after.model_copy(update={"since": before.since})
