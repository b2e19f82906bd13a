"""Covers the guard of conftest.py: no test can reach another machine."""

import asyncio
import socket

import pytest


def test_connect_fails_loudly() -> None:
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception, match="connects"):
        sock.connect(("192.0.2.1", 80))
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception, match="connects"):
        sock.connect_ex(("192.0.2.1", 80))


async def test_asyncio_fails_loudly() -> None:
    with pytest.raises(pytest.fail.Exception, match="connects"):
        await asyncio.open_connection("192.0.2.1", 80)
    with pytest.raises(pytest.fail.Exception, match="resolves"):
        await asyncio.open_connection("example.org", 80)


async def test_invalid_names_do_not_resolve() -> None:
    with pytest.raises(socket.gaierror):
        await asyncio.open_connection("nowhere.invalid", 80)
