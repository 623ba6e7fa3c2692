"""What people and tokens have done to the installation itself: the words of the audit trail."""

from enum import StrEnum


class Action(StrEnum):
    PROMOTE = "promote"  # a version was made champion
    ROLLBACK = "rollback"
    TRAFFIC = "traffic"
    RELOAD = "reload"
    REPLAY = "replay"
    DISCARD = "discard"  # a dead letter was given up for good
    RESCORE = "rescore"  # everything open was asked about anew, and the CRM is told
    BACKFILL = "backfill"  # a CRM's past came in
    IMPORT = "import"  # a file came in
    EXPORT = "export"  # a table went out
    BACKUP = "backup"  # all of it was copied
    RESTORE = "restore"  # a copy took the place of an empty database
    TOKEN_CREATE = "token_create"  # noqa: S105 a word, no token
    TOKEN_ROTATE = "token_rotate"  # noqa: S105 a word, no token
    TOKEN_REVOKE = "token_revoke"  # noqa: S105 a word, no token
    SETUP = "setup"  # something was made or imported on the other side: in a CRM, in n8n
    ERASE = "erase"  # a person was taken out of all that is stored
    PRUNE = "prune"  # what was older than it may become


class Result(StrEnum):
    DONE = "done"
    REFUSED = "refused"  # we said no, or there was nothing to do it to: nothing has changed
    FAILED = "failed"  # it broke on the way
