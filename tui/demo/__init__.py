"""An embedded server that speaks Phoenix Channels, and the faults staged on it."""
