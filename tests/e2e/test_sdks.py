"""The official SDKs against `canaries proxy`, each routed to a provider of each dialect: nothing of an ask is lost.

Three SDKs speak four dialects, the mirror serves four, and every case is asked whole and streamed. The mirror does what
it is told and counts what it was sent, so that an image, a call or a level of reasoning that got lost on the way shows
in the answer.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from processes import Running, canaries
from sdk_clients import CALL, ECHO, Client, clients

from llm_canaries.wire import png
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.nonce import Draw

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

KEY = "ck-sdk-0123456789"
MODEL = "mirror/healthy"
FINISHED = {"openai_chat": "stop", "openai_responses": "completed", "anthropic_messages": "end_turn"}
CALLED = {"openai_chat": "tool_calls", "openai_responses": "completed", "anthropic_messages": "tool_use"}

each_client = pytest.mark.parametrize("dialect", list(DIALECTS))
each_provider = pytest.mark.parametrize("provider", list(DIALECTS))
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The proxy, with four providers that are the mirror in four dialects."""
    folder: Path = tmp_path_factory.mktemp("proxy")
    with canaries(folder, "mirror") as mirror:
        providers = [
            f"      {name}: {{url: '{mirror.url}', profile: mirror, dialects: [{name}], prefix: {name}}}"
            for name in DIALECTS
        ]
        lines = ["gateways:", "  all:", "    kind: embedded", f"    models: [{MODEL}]", "    providers:", *providers]
        (folder / "canaries.yml").write_text("\n".join([*lines, f"proxy: {{client_keys: [{KEY}]}}", ""]))
        with canaries(folder, "proxy") as running:
            yield running


@pytest.fixture
async def sdks(proxy: Running) -> AsyncIterator[dict[str, Client]]:
    """The SDKs, by dialect."""
    async with clients(proxy.url, KEY) as opened:
        yield opened


@each_way
@each_provider
@each_client
async def test_text(dialect: str, provider: str, stream: bool, sdks: dict[str, Client]) -> None:
    said = await sdks[dialect].ask(f"{provider}/{MODEL}", ECHO, stream=stream)
    assert said.text == "123456"
    assert said.finish.rpartition(".")[2] == FINISHED.get(dialect, "STOP")
    assert (said.calls, said.thoughts) == ((), None)
    assert said.input > 0 and said.output > 0
    assert said.pieces > 1 or not stream, "a stream comes piece by piece"


@each_way
@each_provider
@each_client
async def test_an_image_in_a_tools_result(
    dialect: str, provider: str, stream: bool, sdks: dict[str, Client], draw: Draw
) -> None:
    model = f"{provider}/{MODEL}"
    first = await sdks[dialect].ask(model, CALL, stream=stream, tools=True)
    assert [name for _, name in first.calls] == ["red"]
    assert first.finish.rpartition(".")[2] == CALLED.get(dialect, "STOP")
    said = await sdks[dialect].show(model, CALL, first, png.draw_number("90817", draw), stream=stream)
    assert said.text == "90817"
    assert said.calls == ()


@each_way
@each_provider
@each_client
async def test_thinking(dialect: str, provider: str, stream: bool, sdks: dict[str, Client]) -> None:
    plain = await sdks[dialect].ask(f"{provider}/{MODEL}", ECHO, stream=stream)
    said = await sdks[dialect].ask(f"{provider}/{MODEL}", ECHO, stream=stream, thinking=True)
    assert said.text == "123456"
    assert said.reasoning is not None and 0 < said.reasoning <= 2400
    assert said.output >= plain.output + said.reasoning, "reasoning is part of the output"
    assert said.thoughts and "thought about it" in said.thoughts
