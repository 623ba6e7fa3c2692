"""One error family. A class's docstring is its title in problem+json; `detail` says what and what to do.

LeadloopError
├── BadInput            422   a field does not fit
├── Unauthorized        401   no credential, or a wrong one
├── Forbidden           403   the credential lacks the scope
├── NotFound            404
├── Conflict            409   a lease that is foreign, expired or used up
├── Refused             409   not as things stand: the gate is closed, there is nothing to go back to
├── TooLarge            413
├── TooMany             429   this caller asks too often, or its address was refused too often
├── NotReady            503   no served version, database away
│   └── Busy            503   others held what was needed for too long
├── NotConfigured       500   a setting is missing
├── Rejected            -     a payload or event is set aside, with its stage
└── VendorError         -     a call to a vendor went wrong
    ├── Retryable             worth another try, perhaps after `retry_after_seconds`
    │   └── NotNow            the same, and it was not even called: its limit is used up, or it rests
    └── Permanent             the same call will never succeed
        └── Gone              the record that it is about is not there, or hidden; others may be
"""

from data.redaction import redacted


class LeadloopError(Exception):
    """Leadloop could not do this."""

    status = 500

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        # Here, since from here it goes into answers, logs, the database and a terminal alike.
        self.detail = redacted(detail)
        super().__init__(self.detail)
        self.field = field

    @property
    def title(self) -> str:
        return (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]


class BadInput(LeadloopError):
    """The request does not fit."""

    status = 422


class Unauthorized(LeadloopError):
    """Credentials are missing or wrong."""

    status = 401


class Forbidden(LeadloopError):
    """The token lacks the scope for this call."""

    status = 403


class NotFound(LeadloopError):
    """No such thing."""

    status = 404


class Conflict(LeadloopError):
    """The lease is not yours, has expired or is used up."""

    status = 409


class Refused(LeadloopError):
    """This cannot be done as things stand."""

    status = 409


class TooLarge(LeadloopError):
    """The body is too large."""

    status = 413


class TooMany(LeadloopError):
    """Too many requests."""

    status = 429

    def __init__(self, detail: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class NotReady(LeadloopError):
    """Not ready yet."""

    status = 503


class Busy(NotReady):
    """Others held what was needed for longer than the caller had patience."""


class NotConfigured(LeadloopError):
    """A setting is missing."""


class Rejected(LeadloopError):
    """The payload or event was set aside."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__(detail)
        self.stage = stage


class VendorError(LeadloopError):
    """A call to a vendor went wrong."""

    status = 502


class Retryable(VendorError):
    """The vendor could not answer now."""

    def __init__(
        self, detail: str, *, retry_after_seconds: float | None = None, unsure: bool = False, limited: bool = False
    ) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
        self.limited = limited  # a limit was met: the vendor is well
        self.unsure = unsure  # the connection broke after the request: the vendor may have done it

    @property
    def untried(self) -> bool:
        """Whether nothing was done, for a limit: no attempt was made of whatever was to be done."""
        return self.limited


class NotNow(Retryable):
    """The vendor is not called now."""

    @property
    def untried(self) -> bool:
        return True


class Permanent(VendorError):
    """The vendor refuses this call for good."""

    def __init__(self, detail: str, *, content: bool = False) -> None:
        super().__init__(detail)
        self.content = content  # it is about what was sent: one of many records may be at fault


class Gone(Permanent):
    """The vendor has no such record."""
