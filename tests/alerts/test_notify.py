"""cli/notify.py: `canaries notify check` and `test`."""

import asyncio

import pytest
from click.testing import CliRunner
from sinks import free_port, sink

from llm_canaries.cli.notify import command

SECRET = "planted0123456789"


def config(folder, monkeypatch, **receivers):
    lines = ["gateways: {here: {kind: embedded, models: [mirror/healthy]}}"]
    if receivers:
        lines.append("receivers:")
    for number, (name, (url, more)) in enumerate(receivers.items()):
        monkeypatch.setenv(f"URL_{number}", url)
        lines.append(f"  {name}: {{url: '${{URL_{number}}}'{more}}}")
    file = folder / "canaries.yml"
    file.write_text("\n".join(lines) + "\n")
    return ["--config", str(file)]


async def canaries(*arguments):
    """The command in a thread, for it has a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, command, [*map(str, arguments)])


async def test_check_names_the_service_and_the_severities(tmp_path, monkeypatch):
    where = config(
        tmp_path, monkeypatch, phone=(f"json://host/{SECRET}", ", severity: [critical]"), chat=("syslog://", "")
    )
    done = await canaries("check", *where)
    assert done.exit_code == 0, done.output
    assert done.output == "phone: JSON, told of critical\nchat: Syslog, told of warning and critical\n"


async def test_check_refuses_nonsense_without_showing_it(tmp_path, monkeypatch):
    where = config(tmp_path, monkeypatch, phone=(f"gopher://{SECRET}", ""), chat=("syslog://", ""), late=(SECRET, ""))
    done = await canaries("check", *where)
    assert done.exit_code == 2
    assert "phone: the URL names the service `gopher`, which Apprise does not know" in done.output
    assert "late: the URL is not an Apprise URL" in done.output
    assert "chat: Syslog" in done.output
    assert SECRET not in done.output


@pytest.mark.parametrize("verb", ["check", "test"])
async def test_without_receivers_it_is_a_usage_error(tmp_path, monkeypatch, verb):
    done = await canaries(verb, *config(tmp_path, monkeypatch))
    assert done.exit_code == 2
    assert "receivers: {phone: {url: ${APPRISE_URL}}}" in done.output


async def test_test_sends_one_message_each(tmp_path, monkeypatch):
    async with sink() as one, sink() as two:
        where = config(tmp_path, monkeypatch, phone=(one.url(), ", severity: [critical]"), chat=(two.url(), ""))
        done = await canaries("test", *where)
        assert (done.exit_code, done.output) == (0, "phone: sent\nchat: sent\n")
        assert one.titles == two.titles == ["Test from llm-canaries"]
        assert "told of: critical." in one.received[0]["message"]
        done = await canaries("test", "chat", *where)
        assert (done.exit_code, len(one.received), len(two.received)) == (0, 1, 2)


async def test_test_fails_if_any_fails(tmp_path, monkeypatch):
    async with sink() as fine:
        down = f"json://127.0.0.1:{free_port()}/{SECRET}"
        done = await canaries("test", *config(tmp_path, monkeypatch, phone=(down, ""), chat=(fine.url(), "")))
        assert done.exit_code == 1
        assert "phone: failure: A Connection error" in done.output
        assert "chat: sent" in done.output
        assert SECRET not in done.output


async def test_test_of_nobody_is_a_usage_error(tmp_path, monkeypatch):
    done = await canaries("test", "nobody", *config(tmp_path, monkeypatch, phone=("syslog://", "")))
    assert done.exit_code == 2
    assert "no receiver nobody; configured: phone" in done.output
