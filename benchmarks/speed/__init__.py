"""How fast callspool is beside other ways of doing the same: real processes, a real server."""
