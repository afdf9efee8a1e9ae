"""The world in memory, on virtual time: the network, hubs and pages around an engine that is the real one."""
