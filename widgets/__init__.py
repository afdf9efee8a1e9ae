"""Textual widgets that show plain values and know nothing of the program around them."""
