"""The names of entities."""

import pytest
from pydantic import ValidationError

from data.domain.entity import EntityKind, EntityRef


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "a\x00b"])
def test_an_id_that_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        EntityRef(source="generic", kind=EntityKind.CONTACT, id=name)


def test_an_entity_reads_as_its_name() -> None:
    assert str(EntityRef(source="hubspot", kind=EntityKind.DEAL, id="7")) == "hubspot deal 7"
