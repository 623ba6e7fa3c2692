"""What HubSpot says of a stage of a pipeline of deals.

https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines/guide
"""

from collections.abc import Mapping

from data.domain.outcome import Standing

# Its probability: 1.0 is closed and won, 0.0 closed and lost.
CLOSED = {1.0: Standing.WON, 0.0: Standing.LOST}


def standing_of(metadata: Mapping[str, str]) -> Standing:
    """What a stage says of the deals in it. One that says itself that it is not closed is open, whatever its probability.

    >>> [standing_of({"isClosed": said, "probability": share}).value for said, share in (("true", "1.0"), ("false", "0.0"))]
    ['won', 'open']
    """
    try:
        probability = float(metadata.get("probability", ""))
    except ValueError:
        return Standing.OPEN
    is_open = str(metadata.get("isClosed", "true")).lower() == "false"
    return Standing.OPEN if is_open else CLOSED.get(probability, Standing.OPEN)
