"""Whole evenings on virtual time, with everything that can go wrong, and what must hold meanwhile."""
