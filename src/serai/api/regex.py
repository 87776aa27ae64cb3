"""Regular expressions, checked by the engine that Envoy runs them with."""

from __future__ import annotations

import re2

MAX_LENGTH = 1024


def regex_problem(pattern: str) -> str:
    """What is wrong with a regular expression; empty if nothing is.  Envoy: RE2."""
    if len(pattern) > MAX_LENGTH:
        return f"a regular expression of {len(pattern)} characters; at most {MAX_LENGTH} are taken"
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        cause = error.args[0] if error.args else "not understood"
        words = cause.decode() if isinstance(cause, bytes) else str(cause)
        return f'not a regular expression of RE2: "{pattern}": {words}'
    return ""
