"""Numbers in `csapp_meta` that grow with each change of something: who reads one knows of news.

A transaction makes its number grow before it looks at anything, and another one waits there
until the first has ended. So the number is also a lock: two changes at the same time cannot
make, together, what neither would be allowed to.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .tables import meta

#: the number of the departments, of what is said of them and of what they say
DEPARTMENTS = "departments"

_VALUE = sa.select(meta.c.value)


def read(connection: sa.Connection, name: str) -> int:
    """The number; 0: nothing has changed yet. One row is read."""
    return int(connection.scalar(_VALUE.where(meta.c.name == name)) or 0)


def grow(connection: sa.Connection, name: str) -> int:
    """Count a change, and let others wait with theirs until this transaction ends."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    more = sa.cast(sa.cast(meta.c.value, sa.BigInteger) + 1, sa.Text)
    first = dialect.insert(meta).values(name=name, value="1")
    connection.execute(first.on_conflict_do_update(index_elements=["name"], set_={"value": more}))
    return read(connection, name)
