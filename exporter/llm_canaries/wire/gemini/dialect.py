"""The Gemini dialect: one value with all its readers and writers."""

from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Request, Written
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.gemini import ask, reply
from llm_canaries.wire.gemini.errors import error_of, status_of
from llm_canaries.wire.gemini.names import NAME
from llm_canaries.wire.gemini.path import MODELS, ROUTE, for_model
from llm_canaries.wire.gemini.reader import GeminiReader
from llm_canaries.wire.gemini.writer import GeminiWriter
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import decode_object, encode, items, kind, mapping, string, want
from llm_canaries.wire.message import Ask, Models, Reply
from llm_canaries.wire.profile import Profile

_METHODS = ["generateContent", "streamGenerateContent"]


class Gemini:
    """generateContent; see wire.exchange.Dialect for what each part promises."""

    name = NAME
    path = ROUTE
    models_path = MODELS

    def auth(self, key: str) -> Headers:
        """`x-goog-api-key`."""
        return (("x-goog-api-key", key),)

    def read_ask(self, body: bytes, path: str) -> Ask:
        """See gemini.ask: model and stream are in `path`."""
        return ask.read_ask(body, path)

    def write_ask(self, asked: Ask, profile: Profile) -> Request:
        """See gemini.ask."""
        return ask.write_ask(asked, profile)

    def with_model(self, body: bytes, path: str, model: str) -> tuple[bytes, str]:
        """The same bytes under another path. Raises WireError."""
        return body, for_model(path, model)

    def read_reply(self, body: bytes) -> Reply:
        """See gemini.reply."""
        return reply.read_reply(body)

    def write_reply(self, answer: Reply) -> Written:
        """See gemini.reply."""
        return reply.write_reply(answer)

    def write_fault(self, fault: Fault) -> tuple[int, bytes]:
        """Status and Google's error envelope."""
        return status_of(fault), encode({"error": error_of(fault)})

    def read_models(self, body: bytes) -> Models:
        """The ids of a list of models, without Google's `models/` before them. Raises WireError."""
        data = decode_object(body).get("models")
        want(isinstance(data, list), f"models: expected an array, got {kind(data)}")
        names = (string(mapping(each).get("name")).removeprefix("models/") for each in items(data))
        return Models(tuple(name for name in names if name))

    def write_models(self, models: Models) -> bytes:
        """Google's list, on one page."""
        said = [
            {"name": f"models/{model}", "version": "", "displayName": model, "supportedGenerationMethods": _METHODS}
            for model in models.ids
        ]
        return encode({"models": said})

    def reader(self) -> GeminiReader:
        """A reader for one stream."""
        return GeminiReader()

    def writer(self, head: Head) -> GeminiWriter:
        """A writer for one stream."""
        return GeminiWriter(head)
