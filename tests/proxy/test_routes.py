"""Covers proxy/routes.py: alias before prefix before pattern, and in the order of the providers."""

import pytest

from llm_canaries.proxy.routes import Provider, exposed, find_route


def provider(name: str, **fields: object) -> Provider:
    return Provider(name=name, url="http://x", **fields)  # type: ignore[arg-type]


FIRST = provider("first", models=("gpt-*",))
SECOND = provider("second", models=("gpt-*", "o4-mini"))
PREFIXED = provider("prefixed", prefix="acme", models=("gpt-5*",))
ALIASED = provider("aliased", aliases={"fast": "tiny-1", "gpt-4": "tiny-2", "acme/gpt-5": "tiny-3"}, models=("tiny-*",))
ALL = (FIRST, SECOND, PREFIXED, ALIASED)

TABLE = [
    ("a pattern", "gpt-5", ("first", "gpt-5")),
    ("the order of providers", "o4-mini", ("second", "o4-mini")),
    ("an alias", "fast", ("aliased", "tiny-1")),
    ("an alias before a pattern", "gpt-4", ("aliased", "tiny-2")),
    ("a prefix", "acme/gpt-5.1", ("prefixed", "gpt-5.1")),
    ("an alias before a prefix", "acme/gpt-5", ("aliased", "tiny-3")),
    ("a prefix whose pattern does not fit", "acme/gpt-4", None),
    ("a prefix is not optional", "gpt-5x", ("first", "gpt-5x")),
    ("a prefix alone", "acme/", None),
    ("nobody", "claude-sonnet", None),
    ("no model", "", None),
    ("case matters", "GPT-5", None),
    ("another's prefix", "other/gpt-5", None),
]


@pytest.mark.parametrize(("model", "found"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_find_route(model: str, found: tuple[str, str] | None) -> None:
    route = find_route(ALL, model)
    assert (None if route is None else (route.provider.name, route.model)) == found


def test_no_providers() -> None:
    assert find_route((), "gpt-5") is None


def test_prefix_before_pattern() -> None:
    catch_all = provider("all")
    route = find_route((catch_all, PREFIXED), "acme/gpt-5")
    assert route is not None and route.provider.name == "prefixed"
    route = find_route((catch_all, PREFIXED), "acme/gpt-4")
    assert route is not None and (route.provider.name, route.model) == ("all", "acme/gpt-4")


def test_exposed() -> None:
    assert exposed(PREFIXED, ["gpt-5", "gpt-4"]) == ["acme/gpt-5"]
    assert exposed(ALIASED, ["tiny-1", "huge-1"]) == ["tiny-1", "fast"]
    assert exposed(provider("any"), ["b", "a"]) == ["b", "a"]


def test_everything_exposed_has_a_route() -> None:
    listed = ["gpt-5", "gpt-5.1", "o4-mini", "tiny-1", "tiny-2", "tiny-3"]
    for each in ALL:
        for model in exposed(each, listed):
            assert find_route(ALL, model) is not None
