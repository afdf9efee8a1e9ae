"""The engine over a Unix socket: for a shell, for scripts, and for faces in other terminals."""
