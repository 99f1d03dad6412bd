#!/usr/bin/python3
"""What `plan` asks of a server does not grow with the columns of its tables, however many of them
there is something to say of.

    catalog_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import os
import unittest

from fixture import Appliance
from servers import MariadbServer

FEW, MANY = 8, 100
# Each holds less than the file's column does, or other letters: `plan` names it with its SQL.
KINDS = ("varchar(20) CHARACTER SET latin1", "mediumint", "decimal(6,2)",
         "text CHARACTER SET utf8mb3", "datetime", "smallint unsigned", "char(10)", "varbinary(9)")
IN_FILE = ("TEXT", "INTEGER", "DECIMAL(12,4)", "TEXT", "DATETIME(6)", "INTEGER", "TEXT", "BLOB")


class Catalog(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.server = MariadbServer()
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def statements(self):
        return int(self.server.sql("", "SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])

    def plan_of(self, count):
        """How many statements it took, and of how many columns it had something to say."""
        database, file = f"shop{count}", f"shop{count}.db"
        columns = [f"c{at} {{}}" for at in range(count)]
        tables = ["CREATE TABLE wide (id int PRIMARY KEY NOT NULL, " + ", ".join(
            column.format(kinds[at % len(kinds)]) for at, column in enumerate(columns)) + ")"
                  for kinds in (KINDS, IN_FILE)]
        self.server.sql("", f"CREATE DATABASE {database}")
        self.server.sql(database, tables[0])
        self.write(self.path(file), tables[1])
        self.init(self.server.url(database), file)
        os.rename(self.path("syncline.toml"), self.path(f"{database}.toml"))
        before = self.statements()
        told = self.ask("plan", "-c", f"{database}.toml", expect=None)
        asked = self.statements() - before
        fixes = "".join(one["fix"] for one in told["findings"])
        return asked, sum(f"MODIFY `c{at}` " in fixes for at in range(count))

    def test_a_table_of_many_columns_costs_no_more_statements_than_one_of_few(self):
        few, said_of_few = self.plan_of(FEW)
        many, said_of_many = self.plan_of(MANY)
        self.assertEqual(said_of_few, FEW)
        self.assertEqual(said_of_many, MANY)
        self.assertEqual(many, few)


if __name__ == "__main__":
    unittest.main(verbosity=2)
