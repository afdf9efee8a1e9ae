"""What the engine showed, recorded while it runs and shown again later."""
