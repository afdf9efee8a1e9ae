"""The face on real terminals."""
