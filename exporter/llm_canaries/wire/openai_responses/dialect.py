"""The Responses dialect: one value with all its readers and writers."""

from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Request, Written
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import encode, with_value
from llm_canaries.wire.message import Ask, Models, Reply
from llm_canaries.wire.openai_chat.dialect import OpenAIChat
from llm_canaries.wire.openai_responses import ask, reply
from llm_canaries.wire.openai_responses.parts import NAME
from llm_canaries.wire.openai_responses.reader import ResponsesReader
from llm_canaries.wire.openai_responses.writer import ResponsesWriter
from llm_canaries.wire.profile import Profile

_CHAT = OpenAIChat()  # one provider, one list of models and one form of error


class OpenAIResponses:
    """Responses; see wire.exchange.Dialect for what each part promises."""

    name = NAME
    path = ask.PATH
    models_path = _CHAT.models_path

    def auth(self, key: str) -> Headers:
        """Bearer."""
        return _CHAT.auth(key)

    def read_ask(self, body: bytes, path: str) -> Ask:
        """`path` says nothing here: model and stream are in the body."""
        return ask.read_ask(body)

    def write_ask(self, asked: Ask, profile: Profile) -> Request:
        """See openai_responses.ask."""
        return ask.write_ask(asked, profile)

    def with_model(self, body: bytes, path: str, model: str) -> tuple[bytes, str]:
        """The same bytes but for the model id."""
        return with_value(body, "model", model), path

    def read_reply(self, body: bytes) -> Reply:
        """See openai_responses.reply."""
        return reply.read_reply(body)

    def write_reply(self, answer: Reply) -> Written:
        """See openai_responses.reply."""
        return reply.write_reply(answer)

    def write_fault(self, fault: Fault) -> tuple[int, bytes]:
        """OpenAI's envelope; a model that nobody knows is a 400 here, and 404 on chat (protocols.md A6)."""
        if fault.reason is not FaultReason.MODEL_NOT_FOUND:
            return _CHAT.write_fault(fault)
        code = fault.code or "model_not_found"
        error = {"message": fault.message, "type": "invalid_request_error", "param": "model", "code": code}
        return 400, encode({"error": error})

    def read_models(self, body: bytes) -> Models:
        """Chat's list. Raises WireError."""
        return _CHAT.read_models(body)

    def write_models(self, models: Models) -> bytes:
        """Chat's list."""
        return _CHAT.write_models(models)

    def reader(self) -> ResponsesReader:
        """A reader for one stream."""
        return ResponsesReader()

    def writer(self, head: Head) -> ResponsesWriter:
        """A writer for one stream."""
        return ResponsesWriter(head)
