"""What comes at the program from beside: its control socket, its metrics, the endpoints that it asks, and the
command that it runs for incidents."""
