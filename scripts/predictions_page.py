"""Writes `docs/predictions.md` from the tables that the code goes by: python -m scripts.predictions_page"""

from collections.abc import Iterable
from typing import Any

from automation.predictive_enrichments.base import Scored
from automation.predictive_enrichments.registry import PREDICTIVE_ENRICHMENTS
from automation.record_fields import FIELDS
from data.clock import SystemClock
from data.domain.entity import EntityKind, EntityRef
from data.domain.prediction import Factor, Prediction
from data.settings import ROOT
from ml.models.prediction_schema import SCHEMAS, PredictionSchema
from ml.models.registry import MODELS, schema_of

PAGE = ROOT / "docs" / "predictions.md"
OWN = "a table of your own"
PARTS = {"EntityRef": "source, kind and id", "Factor": "factors"}
INTRO = """# Predictions

<!-- made by python -m scripts.predictions_page -->

`POST /collect/predictions` takes predictions for stored events, with a token of the scope `predictions`:

```json
[{"event": {"event_id": 7}, "predictions": [{"model": "lead_score", "model_version": "3", "entity": {"source": "hubspot",
  "kind": "contact", "id": "901"}, "score": 0.62, "label": "low", "grade": "A", "threshold": 0.8, "confidence": 0.62,
  "base_value": -1.5, "factors": [{"feature": "sessions", "value": 5, "contribution": 1.989548}]}]}]
```

What `POST /predict/events` answers under `scored` can be handed in as it is. Each entry is held against the schema of its model,
by itself: what fits is stored and becomes deliveries; what does not is named in `rejected` with its status and field, and kept with
its bytes as a dead letter of the stage `collect_predictions` (`GET /dead-letters`). The event goes on either way: what nobody has
answered, the worker scores. A prediction of a model that has answered the event already is a repeat, and changes nothing.

"""
FIELDS_INTRO = """
## Fields on the CRM record

What is taken is enriched, in this order, into fields that all begin with `predicted_`; nothing else can be written to a CRM.
`leadloop hubspot setup` and `leadloop pipedrive setup` create them: run it again after an update that adds some.

"""
NOTES = """
**Combined score**: the weighted mean of the newest prediction of each model, from 0 to 100; with one model it is that model's.
Each model that the loop asks counts 1, others nothing. `COMBINED_SCORE_WEIGHTS` changes that: `lead_score:2,churn:-1` counts twice
what the one says, and once what speaks against the other (one minus its probability).

**Expected value**: the probability times what the open deals are worth that name the contact or are linked to it (a deal's own:
its amount), as far as events have told of them: subscribe HubSpot's webhooks to `deal.propertyChange` of `amount`,
`deal_currency_code` and `dealstage` and to `deal.associationChange`, Pipedrive's to `deal`. A deal that says no currency is in the
account's. What is in another currency counts as what HubSpot converts it to, `amount_in_home_currency`: backfill and reconciliation
read that, and webhooks tell it at once where they are subscribed to it; what is older than the amount does not count. Otherwise,
and with Pipedrive always, amounts of several currencies are never added up, for there is no rate: the text then has one for each,
and there is no number. The account's currency and the form of its numbers are `ACCOUNT_CURRENCY` and `ACCOUNT_LOCALE`; what is
empty is asked of the CRM once an hour (HubSpot knows a currency only). Where there is no open deal, the fields are emptied.

**Record**: the kind and id of the record that the fields are for. A write-back to any other cannot be made; where a CRM has copied
fields while it merged two records, it still says whose they were.
"""


def page() -> str:
    models = [(f"`{name}`", model.title, f"[{model.schema.name}](#{model.schema.name})") for name, model in MODELS.items()]
    own = schema_of(OWN)
    parts = [
        INTRO,
        "## Models\n\n",
        *_table(("model", "predicts", "schema"), [*models, (OWN, "its target", f"[{own.name}](#{own.name})")]),
    ]
    for schema in SCHEMAS.values():
        parts += _section(schema)
    return "".join([*parts, FIELDS_INTRO, *_table(("field", "means", "made by"), _fields()), NOTES])


def _section(schema: PredictionSchema) -> list[str]:
    shape = schema.shape.model_json_schema()
    parts = [f"\n## {schema.name}\n\n{schema.means}\nAs a JSON Schema: `prediction_schema` in `GET /models/{{model}}`.\n\n"]
    parts += _table(("field", "type", "", "means"), _rows(shape, shape["$defs"]))
    parts += ["\nA factor:\n\n", *_table(("field", "type", "", "means"), _rows(shape["$defs"]["Factor"], shape["$defs"]))]
    parts += ["\nWhat is checked, in this order; the first that fails is told:\n\n"]
    checks = [("shape", "every field is there, of its type and within its range", "422")]
    return parts + _table(
        ("check", "what must hold", "otherwise"), checks + [(c.name, c.means, str(c.status)) for c in schema.checks]
    )


def _rows(shape: dict[str, Any], defs: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for name, field in shape["properties"].items():
        needed = "" if name in shape["required"] else "optional"
        yield f"`{name}`", _type(field, defs), needed, field.get("description", "").replace("\n", " ")


def _type(field: dict[str, Any], defs: dict[str, Any]) -> str:
    """A field's JSON Schema in a few words."""
    if "$ref" in field:
        found = defs[field["$ref"].rsplit("/", 1)[-1]]
        return ", ".join(f"`{word}`" for word in found["enum"]) if "enum" in found else PARTS[found["title"]]
    if options := [option for option in field.get("anyOf", ()) if option.get("type") != "null"]:
        return _type(options[0], defs)
    if field.get("type") == "array":
        return f"list of {_type(field['items'], defs)}"
    if "minimum" in field:
        return f"number, {field['minimum']:g} to {field['maximum']:g}"
    return str(field.get("format") or field.get("type") or "anything")


def _fields() -> Iterable[tuple[str, ...]]:
    made = {field: name for name, enrich in PREDICTIVE_ENRICHMENTS.items() for field in enrich(_example())}
    for name, _, means, *_ in FIELDS:
        yield f"`{name}`", means, made[name]


def _example() -> Scored:
    lead = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="901")
    parts: dict[str, Any] = {
        "label": "low",
        "grade": "A",
        "base_value": 0.0,
        "factors": (Factor(feature="sessions", contribution=0.5),),
    }
    prediction = Prediction(
        model="lead_score", model_version="1", entity=lead, score=0.6, threshold=0.8, confidence=0.6, **parts
    )  # fmt: skip
    return Scored(prediction, lead, SystemClock().now(), scores={"lead_score": 0.6})


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cells)} |\n" for cells in lines]


def main() -> None:
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
