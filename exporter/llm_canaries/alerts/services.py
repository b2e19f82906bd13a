"""Apprise's services, of which only those are loaded that receivers name: all of them take 20 MB and 0.3 s."""

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

_PLUGINS: Final = "apprise.plugins"
_CLAIM: Final = re.compile(rb"^    (?:secure_)?protocol\b[^=\n]*=\s*(\([^)]*\)|\[[^\]]*\]|\{[^}]*\}|[^\n]*)", re.M)
_SCHEME: Final = re.compile(rb"[\"']([A-Za-z0-9]+)[\"']")


def load(scheme: str) -> None:
    """Makes Apprise know the service of `scheme`; all that it has where none is known to claim that.

    Without it Apprise loads them all at the first URL.
    """
    from apprise.plugins import N_MGR

    known: Any = N_MGR  # its functions have no types
    if bool(known) and scheme in known:
        return
    module = claims().get(scheme)
    if module is None or not _load_one(known, module):
        known.unload_modules()  # else it complains of those it has
        known.load_modules()


def _load_one(known: Any, module: str) -> bool:
    """Whether it could be loaded: there may be no place for temporary files."""
    try:
        with TemporaryDirectory() as folder:
            (Path(folder) / f"{module}.py").touch()  # the modules that a folder names, imported from where `name` says
            known.load_modules(path=folder, name=_PLUGINS)
    except OSError:
        return False
    return True


@cache
def claims() -> dict[str, str]:
    """The module of each scheme that one module alone claims, as the sources write it; none without sources."""
    from apprise import plugins

    folder = Path(plugins.__file__).parent
    found: dict[str, set[str]] = {}
    for each in folder.glob("**/*.py"):
        module = each.relative_to(folder).parts[0].removesuffix(".py")
        for claim in _CLAIM.finditer(each.read_bytes()):
            for scheme in _SCHEME.findall(claim[1]):
                found.setdefault(scheme.decode(), set()).add(module)
    return {scheme: next(iter(modules)) for scheme, modules in found.items() if len(modules) == 1}
