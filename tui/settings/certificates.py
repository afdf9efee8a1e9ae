"""Files of certificate authorities."""

from __future__ import annotations

import os
import ssl


def complaint_about(path: str) -> str | None:
    """What is wrong with a file of certificate authorities, in words; None when it can be used."""
    if not os.path.isfile(path):
        return "no such file"
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "not a PEM file of certificates"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
