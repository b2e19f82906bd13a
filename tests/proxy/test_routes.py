"""Covers proxy/routes.py: alias before address before pattern, by priority, and in the order of the providers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.routes import Alias, Provider, exposed, find, routes
from llm_canaries.wire.message import Thinking


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
def test_first_route(model: str, found: tuple[str, str] | None) -> None:
    ways = [(route.provider.name, route.model) for route in routes(ALL, model)]
    assert ways[:1] == ([] if found is None else [found])


def test_no_providers() -> None:
    assert routes((), "gpt-5") == ()


def test_prefix_before_pattern() -> None:
    catch_all = provider("all")
    assert routes((catch_all, PREFIXED), "acme/gpt-5")[0].provider.name == "prefixed"
    (route,) = routes((catch_all, PREFIXED), "acme/gpt-4")
    assert (route.provider.name, route.model) == ("all", "acme/gpt-4")


def test_exposed() -> None:
    assert exposed(PREFIXED, ["gpt-5", "gpt-4"]) == ["acme/gpt-5"]
    assert exposed(ALIASED, ["tiny-1", "huge-1"]) == ["fast"], "the alias replaces the name"
    assert exposed(provider("any"), ["b", "a"]) == ["b", "a"]


def test_everything_exposed_has_a_route() -> None:
    listed = ["gpt-5", "gpt-5.1", "o4-mini", "tiny-1", "tiny-2", "tiny-3"]
    for each in ALL:
        for model in exposed(each, listed):
            assert routes(ALL, model)


FORKED = provider("forked", aliases={"fast": Alias("tiny-1", fork=True), "quick": Alias("tiny-2")}, models=("tiny-*",))


def test_fork_or_replace() -> None:
    assert exposed(FORKED, ["tiny-1", "tiny-2", "tiny-3"]) == ["tiny-1", "tiny-3", "fast", "quick"]
    assert ways([FORKED], "tiny-1") == [("forked", "tiny-1")]
    assert ways([FORKED], "tiny-2") == [], "replaced"
    assert ways([FORKED], "forked/tiny-2") == ways([FORKED], "quick") == [("forked", "tiny-2")]


def ways(providers: list[Provider], model: str, pinned: str | None = None) -> list[tuple[str, str]]:
    return [(route.provider.name, route.model) for route in routes(providers, model, pinned)]


CHAIN = [
    provider("cheap", models=("gpt-*",)),
    provider("main", models=("gpt-*",), priority=10),
    provider("hub", aliases={"gpt-5": Alias("openai/gpt-5", fork=True)}),
]
PREFIXES = [provider("all"), provider("team", prefix="acme", models=("gpt-*",)), provider("spare", prefix="acme")]

CHAINS = [
    ("priority, then aliases, then order", CHAIN, "gpt-5", ["main gpt-5", "hub openai/gpt-5", "cheap gpt-5"]),
    ("a catch-all comes with the others", CHAIN, "gpt-6", ["main gpt-6", "cheap gpt-6", "hub gpt-6"]),
    ("an address is an address", CHAIN, "cheap/gpt-5", ["cheap gpt-5"]),
    ("an address of what is not served goes by pattern", CHAIN, "main/claude", ["hub main/claude"]),
    ("everybody behind one prefix, nobody without", PREFIXES, "acme/gpt-5", ["team gpt-5", "spare gpt-5"]),
    ("one who serves it", PREFIXES, "acme/o4", ["spare o4"]),
    ("no prefix, no providers with one", PREFIXES, "gpt-5", ["all gpt-5"]),
    ("a prefixed provider by its name", PREFIXES, "team/gpt-5", ["team gpt-5"]),
]


@pytest.mark.parametrize(("name", "providers", "model", "expected"), CHAINS, ids=[row[0] for row in CHAINS])
def test_chains(name: str, providers: list[Provider], model: str, expected: list[str]) -> None:
    assert [" ".join(way) for way in ways(providers, model)] == expected


def test_prefix_that_is_not_forced() -> None:
    own = provider("team", prefix="acme", models=("gpt-*",), force_prefix=False)
    assert ways([own], "gpt-5") == ways([own], "acme/gpt-5") == [("team", "gpt-5")]
    assert exposed(own, ["gpt-5"]) == ["acme/gpt-5", "gpt-5"]


def test_excluded() -> None:
    aliases = {"new": Alias("gpt-6-preview"), "old": Alias("o3", fork=True)}
    own = provider("p", models=("o*", "gpt-*"), excluded=("*-preview", "o1"), aliases=aliases)
    assert ways([own], "gpt-6-preview") == ways([own], "o1") == ways([own], "new") == ways([own], "p/o1") == []
    assert exposed(own, ["o1", "o3", "gpt-6-preview"]) == ["o3", "old"]


def test_ids_with_a_slash_are_no_addresses() -> None:
    """`mirror/healthy` is an id of the provider `mirror`; a pattern that says so, or the lack of others, tells."""
    lone = provider("mirror")
    assert ways([lone], "mirror/healthy") == [("mirror", "mirror/healthy")]
    listed = provider("mirror", models=("mirror/*",))
    assert ways([listed, CHAIN[0]], "mirror/healthy") == [("mirror", "mirror/healthy")]
    assert ways([lone, CHAIN[0]], "mirror/healthy") == [("mirror", "healthy")]
    assert ways([provider("openai", models=("gpt-*",))], "openai/gpt-5") == [("openai", "gpt-5")]


def test_pinned() -> None:
    assert ways(CHAIN, "gpt-5", "cheap") == [("cheap", "gpt-5")]
    assert ways(CHAIN, "claude", "cheap") == [], "pinned there, not elsewhere"


SUFFIXES = [
    ("gpt-5(high)", "gpt-5", Thinking(effort="high")),
    ("gpt-5(8192)", "gpt-5", Thinking(mode="enabled", budget=8192)),
    ("gpt-5(ultra)", "gpt-5", None),
    ("gpt-5", "gpt-5", None),
    ("real(low)", "real(low)", None),
]


@pytest.mark.parametrize(("model", "target", "thinking"), SUFFIXES)
def test_suffixes(model: str, target: str, thinking: Thinking | None) -> None:
    found = find([provider("p", models=("*", "real(low)"))], model)
    assert [route.model for route in found.routes] == [target]
    assert found.thinking == thinking
    assert find([provider("p", aliases={"a(high)": Alias("b", fork=True)})], "a(high)").routes[0].model == "b"


IDS = st.sampled_from(["gpt-5", "gpt-6", "fast", "acme/gpt-5", "a/gpt-5", "b/fast", "x", "", "/", "a/", "claude(high)"])
PROVIDERS = st.lists(
    st.builds(
        lambda name, prefix, models, excluded, alias, fork, first: provider(
            name, prefix=prefix, models=models, excluded=excluded, aliases={alias: Alias("gpt-5", fork)}, priority=first
        ),
        st.sampled_from("abc"),
        st.sampled_from(["", "acme"]),
        st.sampled_from([("*",), ("gpt-*",), ("gpt-5",)]),
        st.sampled_from([(), ("gpt-6",)]),
        st.sampled_from(["fast", "gpt-6"]),
        st.booleans(),
        st.integers(-1, 1),
    ),
    max_size=3,
    unique_by=lambda each: each.name,
)


@given(PROVIDERS, IDS)
def test_any_routes(providers: list[Provider], model: str) -> None:
    found = routes(providers, model)
    assert found == routes(list(providers), model), "the same every time"
    priorities = [route.provider.priority for route in found]
    assert priorities == sorted(priorities, reverse=True)
    assert len({route.provider.name for route in found}) == len(found), "each provider once"
    assert not [route for route in found if route.model in route.provider.excluded]
    for each in providers:
        assert routes(providers, model, each.name) == tuple(route for route in found if route.provider is each)
