#!/usr/bin/python3
"""The round trips of types_test.py where a side's log is not read, by scan and by poll, and between
two PostgreSQL databases, which alone have some of the types.

    types_read_test.py PATH/TO/syncline
"""
import os
import unittest

import types_test
from typed_fields import FIELDS
from typed_systems import Mariadb, Postgres, Sqlite
from typed_values import Field, Value
from types_test import Table

EVERY = 'every = "200ms"\n'
SCAN = 'capture = "scan"\n' + EVERY
POLL = 'capture = "poll"\npoll_by = "touched"\n' + EVERY


class PolledPostgres(Postgres):
    """Its tables have a clock that a trigger sets, as those of users who want to be polled."""

    def begin(self, folder):
        super().begin(folder)
        self.sql("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
                 "'BEGIN NEW.touched := clock_timestamp(); RETURN NEW; END'")

    def create(self, table, columns):
        super().create(table, columns)
        self.sql(f"ALTER TABLE {table} ADD touched timestamptz NOT NULL "
                 "DEFAULT clock_timestamp()")
        self.sql(f"CREATE INDEX ON {table} (touched, id)")
        self.sql(f"CREATE TRIGGER touch BEFORE UPDATE ON {table} "
                 "FOR EACH ROW EXECUTE FUNCTION touch()")


class PolledMariadb(Mariadb):
    def create(self, table, columns):
        super().create(table, columns)
        self.sql(f"ALTER TABLE {table} ADD touched timestamp(6) NOT NULL "
                 "DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6), "
                 "ADD INDEX (touched, id)")


class Kinds(types_test.Types):
    """A test of types_test.py, with other systems and tables."""
    kinds = {}     # by letter
    captures = {}  # by table and letter

    @classmethod
    def setUpClass(cls):
        os.environ["TZ"] = "Europe/Zurich"
        cls.systems = {letter: kind() for letter, kind in cls.kinds.items()}
        for system in cls.systems.values():
            cls.addClassCleanup(system.remove)

    def configure(self):
        for table in self.tables:
            self.declare(table)
        for (name, letter), capture in self.captures.items():
            section = f"[datasets.{name}.on.{self.systems[letter].name}]\n"
            self.change_config(section, section + capture)


class LooksAtPostgres(Kinds):
    """And at SQLite, while MariaDB's log is read."""
    kinds = {"p": PolledPostgres, "m": Mariadb, "s": Sqlite}
    captures = {("pm_scanned", "p"): SCAN, ("pm_polled", "p"): POLL, ("ms_scanned", "s"): SCAN}

    def choose(self):
        return [Table("pm", kind="scanned", share=2), Table("pm", kind="polled", share=3),
                Table("ms", kind="scanned", share=3)]


class LooksAtMariadb(Kinds):
    kinds = {"p": Postgres, "m": PolledMariadb}
    captures = {("pm_scanned", "m"): SCAN, ("pm_polled", "m"): POLL}

    def choose(self):
        return [Table("pm", kind="scanned", share=2), Table("pm", kind="polled", share=3)]


def between_postgres(one):
    """Both sides have PostgreSQL's column: what it holds the other does, undeclared."""
    def values(dice, count):
        for value in one.values(dice, count):
            what = value.what.get("p") if isinstance(value.what, dict) else value.what
            if what is not None:
                yield Value(what, "pq" if value.refused == "p" else "")
    return Field(one.name, dict.fromkeys("pq", one.columns["p"]), values,
                 dict.fromkeys("pq", one.same["p"]) if "p" in one.same else {})


class BetweenPostgres(Kinds):
    kinds = {"p": Postgres, "q": Postgres}

    def choose(self):
        return [Table("pq", [between_postgres(one) for one in FIELDS])]


del Kinds


if __name__ == "__main__":
    unittest.main(verbosity=2)
