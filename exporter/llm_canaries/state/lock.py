"""The lock that makes one instance the active one; it ends with the process, however that ends."""

import fcntl
import os
from pathlib import Path

from llm_canaries.state.errors import Locked, StateError, file_error


class Lock:
    """The held lock of a file, until `release`."""

    def __init__(self, file: Path) -> None:
        """Raises Locked where another instance holds it, StateError where it cannot be taken at all."""
        try:
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise file_error(file, error) from error
        try:
            _take(self._descriptor, file)
        except StateError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Gives it up; the file stays, since removing it would let two instances lock two files of one name."""
        os.close(self._descriptor)


def _take(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise Locked(
            f"{file} is held by another instance (process {holder}). "
            "Stop that one, or give this one a folder of its own for its state."
        ) from error
    except OSError as error:
        raise file_error(file, error) from error
