"""Why no connection to Postgres could be made, and what to do: one sentence for each mistake. No I/O.

psycopg2 has no SQLSTATE for an error at connecting, so the texts of libpq and of the server decide. A server in another
language is quoted."""

import re
from typing import Any, Final

import psycopg2
import sqlalchemy as sa

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.text import printable

_AT: Final = re.compile(
    r'connection to server (?:at "([^"]+)"(?: \([^)]*\))?, port (\d+)|on socket "([^"]+)") failed: '
)
_FORM: Final = "postgresql://user:password@host:5432/database"
_ROLE: Final = 'user "(?P<user>[^"]*)"'

# The first that fits decides: what the server says comes before what libpq says of another address of the same host.
_CAUSES: Final = [
    (
        f"authentication failed for {_ROLE}",
        "Postgres {at} refused the user {user!r} with this password. Correct the user or the password in {variable}"
        " (special characters percent-encoded, like %40 for @).",
    ),
    (
        "no password supplied",
        "Postgres {at} asks for a password, and {variable} has none. Write it as in " + _FORM + ".",
    ),
    (
        "(?i)SASL authentication failed|no such user",  # of poolers
        "Postgres {at} refused the user {of_url!r} with this password. Correct the user or the password in {variable}.",
    ),
    (
        'role "(?P<user>[^"]*)" does not exist',
        "Postgres {at} has no user {user!r}. Correct the user in {variable}, or create it.",
    ),
    (
        'role "(?P<user>[^"]*)" is not permitted to log in',
        "The user {user!r} may not log in to Postgres {at}. Use another user in {variable}, or have an administrator"
        ' run: ALTER ROLE "{user}" LOGIN.',
    ),
    (
        'database "(?P<database>[^"]*)" does not exist',
        "Postgres {at} has no database {database!r}. Correct the name at the end of {variable}, or create it: CREATE"
        " DATABASE \"{database}\" ENCODING 'UTF8' TEMPLATE template0.",
    ),
    (
        "no such database: (?P<database>\\S+)",  # of poolers
        "The pooler {at} knows no database {database!r}. Correct the name at the end of {variable}.",
    ),
    (
        'permission denied for database "(?P<database>[^"]*)"',
        "The user of {variable} may not connect to the database {database!r} {at}. Have its owner run: GRANT CONNECT ON"
        ' DATABASE "{database}" TO "{of_url}".',
    ),
    (
        'database "(?P<database>[^"]*)" is not currently accepting connections',
        "The database {database!r} {at} accepts no connections now. Use another one in {variable}, or have an"
        ' administrator run: ALTER DATABASE "{database}" ALLOW_CONNECTIONS true.',
    ),
    (
        rf'(?s)\A(?!.*(?:SSL encryption|SSL on)).*pg_hba.conf.* host "(?P<client>[^"]*)", {_ROLE}, database'
        ' "(?P<database>[^"]*)"',  # TLS was not tried
        "Postgres {at} does not let the user {user!r} into the database {database!r} from {client} without TLS. Add"
        " ?sslmode=require to {variable}; or have an administrator allow it in pg_hba.conf.",
    ),
    (
        f'pg_hba.conf.* host "(?P<client>[^"]*)", {_ROLE}, database "(?P<database>[^"]*)"',
        "Postgres {at} does not let the user {user!r} into the database {database!r} from {client}. Correct {variable},"
        " or have an administrator allow it in pg_hba.conf.",
    ),
    (
        "too many (?:clients|connections)|connection slots are reserved",
        "Postgres {at} has no connection left for the user of {variable}. End other sessions, or raise max_connections"
        " or the connection limit of the user or database.",
    ),
    (
        "the database system is|not yet accepting connections",
        "Postgres {at} is starting or stopping. Try again in a moment.",
    ),
    (
        "server does not support SSL",
        "Postgres {at} offers no TLS, and {variable} requires it. Switch TLS on there, or change sslmode.",
    ),
    (
        "(?i)(?:SSL|TLS)[^\\n]* (?:is )?required|try[^\\n]*sslmode=require",
        "Postgres {at} lets no one in without TLS. Add ?sslmode=require to {variable}.",
    ),
    (
        "certificate|SSL error|SSL SYSCALL",
        "The TLS connection to Postgres {at} failed: {said}. Correct sslmode or sslrootcert in {variable}, or the"
        " server's certificate.",
    ),
    (
        'could not translate host name "(?P<host>[^"]*)"',
        "There is no host {host!r}, or no name server answers. Correct the host in {variable}.",
    ),
    (
        "Connection refused|No such file or directory",
        "No Postgres listens {at}. Start it, or correct host and port in {variable}.",
    ),
    (
        "timeout expired|timed out|unreachable|No route to host",
        "Postgres {at} cannot be reached: {said}. Check the network and its firewalls, and host and port in"
        " {variable}.",
    ),
]


class PostgresConnectionError(sa.exc.OperationalError, ServiceUnavailableError):
    """No connection to Postgres could be made. Its text is one sentence with the next step, and never a password."""

    def __init__(self, sentence: str) -> None:
        super().__init__(None, None, psycopg2.OperationalError(sentence))
        self._sentence = sentence

    def __str__(self) -> str:
        return self._sentence


def connection_problem(message: str, variable: str, user: str | None) -> str:
    """What is wrong, and what to do.

    Args:
        message: of libpq.
        variable: what is set to the URL of this Postgres.
        user: of this URL.
    """
    known: dict[str, Any] = {"at": _where(message), "said": _said(message), "variable": variable, "of_url": user or ""}
    for pattern, sentence in _CAUSES:
        if found := re.search(pattern, message):
            groups = {name: printable(value) for name, value in found.groupdict().items() if value is not None}
            return sentence.format(**known, **groups)
    return f"Postgres {known['at']} refused the connection: {known['said']}. Check {variable}."


def _where(message: str) -> str:
    """Which server, as the rest of a sentence."""
    if not (found := _AT.search(message)):
        return "there"
    host, port, socket = found.groups()
    return f"on the socket {socket}" if socket else f"at {host}:{port}"


def _said(message: str) -> str:
    """What the server or libpq said, in one line without the address."""
    line = _AT.sub("", message).strip().partition("\n")[0]
    return printable(re.sub(r"^[A-Z]+:\s+", "", line).rstrip("."))
