"""Files of certificate authorities."""

from __future__ import annotations

import os
import ssl

from tui.channels.apart import answered_within, is_under_way

ANSWER_LIMIT = 1.0
"""Seconds for a file to answer; then it is for the links that need it to tell that it does not."""


def complaint_about(path: str) -> str | None:
    """What is wrong with a file of certificate authorities; None when it can be used, or does not answer."""
    thing = ("complaint", path)
    if is_under_way(thing):
        return None
    try:
        return answered_within(ANSWER_LIMIT, thing, lambda: _complaint(path), f"ca_file {path}")
    except TimeoutError:
        return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _complaint(path: str) -> str | None:
    if not os.path.isfile(path):
        return "no such file"
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "not a PEM file of certificates"
    return None
