"""What comes from outside: weather, sun, demand, mobility, tariffs and grids, read or computed, and cached."""
