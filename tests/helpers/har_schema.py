"""HAR 1.2 as a JSON Schema, written from its specification: what is required, of which kind, and nothing unknown but
fields that begin with an underscore.
"""

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number", "minimum": 0}, {"type": "integer", "minimum": -1}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
OPTIONAL_TIME = {"type": "number", "minimum": -1}


def shape(required, **optional):
    """An object with these fields; a comment is allowed everywhere."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional | {"comment": TEXT},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def many(item):
    return {"type": "array", "items": item}


PAIR = shape({"name": TEXT, "value": TEXT})
COOKIE = shape({"name": TEXT, "value": TEXT}, path=TEXT, domain=TEXT, expires=TEXT, httpOnly={}, secure={})
POST_DATA = shape({"mimeType": TEXT, "text": TEXT}, params=many(shape({"name": TEXT})))
CONTENT = shape(
    {"size": {"type": "integer", "minimum": 0}, "mimeType": TEXT}, text=TEXT, encoding=TEXT, compression=WHOLE
)
MESSAGE = {
    "httpVersion": TEXT, "cookies": many(COOKIE), "headers": many(PAIR), "headersSize": WHOLE, "bodySize": WHOLE
}  # fmt: skip
REQUEST = shape(
    MESSAGE | {"method": TEXT, "url": {"type": "string", "pattern": "^https?://[^/?#]+"}, "queryString": many(PAIR)},
    postData=POST_DATA,
)
RESPONSE = shape(
    MESSAGE | {"status": {"type": "integer", "minimum": 0}, "statusText": TEXT, "content": CONTENT, "redirectURL": TEXT}
)
TIMINGS = shape(
    {"send": NUMBER, "wait": NUMBER, "receive": NUMBER},
    blocked=OPTIONAL_TIME, dns=OPTIONAL_TIME, connect=OPTIONAL_TIME, ssl=OPTIONAL_TIME,
)  # fmt: skip
ENTRY = shape(
    {
        "startedDateTime": MOMENT, "time": NUMBER, "request": REQUEST, "response": RESPONSE,
        "cache": shape({}, beforeRequest={}, afterRequest={}), "timings": TIMINGS,
    },
    pageref=TEXT, serverIPAddress=TEXT, connection=TEXT,
)  # fmt: skip
PAGE = shape(
    {
        "startedDateTime": MOMENT, "id": TEXT, "title": TEXT,
        "pageTimings": shape({}, onContentLoad=OPTIONAL_TIME, onLoad=OPTIONAL_TIME),
    }
)  # fmt: skip
NAMED = shape({"name": TEXT, "version": TEXT})
HAR = shape(
    {
        "log": shape(
            {"version": {"const": "1.2"}, "creator": NAMED, "entries": many(ENTRY)}, browser=NAMED, pages=many(PAGE)
        )
    }
)
