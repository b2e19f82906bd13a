"""What was spent at each gateway by day, so that the daily caps hold over a restart."""

import sqlite3


def spend(connection: sqlite3.Connection, gateway: str, day: str, requests: int, tokens: int) -> None:
    """Adds to what `gateway` was sent on `day`, which may be any text that sorts as days do."""
    connection.execute(
        """INSERT INTO spending VALUES (?, ?, ?, ?) ON CONFLICT (gateway, day)
            DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens""",
        (gateway, day, requests, tokens),
    )


def spent(connection: sqlite3.Connection, gateway: str, day: str) -> tuple[int, int]:
    """Requests and tokens of `gateway` on `day`."""
    found = connection.execute(
        "SELECT requests, tokens FROM spending WHERE gateway = ? AND day = ?", (gateway, day)
    ).fetchone()
    return (0, 0) if found is None else (found[0], found[1])


def prune_spending(connection: sqlite3.Connection, *, before: str) -> int:
    """Forgets the days that sort before `before`; how many rows went."""
    return connection.execute("DELETE FROM spending WHERE day < ?", (before,)).rowcount
