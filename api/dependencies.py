"""What a request may ask for: the loop, and that its caller may do this."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBasic, HTTPBearer

from api.callers import asked_by
from automation.access import Caller
from automation.pipeline.context import Loop
from data.settings import Scope

# Only so that the interactive docs show where the token goes; the guard has looked at it by now.
_bearer = HTTPBearer(auto_error=False, description="A token of `leadloop tokens`, or of LEADLOOP_API_TOKENS")
_basic = HTTPBasic(auto_error=False, description="For browsers: any user name, the token as password")


# These wait for nothing, so they are no matter for a thread: to hand one of them over takes longer than to call it.
async def loop_of(request: Request) -> Loop:
    loop: Loop = request.app.state.loop
    return loop


LoopDep = Annotated[Loop, Depends(loop_of)]


Bearer = Annotated[Any, Security(_bearer)]
Basic = Annotated[Any, Security(_basic)]


def needs(scope: Scope) -> Any:
    """A dependency that lets a caller with this scope pass, and says who it is."""

    async def check(request: Request, _bearer_shown: Bearer, _basic_shown: Basic) -> Caller:
        return asked_by(request.scope).identity.need(scope)

    checked: Callable[..., Awaitable[Caller]] = check
    return Depends(checked)


ADMIN = needs(Scope.ADMIN)
Admin = Annotated[Caller, ADMIN]
"""The caller, whose token has the scope `admin`."""
