"""The Textual app: its screens, its keys, and the terminal that it draws on."""
