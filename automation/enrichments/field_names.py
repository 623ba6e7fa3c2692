"""What the account calls its custom fields, where their keys do not speak for themselves."""

from automation.pipeline.context import Case, Loop
from automation.sources.properties import KEYED
from data.errors import VendorError


def enrich(loop: Loop, cases: list[Case]) -> None:
    """Names the fields of each event whose CRM has keys for them."""
    for case in cases:
        crm = loop.clients.crms.get(case.event.source)
        if crm is None or case.ref.kind not in KEYED.get(case.event.source, ()):
            continue
        try:
            case.names = crm.names(case.ref.kind)
        except VendorError as error:
            case.notes["field_names"] = error.detail
