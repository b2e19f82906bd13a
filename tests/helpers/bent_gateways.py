"""Deployed gateways that are real on the wire: our core behind HTTP in front of our mirror, bent where a test wants."""

from contextlib import asynccontextmanager

from msgspec.structs import replace

from llm_canaries.config.load import load
from llm_canaries.mirror.distortions import drop_images
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.door import Plan, opened
from llm_canaries.service.mutants.bent import Bent
from llm_canaries.service.settings import Settings, known, read_settings

LIMITS = "limits: {connect: 1s, first_byte: 1500ms, idle: 1s, total: 5s}"


def losing_images(gateway):
    """Images in tools' results never reach the provider."""
    return Bent(
        gateway,
        lambda send: replace(send, ask=drop_images(send.ask)),
        lambda send, whole: whole,
        lambda look, whole: whole,
    )


def settings_of(text):
    """The settings of a configuration in YAML, with the shipped definitions."""
    usual = read_settings(None, {})
    config = load(text, known(usual.binding.definitions), file="test.yml", environ={}, read_file=str)
    return Settings(config=config, binding=usual.binding, redactor=usual.redactor, source="test.yml")


@asynccontextmanager
async def proxied(clock: Clock, draw):
    """The base URL of `canaries proxy` in front of a mirror of its own."""
    settings = settings_of(f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}}}}}")
    plan = Plan(config=settings.config, gateway="it", host="127.0.0.1", port=0, keys=(), redact=settings.redactor)
    async with opened(plan, clock, draw) as url:
        yield url


def paired(url, model="mirror/healthy", more=""):
    """A deployed gateway at `url` whose twin has our mirror for its provider."""
    return settings_of(
        f"gateways:\n"
        f"  home: {{kind: openai-compatible, url: '{url}', dialects: [openai_chat], models: [{model}], twin: own, "
        f"{LIMITS}}}\n"
        f"  own: {{kind: embedded, models: [{model}], {LIMITS}}}\n"
        f"{more}"
    )
