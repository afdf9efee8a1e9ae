"""The engine from a shell: what a running one is asked, and how its answers are printed."""
