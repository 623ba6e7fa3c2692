"""What a CRM was last found to tell us by webhook: for those that delete a webhook without saying so."""

from datetime import datetime

from sqlmodel import Field, Session, SQLModel

from data.warehouse.columns import instant


class WebhookRow(SQLModel, table=True):
    __tablename__ = "webhooks"

    source: str = Field(primary_key=True)
    address: str
    """The one that it was looked for at."""
    looked_at: datetime | None = instant(nullable=True)
    seen_at: datetime | None = instant(nullable=True)
    """When it was there last; None: never, at this address."""
    refused: str | None = None
    """Why the CRM does not let us look, or make it anew; None: it does."""


def get(session: Session, source: str, address: str) -> WebhookRow:
    """The row, locked. One of another address is begun anew."""
    row = session.get(WebhookRow, source, with_for_update=True, populate_existing=True)
    if row is None:
        row = WebhookRow(source=source, address=address)
    elif row.address != address:
        row.address, row.looked_at, row.seen_at, row.refused = address, None, None, None
    session.add(row)
    session.flush()
    return row
