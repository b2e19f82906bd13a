"""What can be wrong with the state on disk, said with the file, the cause and what to do."""

import errno
import sqlite3
from pathlib import Path

from msgspec import Struct


class StateError(Exception):
    """The state cannot be read or written; the text is for people."""


class Locked(StateError):
    """Another instance holds the state."""


class Cause(Struct, frozen=True):
    """Why, and what to do."""

    why: str
    remedy: str


_UNWRITABLE = Cause(
    "cannot be written", "Make the file and its folder writable for this user, or choose another folder for the state."
)
_FULL = Cause("has no room left", "Free some space on its disk; what was stored before is still there.")
_ANEW = "Move it away together with its -wal and -shm files and start again: the history begins anew."
_DISK = "Look after its disk; what was stored before is still there as far as the disk holds it."

_BY_CODE = {
    sqlite3.SQLITE_PERM: _UNWRITABLE,
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: _UNWRITABLE,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_NOTADB: Cause("is not a database", _ANEW),
    sqlite3.SQLITE_CORRUPT: Cause("is damaged", _ANEW),
    sqlite3.SQLITE_BUSY: Cause("is being written by another program", "Close the program that has it open."),
    sqlite3.SQLITE_PROTOCOL: Cause("is on a file system without working locks", "Keep the state on a local disk."),
    sqlite3.SQLITE_IOERR: Cause("cannot be read or written", _DISK),
}
_BY_ERRNO = {
    errno.EACCES: _UNWRITABLE,
    errno.EPERM: _UNWRITABLE,
    errno.EROFS: _UNWRITABLE,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}


def damaged(file: Path, detail: str) -> StateError:
    """The error of a database that fails its own check."""
    return _told(file, _BY_CODE[sqlite3.SQLITE_CORRUPT], detail)


def database_error(file: Path, error: sqlite3.Error) -> StateError | None:
    """What `error` means for the state in `file`, None where it is a mistake in our own SQL."""
    code = getattr(error, "sqlite_errorcode", None)  # absent where the module itself objects
    cause = None if code is None else _BY_CODE.get(code & 0xFF)  # the low byte is the primary result code
    return None if cause is None else _told(file, cause, str(error))


def file_error(file: Path, error: OSError) -> StateError:
    """What `error` of the operating system means for `file`."""
    cause = _BY_ERRNO.get(error.errno or 0, Cause("cannot be opened", "Choose another folder for the state."))
    return _told(file, cause, error.strerror or str(error))


def _told(file: Path, cause: Cause, detail: str) -> StateError:
    return StateError(f"{file} {cause.why} ({detail}). {cause.remedy}")
