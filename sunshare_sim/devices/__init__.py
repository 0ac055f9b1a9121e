"""Devices behind the meter: state-of-charge kernels of batteries and electric vehicles, and their limits."""
