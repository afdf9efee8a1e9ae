"""A supervised connection: its channels, its history, and who listens to it."""
