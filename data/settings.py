"""Every setting, from the environment or `.env`, prefix `LEADLOOP_`. `docs/settings.md` explains each."""

import base64
import math
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data import redaction
from data.addresses import database_address, networks, passwords
from data.domain.money import currency_of, locale_of
from data.errors import NotConfigured

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "data" / "var"
SQLITE = "sqlite:///"

# A repeat is known by the event that is stored. HubSpot sends an event again for 24 hours, others for less; a day more for
# events whose clock is ahead by up to one, and one for n8n, whose failed runs people start again.
SHORTEST_EVENTS_DAYS = 3.0


class Scope(StrEnum):
    """What a bearer token may do. `admin` includes all others."""

    COLLECT = "collect"
    SCORE = "score"
    PREDICTIONS = "predictions"
    ACTIVATE = "activate"
    READ = "read"
    ADMIN = "admin"


Carrier = Literal["n8n", "worker"]


def _rooted(url: str) -> str:
    """Resolves a relative SQLite path against the project's root, so that any working folder will do."""
    if url.startswith(SQLITE) and not url.startswith(SQLITE + "/") and url != SQLITE:
        return SQLITE + str(ROOT / url.removeprefix(SQLITE))
    return database_address(url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1))


def _mlflow_rooted(url: str) -> str:
    return _rooted(url) if url.startswith(SQLITE) else url


