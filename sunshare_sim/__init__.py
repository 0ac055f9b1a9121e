"""SunShare Sim: an agent-based simulation of peer-to-peer energy markets in neighbourhoods."""
