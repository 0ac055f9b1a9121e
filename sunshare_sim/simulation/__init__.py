"""One run: the clock, the slot's phases, the record, and the composition root that joins all packages."""
