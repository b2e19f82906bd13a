"""The Messages dialect: one value with all its readers and writers."""

from llm_canaries.wire.anthropic_messages import ask, reply
from llm_canaries.wire.anthropic_messages.errors import ERRORS, OTHER
from llm_canaries.wire.anthropic_messages.parts import NAME
from llm_canaries.wire.anthropic_messages.reader import MessagesReader
from llm_canaries.wire.anthropic_messages.writer import MessagesWriter
from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Request, Written
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import decode_object, encode, items, kind, mapping, string, want, with_value
from llm_canaries.wire.message import Ask, Models, Reply
from llm_canaries.wire.profile import Profile


class AnthropicMessages:
    """Messages; see wire.exchange.Dialect for what each part promises."""

    name = NAME
    path = ask.PATH
    models_path = "/v1/models"

    def auth(self, key: str) -> Headers:
        """`x-api-key`."""
        return (("x-api-key", key),)

    def read_ask(self, body: bytes, path: str) -> Ask:
        """`path` says nothing here: model and stream are in the body."""
        return ask.read_ask(body)

    def write_ask(self, asked: Ask, profile: Profile) -> Request:
        """See anthropic_messages.ask."""
        return ask.write_ask(asked, profile)

    def with_model(self, body: bytes, path: str, model: str) -> tuple[bytes, str]:
        """The same bytes but for the model id."""
        return with_value(body, "model", model), path

    def read_reply(self, body: bytes) -> Reply:
        """See anthropic_messages.reply."""
        return reply.read_reply(body)

    def write_reply(self, answer: Reply) -> Written:
        """See anthropic_messages.reply."""
        return reply.write_reply(answer)

    def write_fault(self, fault: Fault) -> tuple[int, bytes]:
        """Status and Anthropic error envelope."""
        status, word = ERRORS.get(fault.reason, OTHER)
        return status, encode({"type": "error", "error": {"type": word, "message": fault.message}})

    def read_models(self, body: bytes) -> Models:
        """The ids of a `/v1/models` page. Raises WireError."""
        data = decode_object(body).get("data")
        want(isinstance(data, list), f"data: expected an array, got {kind(data)}")
        return Models(tuple(model for each in items(data) if (model := string(mapping(each).get("id")))))

    def write_models(self, models: Models) -> bytes:
        """Anthropic's list, on one page."""
        data = [
            {
                "type": "model",
                "id": model,
                "display_name": model,
                "created_at": "1970-01-01T00:00:00Z",
                "lifecycle": "active",
            }
            for model in models.ids
        ]
        ends = {"first_id": models.ids[0], "last_id": models.ids[-1]} if models.ids else {}
        return encode({"data": data, "has_more": False} | ends)

    def reader(self) -> MessagesReader:
        """A reader for one stream."""
        return MessagesReader()

    def writer(self, head: Head) -> MessagesWriter:
        """A writer for one stream."""
        return MessagesWriter(head)
