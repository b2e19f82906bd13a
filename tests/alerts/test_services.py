"""Covers alerts/services.py beside all that Apprise loads by itself.

Each test has a process of its own, for Apprise's table is one of a process.
"""

import json
import subprocess
import sys

import pytest

from llm_canaries.alerts.receivers import check

ALL = """
import json
from apprise.plugins import N_MGR
from llm_canaries.alerts.services import claims
N_MGR.load_modules()
print(json.dumps([claims(), {scheme: N_MGR[scheme].__module__ for scheme in N_MGR.schemas()}]))
"""
SOME = """
import json, sys
from llm_canaries.alerts.receivers import service_name
names = [service_name(url) for url in sys.argv[1:]]
from apprise.plugins import N_MGR
print(json.dumps([names, sorted(N_MGR.schemas())]))
"""


def said(code: str, *arguments: str) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    found: list[object] = json.loads(done.stdout)
    return found


def test_every_claim_is_right_and_few_are_missing() -> None:
    claims, known = said(ALL)
    assert isinstance(claims, dict) and isinstance(known, dict)
    wrong = {scheme: module for scheme, module in claims.items() if module not in known[scheme].split(".")}
    assert wrong == {}
    assert len(known) > 200 and len(claims) > 0.9 * len(known)


def test_only_what_is_named_is_loaded() -> None:
    names, schemes = said(SOME, "json://host/a", "tgram://123456789:abcdefghijklmnop/1", "JSONS://host")
    assert names == ["JSON", "Telegram", "JSON"]
    assert schemes == ["json", "jsons", "tgram"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("kodi://host", "Kodi/XBMC"),  # its scheme is written elsewhere
        ("https://discord.com/api/webhooks/1/abcdefgh", "Discord"),  # a web address that a service knows as its own
        ("nope://host", ""),
    ],
)
def test_what_no_module_claims_may_be_anybodys(url: str, name: str) -> None:
    names, schemes = said(SOME, "json://host", url, "mailto://a:b@example.com")
    assert isinstance(names, list) and isinstance(schemes, list)
    assert names[0] == "JSON" and names[1] == name and "mail" in names[2].lower()
    assert len(schemes) > 200


def test_a_system_without_temporary_files_loads_all() -> None:
    names, schemes = said("import tempfile; tempfile.tempdir = '/nowhere'\n" + SOME, "json://host")
    assert names == ["JSON"]
    assert isinstance(schemes, list) and len(schemes) > 200


def test_the_words_for_a_wrong_url_are_the_same() -> None:
    found = check("json://")
    assert found is not None and "JSON" in found
    assert check("nope://x") == "names the service `nope`, which Apprise does not know"
