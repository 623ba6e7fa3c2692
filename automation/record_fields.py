"""TABLE of the fields that we write on CRM records, in each CRM's own words. `leadloop hubspot setup` creates them."""

from typing import Any

# name, label, description, HubSpot type and field type, Pipedrive field type
FIELDS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("predicted_score", "Predicted score", "Probability of being won, 0 to 1.", "number", "number", "double"),
    ("predicted_grade", "Predicted grade", "A (best) to E, against the average lead.", "string", "text", "varchar"),
    ("predicted_label", "Predicted label", "high or low, by the version's threshold.", "string", "text", "varchar"),
    ("predicted_factors", "Predicted factors", "Why: the three strongest factors.", "string", "textarea", "text"),
    ("predicted_scored_at", "Predicted: scored at", "When this was scored.", "datetime", "date", "varchar"),
    ("predicted_model_version", "Predicted: model version", "Which version said so.", "string", "text", "varchar"),
)

HUBSPOT_PROPERTIES: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "label": label, "description": text, "type": kind, "field_type": field_kind}
    for name, label, text, kind, field_kind, _ in FIELDS
)
PIPEDRIVE_FIELDS: tuple[dict[str, Any], ...] = tuple({"name": name, "field_type": kind} for name, *_, kind in FIELDS)
