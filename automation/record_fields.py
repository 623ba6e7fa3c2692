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
    ("predicted_combined_score", "Predicted: combined score", "All models in one number, 0 to 100.", "number", "number", "double"),
    ("predicted_combined_from", "Predicted: combined from", "Which models, and their weights.", "string", "text", "varchar"),
    ("predicted_expected_value", "Predicted: expected value", "Probability x open deals.", "number", "number", "double"),
    ("predicted_currency", "Predicted: currency", "Of the expected value, as EUR.", "string", "text", "varchar"),
    ("predicted_expected_value_text", "Predicted: expected value, written", "With its currency.", "string", "text", "varchar"),
    ("predicted_record", "Predicted: record", "The record that these fields are for.", "string", "text", "varchar"),
)

HUBSPOT_PROPERTIES: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "label": label, "description": text, "type": kind, "field_type": field_kind}
    for name, label, text, kind, field_kind, _ in FIELDS
)
# A person's field has no description in Pipedrive's API, neither in v1 nor in v2.
PIPEDRIVE_FIELDS: tuple[dict[str, Any], ...] = tuple({"name": name, "field_type": kind} for name, *_, kind in FIELDS)
