"""Text on its way out: what a terminal may be sent, and what JSON is."""
