"""The tables, listed once: importing this module fills SQLModel's metadata (migrations, tests)."""

from sqlmodel import SQLModel

from data.warehouse.alarms import AlarmRow
from data.warehouse.api_tokens import ApiToken
from data.warehouse.audit import AuditRow
from data.warehouse.backfills import BackfillRow
from data.warehouse.company_data_use import CompanyDataUse
from data.warehouse.company_profiles import CompanyProfileRow
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deal_stages import DealStage
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.entities import EntityRow
from data.warehouse.erasure_keys import ErasureKey
from data.warehouse.erasures import ErasureRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.identities import IdentityKey, IdentityMember, SameRow
from data.warehouse.job_runs import JobRun
from data.warehouse.model_checks import ModelCheckRow
from data.warehouse.model_traffic import TrafficRow
from data.warehouse.notices import NoticeRow
from data.warehouse.outcomes import OutcomeRow
from data.warehouse.paces import PaceRow
from data.warehouse.payloads import Payload
from data.warehouse.predictions import PredictionRow
from data.warehouse.property_names import PropertyName
from data.warehouse.reconciliations import ReconciliationRow
from data.warehouse.retractions import RetractionRow
from data.warehouse.rounds import RoundRow
from data.warehouse.tombstones import TombstoneRow
from data.warehouse.trainings import TrainingRow
from data.warehouse.webhooks import WebhookRow

TABLES: tuple[type[SQLModel], ...] = (
    Payload,
    EntityRow,
    EventRow,
    FactRow,
    PropertyName,
    DealStage,
    DeadLetter,
    PredictionRow,
    DeliveryRow,
    OutcomeRow,
    TrafficRow,
    ModelCheckRow,
    TrainingRow,
    NoticeRow,
    AlarmRow,
    PaceRow,
    IdentityKey,
    IdentityMember,
    SameRow,
    BackfillRow,
    ReconciliationRow,
    RoundRow,
    WebhookRow,
    JobRun,
    CompanyProfileRow,
    CompanyDataUse,
    EnrichmentTry,
    ApiToken,
    AuditRow,
    ErasureKey,
    TombstoneRow,
    ErasureRow,
    RetractionRow,
)
