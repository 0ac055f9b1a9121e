"""The community: a scenario and its draws, cast once into frozen arrays."""
