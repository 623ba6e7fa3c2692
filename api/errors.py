"""The error family -> application/problem+json (RFC 9457)."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from data.errors import LeadloopError
from data.log import get_logger

log = get_logger("api")
CAMEL = re.compile(r"(?<!^)(?=[A-Z])")


def problem(
    status: int, title: str, detail: str, *, field: str | None = None, kind: str = "about:blank", **more: Any
) -> JSONResponse:
    """One problem document. `field` names what in the request is meant."""
    body = {"type": kind, "title": title, "status": status, "detail": detail, **({"field": field} if field else {}), **more}
    answer = JSONResponse(body, status_code=status, media_type="application/problem+json")
    if status == 401:
        # One header each, Basic first: a browser that is told both in one header asks for neither.
        answer.headers.append("WWW-Authenticate", 'Basic realm="Leadloop", charset="UTF-8"')
        answer.headers.append("WWW-Authenticate", "Bearer")
    return answer


def install(app: FastAPI) -> None:
    """Registers one handler per root of the family."""
    app.add_exception_handler(LeadloopError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LeadloopError)
    kind = "urn:leadloop:" + CAMEL.sub("-", type(error).__name__).lower()
    return problem(error.status, error.title, error.detail, field=error.field, kind=kind)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    field = ".".join(path) or "body"
    # The message only: the input itself may be a secret, or unprintable.
    return problem(422, "The request does not fit.", f"{field}: {first['msg']}", field=field, kind="urn:leadloop:bad-input")


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))


def _unexpected(_request: Request, error: Exception) -> Response:
    log.error("api.request.failed", exc_info=error)
    return problem(500, "Leadloop could not do this.", "an unexpected error; the log has the details")
