"""MariaDB in place of the account's RDS instances: the SQL that creates a secret's database. Pure."""

from __future__ import annotations

from slpnb.local.containers.orders import Credentials

PORT = 3306


def grants(one: Credentials) -> str:
    """The database and the user that a secret names, with all rights on it; repeating it changes nothing."""
    user = f"{text(one.user)}@'%'"
    made = [f"CREATE DATABASE IF NOT EXISTS {name(one.name)} CHARACTER SET utf8mb4"] if one.name else []
    on = f"{name(one.name)}.*" if one.name else "*.*"
    statements = [
        *made,
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {text(one.password)}",
        f"ALTER USER {user} IDENTIFIED BY {text(one.password)}",
        f"GRANT ALL PRIVILEGES ON {on} TO {user}",
    ]
    return "".join(f"{statement};\n" for statement in statements)


def text(value: str) -> str:
    """A string of SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def name(value: str) -> str:
    """An identifier of SQL."""
    escaped = value.replace("`", "``")
    return f"`{escaped}`"
