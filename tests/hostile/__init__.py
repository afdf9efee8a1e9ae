"""Hubs that mean harm, each beside a good one, under the whole program on a pseudo-terminal."""
