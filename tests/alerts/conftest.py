"""Apprise loaded once, before any test: on Python before 3.13 its PGP support imports the deprecated `imghdr`."""

import warnings

import pytest

from llm_canaries.alerts.receivers import check


@pytest.fixture(scope="session", autouse=True)
def apprise_loaded():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
        assert check("json://127.0.0.1/") is None
