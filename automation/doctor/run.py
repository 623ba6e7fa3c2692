"""TABLE of checks, in the order in which things depend on one another."""

from collections.abc import Callable, Iterable, Iterator

from automation.doctor import here, vendors
from automation.doctor.findings import Finding, bad
from automation.pipeline.context import Loop
from data.errors import LeadloopError
from data.redaction import redacted, shortened

CHECKS: tuple[tuple[str, Callable[[Loop], Iterable[Finding]]], ...] = (
    ("database", here.database),
    ("settings", here.settings),
    ("tokens", here.tokens),
    ("disk", here.disk),
    ("models", here.models),
    ("mlflow", here.mlflow),
    ("service", here.service),
    ("worker", here.worker),
    ("n8n", here.n8n),
    ("hubspot", vendors.hubspot),
    ("pipedrive", vendors.pipedrive),
    ("slack", vendors.slack),
    ("company data", vendors.company_data),
    ("calls", vendors.limits),
    ("reconciliation", here.reconciliation),
    ("waiting", here.waiting),
)


def examine(loop: Loop) -> Iterator[Finding]:
    """Every check, one after the other; one that breaks is a finding, too. Nothing is changed, here or elsewhere."""
    for name, check in CHECKS:
        try:
            yield from check(loop)
        except LeadloopError as error:
            yield bad(name, error.detail, "correct it, and ask again")
        except Exception as error:  # noqa: BLE001 whatever is wrong is what people ask for
            said = shortened(redacted(f"{type(error).__name__}: {error}".splitlines()[0]), 300)
            yield bad(name, said, "`leadloop --debug doctor` shows more")
