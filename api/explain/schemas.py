"""What a comparison takes; `ml.serving.compare` says what it gives."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

EventId = Annotated[int, Field(ge=0, lt=2**63)]
HOT: dict[str, Any] = {"sessions": 5, "engaged_sessions": 4, "page_views": 15, "channel": "referral", "is_first_visit": False}
COLD: dict[str, Any] = {"sessions": 1, "engaged_sessions": 0, "page_views": 2, "channel": "referral", "is_first_visit": True}


class CompareIn(BaseModel):
    """Each side is a set of features, or the event whose stored prediction is meant. Missing features count as missing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"model": "lead_score", "before": COLD, "after": HOT},
                {"model": "lead_score", "before_event_id": 17, "after_event_id": 42},
            ]
        },
    )

    model: Annotated[str, Field(min_length=1, max_length=100)]
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    before_event_id: EventId | None = None
    after_event_id: EventId | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> "CompareIn":
        for name in ("before", "after"):
            if (getattr(self, name) is None) is (getattr(self, f"{name}_event_id") is None):
                raise ValueError(f"give either {name} (features) or {name}_event_id")
        return self
