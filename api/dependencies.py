"""What a request may ask for: the loop, and that its caller may do this."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBasic, HTTPBearer

from api.security import check_token
from automation.pipeline.context import Loop
from data.settings import Scope

# Only so that the interactive docs show where the token goes; `check_token` decides.
_bearer = HTTPBearer(auto_error=False, description="A token of LEADLOOP_API_TOKENS")
_basic = HTTPBasic(auto_error=False, description="For browsers: any user name, the token as password")


def loop_of(request: Request) -> Loop:
    loop: Loop = request.app.state.loop
    return loop


LoopDep = Annotated[Loop, Depends(loop_of)]


Bearer = Annotated[Any, Security(_bearer)]
Basic = Annotated[Any, Security(_basic)]


def needs(scope: Scope) -> Any:
    """A dependency that lets a caller with this scope pass."""

    def check(request: Request, loop: LoopDep, _bearer_shown: Bearer, _basic_shown: Basic) -> None:
        check_token(request.headers.get("authorization", ""), loop.settings.tokens, scope)

    checked: Callable[..., None] = check
    return Depends(checked)
