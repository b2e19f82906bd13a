"""Evidence as HAR 1.2 (w3c.github.io/web-performance/specs/HAR), for the tools that show browsers' traffic.

Times are milliseconds. A stream's pieces are in `_arrivals`; other fields with an underscore are our own as well.
"""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from llm_canaries.canary.evidence.value import Body, Evidence, KeptExchange, KeptPage
from llm_canaries.wire.headers import Headers, header

Object = dict[str, Any]


def har(evidence: Evidence, number: int = 0) -> str:
    """The HAR document, indented; a page for the run and each of its twins, an entry for each ask and page."""
    name = f"run_{number}"
    pages, entries = [_page(evidence, name)], _entries(evidence, name)
    for twin in evidence.twins:
        marks = {"_way": twin.way, "comment": f"a twin: {twin.name}; no part of the run, and in no ratio"}
        pages.append(_page(twin.run, f"{name}_{twin.way}") | {"_way": twin.way})
        entries += [entry | marks for entry in _entries(twin.run, f"{name}_{twin.way}")]
    log = {
        "version": "1.2",
        "creator": {"name": "llm-canaries", "version": evidence.program},
        "pages": pages,
        "entries": entries,
        "comment": "\n".join(evidence.decision),
    }
    return json.dumps({"log": log}, indent=2, ensure_ascii=False) + "\n"


def _page(evidence: Evidence, name: str) -> Object:
    case, finding = evidence.case, evidence.finding
    return {
        "startedDateTime": _moment(evidence.started),
        "id": name,
        "title": f"{case.canary} {case.gateway} {case.model} {case.dialect} stream={case.stream_word}",
        "pageTimings": {},
        "comment": f"{finding.outcome.value} {finding.reason} {finding.detail}".rstrip(),
    }


def _entries(evidence: Evidence, page: str) -> list[Object]:
    return [_entry(evidence, answer, page) for answer in evidence.answers]


def _entry(evidence: Evidence, answer: KeptExchange | KeptPage, page: str) -> Object:
    total = answer.duration * 1000
    arrivals = answer.arrivals if isinstance(answer, KeptExchange) else ()
    wait = min(arrivals[0][0] * 1000, total) if arrivals else total
    entry: Object = {
        "pageref": page,
        "startedDateTime": _moment(answer.at - answer.duration),
        "time": total,
        "request": _request(evidence, answer),
        "response": _response(answer),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": total - wait},
    }
    if answer.fault is not None:
        entry["_fault"] = msgspec.to_builtins(answer.fault)
    if isinstance(answer, KeptExchange):
        entry |= {
            "_arrivals": [[at * 1000, end] for at, end in arrivals],
            "_usage": msgspec.to_builtins(answer.usage),
            "_attempts": msgspec.to_builtins(answer.attempts),
            "_mirror": msgspec.to_builtins(answer.upstream),
            "_losses": msgspec.to_builtins(answer.losses),
            "_objections": list(answer.objections),
        }
    return entry


def _request(evidence: Evidence, answer: KeptExchange | KeptPage) -> Object:
    base = evidence.url.rstrip("/").removesuffix("/v1") or f"http://{evidence.case.gateway}.invalid"
    query = parse_qsl(answer.path.partition("?")[2], keep_blank_values=True)
    request: Object = {
        "method": "GET",
        "url": base + answer.path,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [],
        "queryString": _named(tuple(query)),
        "headersSize": -1,
        "bodySize": 0,
        "comment": "credentials and standing headers are not recorded",
    }
    if not isinstance(answer, KeptExchange):
        return request
    kept = answer.sent
    text = kept.text if kept.text is not None else kept.data.decode("utf-8", "backslashreplace")
    return request | {
        "method": "POST",
        "headers": _named((("content-type", "application/json"), *answer.asked_headers)),
        "bodySize": kept.size,
        "postData": {"mimeType": "application/json", "text": text} | _left_out(kept),
    }


def _response(answer: KeptExchange | KeptPage) -> Object:
    body, status = answer.body, answer.status or 0
    content: Object = {
        "size": body.size,
        "mimeType": header(answer.headers, "content-type") or "",
    }
    if body.text is not None:
        content["text"] = body.text
    elif body.base64 is not None:
        content |= {"text": body.base64, "encoding": "base64"}
    return {
        "status": status,
        "statusText": _phrase(status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _named(answer.headers),
        "content": content | _left_out(body),
        "redirectURL": header(answer.headers, "location") or "",
        "headersSize": -1,
        "bodySize": body.size if answer.status is not None else -1,
    }


def _left_out(body: Body) -> Object:
    return {"comment": body.left_out} if body.left_out else {}


def _named(pairs: Headers) -> list[Object]:
    return [{"name": name, "value": value} for name, value in pairs]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