class Settings(BaseSettings):
    """Field names are the environment names in lower case, without the prefix."""

    model_config = SettingsConfigDict(
        env_prefix="LEADLOOP_", env_file=ROOT / ".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    # Storage. Both addresses may hold a password, so they do not show.
    database_url: Annotated[str, AfterValidator(_rooted)] = Field("sqlite:///data/var/leadloop.db", repr=False)
    mlflow_tracking_uri: Annotated[str, AfterValidator(_mlflow_rooted)] = Field("sqlite:///data/var/mlflow.db", repr=False)
    var_dir: Annotated[Path, AfterValidator(lambda path: ROOT / path)] = VAR

    # The service
    api_tokens: SecretStr = SecretStr("")
    public_url: str = "http://127.0.0.1:8000"
    max_body_bytes: int = Field(1024 * 1024, ge=1024)
    rate_limit_per_second: float = Field(2000, ge=0)  # of one caller, in each process; 0: none
    failed_logins_per_minute: float = Field(60, gt=0)  # of one address: then 429 in the place of 401
    trusted_proxies: Annotated[str, AfterValidator(networks)] = "127.0.0.1,::1"  # whose X-Forwarded-For is believed
    log_json: bool = True
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # HubSpot
    hubspot_token: SecretStr = SecretStr("")
    hubspot_client_secret: SecretStr = SecretStr("")
    hubspot_app_id: str = ""
    hubspot_base_url: str = "https://api.hubapi.com"
    hubspot_webhook_url: str = ""
    hubspot_portal_id: str = ""
    hubspot_calls_per_10_seconds: int = Field(100, ge=2)  # what a private app of the smaller plans may do

    # Pipedrive
    pipedrive_api_token: SecretStr = SecretStr("")
    pipedrive_base_url: str = "https://api.pipedrive.com"
    pipedrive_webhook_user: str = ""
    pipedrive_webhook_password: SecretStr = SecretStr("")
    pipedrive_webhook_url: str = ""
    pipedrive_company_url: str = ""
    pipedrive_calls_per_2_seconds: int = Field(20, ge=2)  # what a token of the smallest plan may do

    # Slack
    slack_token: SecretStr = SecretStr("")
    slack_channel: str = "#sales-notifications"
    slack_base_url: str = "https://slack.com/api/"

    # Enrichment: company data by domain, and how long anybody is waited for
    hunter_api_key: SecretStr = SecretStr("")
    hunter_base_url: str = "https://api.hunter.io"
    hunter_per_day: int = Field(60, ge=0)  # 2,000 credits a month, its smallest paid plan
    clearbit_api_key: SecretStr = SecretStr("")
    clearbit_base_url: str = "https://company.clearbit.com"
    clearbit_per_day: int = Field(500, ge=0)
    company_data_order: str = "hunter,clearbit"
    company_data_timeout_seconds: float = Field(3, gt=0, le=60)
    company_found_days: float = Field(90, gt=0)
    company_unknown_days: float = Field(30, gt=0)
    enrich_seconds: float = Field(4, gt=0, le=60)
    enrich_tries: int = Field(10, ge=1, le=1000)  # with the pauses, some fourteen hours

    # Who carries a delivery first: n8n's own nodes, or the worker. What n8n has not confirmed goes to the worker.
    deliver_hubspot: Carrier = "n8n"
    deliver_pipedrive: Carrier = "n8n"
    deliver_slack: Carrier = "n8n"
    n8n_grace_seconds: float = Field(15, ge=0, le=3600)
    lease_seconds: float = Field(60, gt=0, le=3600)  # longer than any batch takes: who died is replaced after this
    n8n_lease_limit: int = Field(100, ge=1, le=1000)

    # Scoring
    lead_model: str = "lead_score"
    hot_threshold: float | Literal["auto"] = 0.8
    hot_share: float = Field(0.05, gt=0, lt=1)
    alert_quiet_days: float = Field(7, ge=0)
    lookup_max_age_hours: float = Field(24, gt=0)
    prediction_max_age_hours: float = Field(24, gt=0)
    combined_score_weights: str = ""

    # The account, for money; what is empty is asked of the CRM
    account_currency: str = ""
    account_locale: str = ""

    # The worker
    sweep_seconds: float = Field(0.5, gt=0, le=60)
    reconcile_minutes: float = Field(15, gt=0, le=24 * 60)
    reconcile_round_hours: float = Field(24, ge=0)  # 0: no rounds
    champion_poll_seconds: float = Field(15, gt=0, le=3600)
    max_attempts: int = Field(30, ge=1, le=1000)  # with the back-off, about four hours

    # Looking after the models, in a process of its own
    watch_hours: float = Field(6, gt=0, le=24 * 7)
    retrain: bool = True
    retrain_days: float = Field(30, ge=0)  # 0: never for time alone
    retrain_growth: float = Field(0.2, gt=0)
    retrain_pause_hours: float = Field(24, ge=0)
    retrain_budget_seconds: float = Field(60, ge=0)
    retrain_timeout_seconds: float = Field(3600, gt=0)
    retrain_cores: int = Field(1, ge=1)

    # How long what is kept, in days; 0: for ever
    retain_payloads_days: float = Field(90, ge=0)
    retain_dead_letters_days: float = Field(90, ge=0)  # of those that were replayed or discarded
    retain_deliveries_days: float = Field(180, ge=0)
    retain_predictions_days: float = Field(400, ge=0)  # a year can be compared with the one before
    retain_events_days: float = Field(0, ge=0)  # with what they told: the models learn from it

    # n8n itself, for `leadloop n8n`
    n8n_port: int = Field(5678, ge=1, le=65535)

    @field_validator("hot_threshold")
    @classmethod
    def _threshold_is_a_probability(cls, value: float | Literal["auto"]) -> float | Literal["auto"]:
        if value != "auto" and not 0 < value < 1:
            raise ValueError("must lie between 0 and 1, or be the word auto")
        return value

    @field_validator("retain_events_days")
    @classmethod
    def _events_outlive_their_repeats(cls, value: float) -> float:
        if 0 < value < SHORTEST_EVENTS_DAYS:
            why = "an event that comes again after it is gone is taken for a new one"
            raise ValueError(f"must be 0 (for ever) or at least {SHORTEST_EVENTS_DAYS:g}: {why}")
        return value

    @field_validator("combined_score_weights")
    @classmethod
    def _weights_parse(cls, value: str) -> str:
        parse_weights(value)
        return value

    @field_validator("account_currency")
    @classmethod
    def _currency_is_one(cls, value: str) -> str:
        if (found := currency_of(value)) is None and value.strip():
            raise ValueError("must be three letters of ISO 4217, as EUR")
        return found or ""

    @field_validator("account_locale")
    @classmethod
    def _locale_is_one(cls, value: str) -> str:
        if (found := locale_of(value)) is None and value.strip():
            raise ValueError("must be a language, with its country where that matters, as en or de_AT")
        return found or ""

    @field_validator("slack_base_url")
    @classmethod
    def _slack_address_ends_in_a_slash(cls, value: str) -> str:
        return value.rstrip("/") + "/"

    @field_validator("api_tokens")
    @classmethod
    def _tokens_parse(cls, value: SecretStr) -> SecretStr:
        parse_tokens(value.get_secret_value())
        return value

    @cached_property
    def tokens(self) -> dict[str, frozenset[Scope]]:
        """Bearer token -> its scopes."""
        return parse_tokens(self.api_tokens.get_secret_value())

    def secrets(self) -> set[str]:
        """Every value that must not be told: the secret settings, each token, passwords in addresses."""
        values = [getattr(self, name) for name in type(self).model_fields]
        found = {value.get_secret_value() for value in values if isinstance(value, SecretStr)} | self.tokens.keys()
        found |= {password for url in (self.database_url, self.mlflow_tracking_uri) for password in passwords(url)}
        basic = f"{self.pipedrive_webhook_user}:{self.pipedrive_webhook_password.get_secret_value()}"
        return {*found, base64.b64encode(basic.encode()).decode()} - {""}

    @cached_property
    def weights(self) -> dict[str, float]:
        """Model -> its weight in the combined score, as far as the setting names any."""
        return parse_weights(self.combined_score_weights)

    def environment(self) -> dict[str, str]:
        """The variables that make another process read the same settings."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        shown = {name: value.get_secret_value() if isinstance(value, SecretStr) else str(value) for name, value in values.items()}
        return {f"LEADLOOP_{name.upper()}": value for name, value in shown.items()}

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def models_dir(self) -> Path:
        """Local copies of model versions: `<model>/<version>/`."""
        return self.var_dir / "models"

    @property
    def mlflow_artifacts_dir(self) -> Path:
        return self.var_dir / "mlartifacts"


def load_settings(**overrides: object) -> Settings:
    """Reads the settings. A wrong one becomes one line that names the variable and what it must be.

    Their secrets are hidden from then on: no log, error or answer of this process tells them.

    Raises:
        NotConfigured: a value does not fit.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(
            f"LEADLOOP_{'_'.join(str(part) for part in item['loc'][:1]).upper()}: {item['msg']}"
            for item in error.errors(include_input=False)
        )
        raise NotConfigured(f"{problems}. Correct it in the environment or in .env (docs/settings.md).") from None
    redaction.hide(settings.secrets())
    return settings


def parse_tokens(text: str) -> dict[str, frozenset[Scope]]:
    """`token:scope+scope,token:scope` -> token to scopes. Says which entry is wrong, never the token itself."""
    tokens: dict[str, frozenset[Scope]] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        token, separator, scopes = entry.rpartition(":")
        if not separator or len(token) < 8:
            raise ValueError(f"entry {number} must read token:scope+scope, with a token of 8 characters or more")
        try:
            tokens[token] = frozenset(Scope(scope) for scope in scopes.split("+"))
        except ValueError:
            known = ", ".join(Scope)
            raise ValueError(f"entry {number} has an unknown scope; the scopes are {known}") from None
    return tokens


def parse_weights(text: str) -> dict[str, float]:
    """`model:weight,model:weight` -> model to weight.

    >>> parse_weights("lead_score:2, churn:-1")
    {'lead_score': 2.0, 'churn': -1.0}
    """
    weights: dict[str, float] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        model, _, weight = entry.rpartition(":")
        try:
            weights[model.strip()] = float(weight)
        except ValueError:
            weights[model.strip()] = math.nan
        if not model.strip() or not math.isfinite(weights[model.strip()]):
            raise ValueError(f"entry {number} must read model:weight, as lead_score:2")
    return weights
