"""Who gets which version: the same entity always the same one, on every machine, without asking anybody."""

import hashlib

from data.domain.traffic import Variant

PARTS = 2**64


def variant_of(model: str, entity_key: str, share: float) -> Variant:
    """The variant that answers for an entity, if the challenger has this share (0 to 1) of them.

    A larger share only adds entities to the challenger's; those of another model are drawn anew.

    >>> variant_of("lead_score", "hubspot contact 42", 1.0), variant_of("lead_score", "hubspot contact 42", 0.0)
    (<Variant.CHALLENGER: 'challenger'>, <Variant.CHAMPION: 'champion'>)
    """
    # Between the two a character that neither has, so that no two pairs read the same.
    digest = hashlib.sha256(f"{model}\x1f{entity_key}".encode("utf-8", "surrogatepass")).digest()
    return Variant.CHALLENGER if int.from_bytes(digest[:8]) < share * PARTS else Variant.CHAMPION
