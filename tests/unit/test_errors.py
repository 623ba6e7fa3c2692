"""The error family: every member has a title, and the status that the tree promises."""

import re
from collections.abc import Iterator

import pytest

from data import errors
from data.errors import LeadloopError, Permanent, Rejected, Retryable, VendorError

TREE = dict(re.findall(r"[├└]── (\w+) +(\d{3}|-|worth|the)", errors.__doc__ or ""))
OVER_HTTP = {name: int(status) for name, status in TREE.items() if status.isdigit()}


def family(base: type[LeadloopError]) -> Iterator[type[LeadloopError]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


def made(kind: type[LeadloopError]) -> LeadloopError:
    return Rejected("parse", "detail") if kind is Rejected else kind("detail")


@pytest.mark.parametrize("kind", list(family(LeadloopError)), ids=lambda kind: kind.__name__)
def test_every_error_has_a_title_of_one_line_and_keeps_its_detail(kind: type[LeadloopError]) -> None:
    assert kind.__doc__ == kind.__doc__.strip()  # type: ignore[union-attr]
    assert "\n" not in (kind.__doc__ or "\n")
    assert (made(kind).title, made(kind).detail, str(made(kind))) == (kind.__doc__, "detail", "detail")
    assert 400 <= kind.status < 600


@pytest.mark.parametrize(("name", "status"), OVER_HTTP.items())
def test_what_is_raised_over_http_has_the_status_of_the_tree(name: str, status: int) -> None:
    assert getattr(errors, name).status == status


def test_the_tree_draws_the_whole_family() -> None:
    assert {kind.__name__ for kind in family(LeadloopError)} == {"LeadloopError", *TREE}
    assert len({errors_title.__doc__ for errors_title in family(LeadloopError)}) == len(TREE) + 1


def test_a_rejection_names_its_stage() -> None:
    assert (Rejected("validate", "why").stage, Rejected("validate", "why").detail) == ("validate", "why")


def test_a_vendors_errors_say_whether_to_try_again() -> None:
    assert issubclass(Retryable, VendorError)
    assert issubclass(Permanent, VendorError)
    error = Retryable("away", retry_after_seconds=3, unsure=True)
    assert (error.retry_after_seconds, error.unsure) == (3, True)
    assert (Retryable("away").retry_after_seconds, Retryable("away").unsure) == (None, False)


def test_an_error_may_name_its_field() -> None:
    assert (errors.BadInput("wrong", field="sessions").field, errors.BadInput("wrong").field) == ("sessions", None)
