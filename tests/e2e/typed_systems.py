"""The three systems of types_test.py, as their users write to them and see what is there."""
import os
import sqlite3

import psycopg2
import pymysql

from servers import MariadbServer, PostgresServer
from typed_fields import COLOUR_LIST

NAMES = iter(range(1, 1000))


class System:
    """A table has the key id, a column that is changed beside the others, and one that its system
    makes up, which goes nowhere."""
    mark = "%s"
    row = "id bigint PRIMARY KEY, note varchar(20), made bigint GENERATED ALWAYS AS (id * 2) STORED"

    def sql(self, statement, values=None):
        cursor = self.user.cursor()
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def create(self, table, columns):
        lines = ", ".join(f"{name} {kind}" for name, kind in columns)
        self.sql(f"CREATE TABLE {table} ({self.row}, {lines})")
        self.columns[table] = columns

    def insert(self, table, rows):
        """Each (number, cells); the numbers of those that it took."""
        taken = []
        self.sql("BEGIN")
        for number, cells in rows:
            names = ", ".join(["id", *cells])
            marks = ", ".join([self.mark] * (len(cells) + 1))
            values = [number, *map(self.bound, cells.values())]
            if self.takes(f"INSERT INTO {table} ({names}) VALUES ({marks})", values):
                taken.append(number)
        self.sql("COMMIT")
        return taken

    def takes(self, statement, values):
        try:
            self.sql(statement, values)
        except self.errors:
            return False
        return True

    def change(self, table, cells):
        """Each (number, column, value), in one transaction."""
        self.sql("BEGIN")
        for number, column, value in cells:
            self.sql(f"UPDATE {table} SET {column} = {self.mark} WHERE id = {number}",
                     [self.bound(value)])
        self.sql("COMMIT")

    def copy(self, table, first, last, distance):
        names = ", ".join(name for name, _ in self.columns[table])
        self.sql(f"INSERT INTO {table} (id, {names}) SELECT id + {distance}, {names} FROM {table} "
                 f"WHERE id BETWEEN {first} AND {last}")

    def delete(self, table, numbers):
        self.sql(f"DELETE FROM {table} WHERE id IN ({', '.join(map(str, [-1, *numbers]))})")

    def numbers(self, table, first, last, where="true"):
        return {number for (number,) in self.sql(
            f"SELECT id FROM {table} WHERE id BETWEEN {first} AND {last} AND {where}")}

    def cells(self, table, first, last):
        """What it shows of each record, by number and column: texts that differ where values do."""
        names = [name for name, _ in self.columns[table]]
        shown = ", ".join(self.shown(name, kind) for name, kind in self.columns[table])
        rows = self.sql(f"SELECT id, {shown} FROM {table} WHERE id BETWEEN {first} AND {last}")
        return {number: dict(zip(names, self.read(row))) for number, *row in rows}

    @staticmethod
    def read(row):
        return row

    def end(self):
        self.user.close()

    def remove(self):
        self.server.remove()


class Postgres(System):
    letter = "p"
    errors = (psycopg2.Error, ValueError)  # the latter for zero bytes

    def __init__(self):
        self.server = PostgresServer()
        self.server.start()

    def begin(self, folder):
        del folder
        self.columns, self.name = {}, f"office{next(NAMES)}"
        self.server.sql("postgres", f"CREATE DATABASE {self.name}", *(
            f"ALTER DATABASE {self.name} SET {setting}" for setting in (
                "timezone = 'America/New_York'", "datestyle = 'German, DMY'",
                "intervalstyle = 'sql_standard'", "extra_float_digits = -5",
                "bytea_output = 'escape'")))
        self.url = self.server.url(self.name)
        self.user = self.server.connect(self.name)
        self.sql("SET datestyle = 'ISO, YMD'; SET intervalstyle = iso_8601; "
                 "SET extra_float_digits = 3; SET bytea_output = hex")
        self.sql(f"CREATE TYPE colour AS ENUM ({COLOUR_LIST})")
        self.sql("CREATE TYPE part AS (n integer, name text)")
        self.sql("CREATE DOMAIN positive AS integer CHECK (value > 0)")

    def takes(self, statement, values):
        self.sql("SAVEPOINT one")
        if super().takes(statement, values):
            return True
        self.sql("ROLLBACK TO one")
        return False

    @staticmethod
    def bound(value):
        if isinstance(value, bytes):
            return psycopg2.Binary(value)
        return value if value is None else repr(value) if isinstance(value, float) else str(value)

    @staticmethod
    def shown(name, kind):
        del kind
        return f"{name}::text"

    def writes(self):
        """Which version of each row there is, ours too."""
        tables = [name for (name,) in self.sql(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace IN "
            "(SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'syncline'))")]
        return [self.sql("SELECT md5(string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid)) "
                         f"FROM {table}") for table in sorted(tables)]


class Mariadb(System):
    letter = "m"
    errors = pymysql.Error

    def __init__(self):
        self.server = MariadbServer()
        self.server.start()

    def begin(self, folder):
        del folder
        self.columns, self.name = {}, f"shop{next(NAMES)}"
        self.server.sql("", f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        self.url = self.server.url(self.name)
        self.user = self.server.connect(self.name)
        self.sql("SET sql_mode = 'STRICT_ALL_TABLES'")  # with zero and partial dates

    @staticmethod
    def bound(value):
        return repr(value) if isinstance(value, float) else value

    @staticmethod
    def shown(name, kind):
        if kind.startswith("bit"):
            return f"{name} + 0"
        if kind.startswith(("binary", "varbinary", "longblob", "geometry")):
            return f"hex({name})"
        if "text" in kind or "char" in kind or kind == "json":
            return name
        return f"CAST({name} {'+ 0e0' if kind == 'float' else ''} AS CHAR)"

    def writes(self):
        return self.sql("SHOW MASTER STATUS")


class Sqlite(System):
    letter = "s"
    errors = (sqlite3.Error, OverflowError)
    mark = "?"
    row = ("id INT PRIMARY KEY NOT NULL, note TEXT, "
           "made INT GENERATED ALWAYS AS (id * 2) VIRTUAL")

    def begin(self, folder):
        self.columns, self.name = {}, "till"
        self.url = os.path.join(folder, "till.db")
        self.user = sqlite3.connect(self.url, timeout=60, isolation_level=None)
        self.user.text_factory = bytes
        self.sql("PRAGMA journal_mode = wal")

    def sql(self, statement, values=None):
        return self.user.execute(statement, values or ()).fetchall()

    @staticmethod
    def bound(value):
        return int(value) if isinstance(value, bool) else value

    @staticmethod
    def shown(name, kind):
        del kind
        return f"typeof({name}), {name}"

    @staticmethod
    def read(row):
        def one(kind, value):
            if kind == b"text":
                return "text:" + value.decode(errors="surrogateescape")
            return None if value is None else (
                f"{kind.decode()}:{value.hex() if kind == b'blob' else value}")
        return map(one, row[::2], row[1::2])

    def writes(self):
        """Which rows of our tables, and which mark, are the last. Taking what is confirmed out of
        them, which comes some time after it, counts for none: the data version would see it."""
        return [self.sql("SELECT * FROM sqlite_sequence ORDER BY name"),
                self.sql("SELECT * FROM syncline_checkpoint ORDER BY 1, 2, 3, 4")]

    def remove(self):
        """It goes with the test's folder."""


SYSTEMS = {system.letter: system for system in (Postgres, Mariadb, Sqlite)}
