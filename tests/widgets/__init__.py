"""The widgets by themselves."""
