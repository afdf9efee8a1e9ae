"""Puts a run together: an engine, whatever shows it, and the end of both."""
