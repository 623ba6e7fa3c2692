"""The error family -> application/problem+json (RFC 9457)."""

import math
import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api.callers import asked_by
from data.errors import LeadloopError, TooMany, Unauthorized
from data.log import get_logger
from data.redaction import shortened

log = get_logger("api")
LONGEST_CAUSE = 200
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


def problem_of(error: LeadloopError) -> JSONResponse:
    """One of our errors as its document."""
    kind = "urn:leadloop:" + CAMEL.sub("-", type(error).__name__).lower()
    answer = problem(error.status, error.title, error.detail, field=error.field, kind=kind)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return answer


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, LeadloopError)
    return problem_of(_refused(request, error) if isinstance(error, Unauthorized) else error)


def _refused(request: Request, error: LeadloopError) -> LeadloopError:
    """Whoever is refused again and again is told to wait instead. Good credentials pass all the while: a proxy or an n8n
    has one address for many senders, and a guesser among them must not lock the others out.
    """
    asked = asked_by(request.scope)
    log.info("api.caller.refused", address=asked.address, path=request.url.path, reason=error.detail)
    if wait := asked.wait_if_refused():
        return TooMany("too many calls from this address had no good credentials", retry_after_seconds=wait)
    return error


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":  # its place is that of a letter, and no field
        where = f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
        return problem(422, "The request does not fit.", where, field="body", kind="urn:leadloop:bad-input")
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    field = ".".join(path) or "body"
    # The message only: the input itself may be a secret, or unprintable.
    return problem(422, "The request does not fit.", f"{field}: {first['msg']}", field=field, kind="urn:leadloop:bad-input")


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 400 and error.__cause__ is not None:  # FastAPI says only that the body cannot be read
        detail = f"the body is not JSON: {shortened(str(error.__cause__), LONGEST_CAUSE)}"
    return problem(error.status_code, HTTPStatus(error.status_code).phrase, detail)


def _unexpected(_request: Request, error: Exception) -> Response:
    log.error("api.request.failed", exc_info=error)
    return problem(500, "Leadloop could not do this.", "an unexpected error; the log has the details")
