"""Hypothesis for the unit tests: few examples, no deadline on a busy machine, nothing written to disk."""

from hypothesis import Phase, settings

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)

settings.register_profile("unit", max_examples=60, deadline=None, database=None, phases=PHASES)
settings.load_profile("unit")
