"""overlay-supervisor: keeps Phoenix Channels connections alive and shows their health."""

__version__ = "0.1.0"
