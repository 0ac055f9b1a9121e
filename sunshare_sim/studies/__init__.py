"""Studies: many runs of one scenario, varied and repeated, and what follows from them with how much certainty."""
