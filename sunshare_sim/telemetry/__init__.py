"""Meters and, later, the channel that carries their readings."""
