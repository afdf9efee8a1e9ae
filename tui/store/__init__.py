"""Writer threads: everything of the engine that touches a disk or a pipe goes through here."""
