"""What was spent at each gateway by day, so that the daily caps hold over a restart.

Amounts are written whole, not added: a write that failed is made good by the next one.
"""

import sqlite3

Spent = tuple[int, int, int]
"""Requests, tokens, and billionths of a dollar."""


def write_spent(connection: sqlite3.Connection, gateway: str, day: str, spent: Spent) -> None:
    """Keeps what `gateway` was sent on `day`, which may be any text that sorts as days do."""
    connection.execute("INSERT OR REPLACE INTO spending VALUES (?, ?, ?, ?, ?)", (gateway, day, *spent))


def spent_on(connection: sqlite3.Connection, day: str) -> dict[str, Spent]:
    """What was spent on `day`, by gateway."""
    rows = connection.execute("SELECT gateway, requests, tokens, nanodollars FROM spending WHERE day = ?", (day,))
    return {gateway: (requests, tokens, nanodollars) for gateway, requests, tokens, nanodollars in rows}


def prune_spending(connection: sqlite3.Connection, *, before: str) -> int:
    """Forgets the days that sort before `before`; how many rows went."""
    return connection.execute("DELETE FROM spending WHERE day < ?", (before,)).rowcount
