"""The values that leave the engine, and what is kept of them."""
