"""The Chat Completions dialect: one value with all its readers and writers."""

from collections.abc import Mapping

from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Request, Written
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.json import decode_object, encode, items, kind, mapping, string, want, with_value
from llm_canaries.wire.message import Ask, Models, Reply
from llm_canaries.wire.openai_chat import ask, reply
from llm_canaries.wire.openai_chat.parts import NAME
from llm_canaries.wire.openai_chat.reader import ChatReader
from llm_canaries.wire.openai_chat.writer import ChatWriter
from llm_canaries.wire.profile import Profile

R = FaultReason
_ERRORS: Mapping[FaultReason, tuple[int, str, str]] = {
    R.AUTH: (401, "invalid_request_error", "invalid_api_key"),
    R.PERMISSION: (403, "permission_error", "permission_denied"),
    R.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    R.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    R.MODEL_NOT_FOUND: (404, "invalid_request_error", "model_not_found"),
    R.MODEL_NOT_SUPPORTED: (400, "invalid_request_error", "model_not_supported"),
    R.BAD_REQUEST: (400, "invalid_request_error", "invalid_request"),
    R.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    R.OVERLOADED: (503, "server_error", "overloaded"),
}


class OpenAIChat:
    """Chat Completions; see wire.exchange.Dialect for what each part promises."""

    name = NAME
    path = ask.PATH
    models_path = "/v1/models"

    def auth(self, key: str) -> Headers:
        """Bearer."""
        return (("authorization", f"Bearer {key}"),)

    def read_ask(self, body: bytes, path: str) -> Ask:
        """`path` says nothing here: model and stream are in the body."""
        return ask.read_ask(body)

    def write_ask(self, asked: Ask, profile: Profile) -> Request:
        """See openai_chat.ask."""
        return ask.write_ask(asked, profile)

    def with_model(self, body: bytes, path: str, model: str) -> tuple[bytes, str]:
        """The same bytes but for the model id."""
        return with_value(body, "model", model), path

    def read_reply(self, body: bytes) -> Reply:
        """See openai_chat.reply."""
        return reply.read_reply(body)

    def write_reply(self, answer: Reply) -> Written:
        """See openai_chat.reply."""
        return reply.write_reply(answer)

    def write_fault(self, fault: Fault) -> tuple[int, bytes]:
        """Status and OpenAI error envelope; the provider's own code is kept."""
        status, kind, code = _ERRORS.get(fault.reason, (502, "server_error", str(fault.reason)))
        error = {"message": fault.message, "type": kind, "param": None, "code": fault.code or code}
        return status, encode({"error": error})

    def read_models(self, body: bytes) -> Models:
        """The ids of a `/v1/models` page, in OpenAI's or Anthropic's form (both hold data[].id). Raises WireError."""
        data = decode_object(body).get("data")
        want(isinstance(data, list), f"data: expected an array, got {kind(data)}")
        return Models(tuple(model for each in items(data) if (model := string(mapping(each).get("id")))))

    def write_models(self, models: Models) -> bytes:
        """OpenAI's list."""
        data = [{"id": model, "object": "model", "created": 0, "owned_by": "llm-canaries"} for model in models.ids]
        return encode({"object": "list", "data": data})

    def reader(self) -> ChatReader:
        """A reader for one stream."""
        return ChatReader()

    def writer(self, head: Head) -> ChatWriter:
        """A writer for one stream."""
        return ChatWriter(head)
