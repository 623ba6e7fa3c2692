"""TABLE of routers. `/collect/predictions` stands before `/collect/{source}`, which would take it for a source."""

from fastapi import APIRouter

from api import health
from api.audit import endpoints as audit
from api.collector import endpoints as collector
from api.dead_letters import endpoints as dead_letters
from api.deliveries import endpoints as deliveries
from api.events import endpoints as events
from api.explain import endpoints as explain
from api.models import endpoints as models
from api.pages import endpoints as pages
from api.predictive_collector import endpoints as predictive_collector
from api.privacy import endpoints as privacy
from api.scoring import endpoints as scoring
from api.tokens import endpoints as tokens

ROUTERS: tuple[APIRouter, ...] = (
    predictive_collector.router,
    collector.router,
    events.router,
    scoring.router,
    explain.router,
    deliveries.router,
    dead_letters.router,
    models.router,
    tokens.router,
    audit.router,
    privacy.router,
    health.router,
    pages.router,
)
