"""What every request has to pass before anything reads it: its head is plain, its sender is known, and asks not too often."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from api.callers import KEY, Asked, Callers
from api.errors import problem, problem_of
from api.limits import NOBODY, network_of
from data.errors import TooMany

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16 * 1024
MOST_QUERY_BYTES = 8 * 1024
# Of these a request may have one. Two would be read one way here and another way by a proxy.
SINGLE = frozenset({
    b"authorization", b"host", b"content-length", b"transfer-encoding", b"content-type", b"origin", b"sec-fetch-site",
    b"x-hubspot-signature-v3", b"x-hubspot-request-timestamp",
})  # fmt: skip
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITE = frozenset({b"same-origin", b"none"})
Refusal = tuple[HTTPStatus, str]


class Guard:
    """Refuses odd heads, finds out whose token it is, and counts. What it found is in the scope, for `asked_by`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._callers: Callers | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        single: dict[bytes, bytes] = {}
        if (refusal := _refusal(scope, single)) is not None:
            status, detail = refusal
            await problem(status, status.phrase, detail, kind="urn:leadloop:odd-request")(scope, receive, send)
            return
        callers, address = self._of(scope), network_of((scope.get("client") or (NOBODY,))[0])
        identity = await callers.identify(single.get(b"authorization", b""), address)
        scope[KEY] = Asked(identity, address, callers)
        if wait := callers.wait_of(identity, address):
            whose = f"the token {identity.caller.name}" if identity.caller else "this address"
            error = TooMany(f"{whose} has sent too many requests; LEADLOOP_RATE_LIMIT_PER_SECOND says how many may come",
                            retry_after_seconds=wait)  # fmt: skip
            await problem_of(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _of(self, scope: Scope) -> Callers:
        loop = scope["app"].state.loop
        if self._callers is None or self._callers.loop is not loop:
            self._callers = Callers(loop)
        return self._callers


def _refusal(scope: Scope, single: dict[bytes, bytes]) -> Refusal | None:
    """Why a request's head is refused, if it is. Fills in the headers of which there is one."""
    size, headers = 0, scope["headers"]
    for name, value in headers:
        size += len(name) + len(value)
        if name in SINGLE:
            if name in single:
                return HTTPStatus.BAD_REQUEST, f"the header {name.decode()} stands twice"
            single[name] = value
    if size > MOST_HEADER_BYTES or len(headers) > MOST_HEADERS:
        return (
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"a request may have {MOST_HEADERS} headers of {MOST_HEADER_BYTES:,} bytes together at most",
        )
    if "\x00" in scope["path"]:
        return HTTPStatus.NOT_FOUND, "nothing here is called by a name with a NUL character"
    if b"%00" in scope["query_string"]:
        return HTTPStatus.BAD_REQUEST, "a query may have no NUL character"
    if len(scope["query_string"]) > MOST_QUERY_BYTES:
        return HTTPStatus.REQUEST_URI_TOO_LONG, f"a query may have {MOST_QUERY_BYTES:,} bytes at most"
    if b"content-length" in single and b"transfer-encoding" in single:
        return HTTPStatus.BAD_REQUEST, "Content-Length and Transfer-Encoding contradict each other"
    if scope["method"] not in SAFE and _is_another_site(single):
        return HTTPStatus.FORBIDDEN, "a page of another site has made a browser send its stored password: nothing is changed so"
    return None


def _is_another_site(single: dict[bytes, bytes]) -> bool:
    """Whether a browser adds a password that it remembers to what a page of another site has it send.

    Browsers add only those of HTTP Basic by themselves. They say whose page it is; older ones and plain HTTP tell its origin.
    """
    if not single.get(b"authorization", b"").lower().startswith(b"basic"):
        return False
    if (site := single.get(b"sec-fetch-site")) is not None:
        return site not in OWN_SITE
    origin = single.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != single.get(b"host")
