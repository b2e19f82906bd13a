"""Text that looks like a key, masked whether anybody told of it or not."""

import re

MASK = "***"

# A recognisable beginning is kept; the lookbehinds keep `task-` and the like readable.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])("
    r"sk-|AIza|gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|gsk_|hf_|AKIA|ya29\.|eyJ"
    r")[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]+)*"
)
_SCHEMES = re.compile(r"(?i)\b(bearer|basic)([ \t]+|%20|\+)[A-Za-z0-9._~+/=\-]{6,}")
_PAIRS = re.compile(
    r"""(?ix)
    ( \b (?: x-)? (?: goog-)? api[-_]?key \\? ["']? \s* [:=] \s* \\? ["']? | [?&] key= )
    (?! \*\*\*) [^\s"'\\,;&}]+
    """
)
_AUTHORIZATION = re.compile(
    r"""(?i)(\b(?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?)(?!bearer\b|basic\b)[^\s"'\\,;]+"""
)
_USER = re.compile(r"(://)[^\s/@]+@")


def mask_lookalikes(text: str) -> str:
    """The text with what looks like a key cut to its first characters and `***`."""
    text = mask_keys(text)
    text = _AUTHORIZATION.sub(rf"\g<1>{MASK}", text)
    text = _PAIRS.sub(rf"\g<1>{MASK}", text)
    return _USER.sub(rf"\g<1>{MASK}@", text)


def mask_keys(text: str) -> str:
    """The text with keys of a known form and credentials after `Bearer` masked."""
    return _SCHEMES.sub(rf"\g<1>\g<2>{MASK}", _KEYS.sub(rf"\g<1>{MASK}", text))
