"""The wires: a feeder as a graph, its zones, and what a trade between two zones is charged."""
