"""An engine of the past, from the journal."""
