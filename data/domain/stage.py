"""The stages at which something may be set aside, in the order of an event's way."""

from enum import StrEnum


class Stage(StrEnum):
    PARSE = "parse"  # the bytes, or an item of them, could not be read
    VALIDATE = "validate"  # read, and not what an event must be
    ENRICH = "enrich"  # whom it is about is not there
    PREDICT = "predict"  # it could not be scored, or what was scored not stored
    COLLECT_PREDICTIONS = "collect_predictions"  # a prediction that was brought was refused
    ACTIVATE = "activate"  # a vendor did not take what was to be written
