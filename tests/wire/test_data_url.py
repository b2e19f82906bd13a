"""Covers wire/data_url.py: base64 data URLs and all others."""

import pytest

from llm_canaries.wire.data_url import join, split
from llm_canaries.wire.message import Document, Image


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("data:text/plain;charset=utf-8;base64,QQ==", ("text/plain", "QQ==")),
        ("data:;base64,QQ==", ("", "QQ==")),
        ("data:image/png,AAAA", None),
        ("data:image/png;base64", None),
        ("https://example.test/a.png", None),
        ("", None),
    ],
)
def test_split(url: str, expected: tuple[str, str] | None) -> None:
    assert split(url) == expected


def test_join() -> None:
    assert join(Image(url="https://example.test/a.png")) == "https://example.test/a.png"
    assert join(Image(data="AAAA", media_type="image/png")) == "data:image/png;base64,AAAA"
    assert join(Document(data="AAAA")) == "data:application/octet-stream;base64,AAAA"
