"""`GET /`: the newest events, scores, deliveries, latencies and dead letters."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import HTMLResponse

from api.dependencies import LoopDep, needs
from automation.overview import overview
from data.settings import Scope

router = APIRouter(include_in_schema=False, dependencies=[needs(Scope.READ)])
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
REFRESH_SECONDS = 5


@router.get("/")
def get_page(request: Request, loop: LoopDep) -> HTMLResponse:
    shown = {"o": overview(loop), "refresh_seconds": REFRESH_SECONDS, "now": loop.clock.now()}
    return templates.TemplateResponse(request, "home.html", shown)
