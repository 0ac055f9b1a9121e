"""A market laboratory: the classical experiments with the order book and the strategies of the live market."""
