"""Every other service: what it reports by itself, and what it answers when it is asked."""
