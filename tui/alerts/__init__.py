"""The alert queue: what events become, in which order they are shown, and what became of each."""
