#!/usr/bin/python3
"""PostgreSQL, MariaDB and SQLite with six users, while all that can happen to them does: kills of
the appliance and of the servers, cut connections, tables that are altered, rebuilt, locked and
emptied, transactions in two phases. In the end all hold the same, nothing was lost, and nothing is
there that nobody wrote.

    storm_test.py PATH/TO/syncline

SYNCLINE_STORM_SEED chooses what happens (by the clock if it is absent: it is printed), and
SYNCLINE_STORM_SECONDS how long. What the machine does in between no seed decides.
"""
import os
import random
import sys
import time
import unittest

import fixture
from fixture import NOT_THERE, SECONDS, Appliance
from servers import MariadbServer, PostgresServer
from storm_users import (ERRORS, LETTERS, PATIENCE, TABLES, Ledger, User, create_sql,
                         is_lock_missed, read_rows)

SEED = os.environ.get("SYNCLINE_STORM_SEED") or str(int(time.time()))
STORM_SECONDS = float(os.environ.get("SYNCLINE_STORM_SECONDS", "45"))
FIRST_ROWS = 60
STILL_LOOKS = 20  # at rest so often, each a tenth of a second behind the other
ALTERATIONS = {
    "p": ("ALTER TABLE item ADD COLUMN z{n} int DEFAULT 3", "VACUUM FULL item",
          "ALTER TABLE item ALTER COLUMN name TYPE varchar(60)",
          "ALTER TABLE item ALTER COLUMN name TYPE varchar(50)", "CREATE INDEX ON item (hits)",
          "ALTER TABLE tag REPLICA IDENTITY FULL", "ALTER TABLE tag REPLICA IDENTITY DEFAULT",
          "ALTER TABLE item ALTER COLUMN hits TYPE bigint", "CLUSTER item USING item_pkey",
          "ALTER TABLE item ALTER COLUMN hits TYPE int", "ALTER TABLE line SET (fillfactor = 70)"),
    "m": ("ALTER TABLE item ADD COLUMN z{n} int DEFAULT 3 FIRST", "OPTIMIZE TABLE item",
          "ALTER TABLE item MODIFY name varchar(60)", "ALTER TABLE tag ENGINE = InnoDB",
          "ALTER TABLE item MODIFY hits int AFTER price", "ALTER TABLE item MODIFY hits bigint",
          "ALTER TABLE item MODIFY hits int AFTER name", "FLUSH BINARY LOGS", "FLUSH TABLES",
          "CREATE INDEX z{n} ON item (hits)"),
    "s": ("ALTER TABLE item ADD COLUMN z{n} INT DEFAULT 3", "CREATE INDEX z{n} ON item (hits)",
          "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"),
}


class Storm(Appliance):
    def setUp(self):
        super().setUp()
        self.dice, self.ledger, self.altered = random.Random(SEED), Ledger(), 0
        self.postgres, self.mariadb = PostgresServer(), MariadbServer()
        for server in (self.postgres, self.mariadb):
            self.addCleanup(server.remove)
            server.start()
        self.postgres.sql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 10")
        self.postgres.stop()
        self.postgres.start()
        self.postgres.sql("postgres", "CREATE DATABASE office")
        self.mariadb.sql("", "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.write(self.path("till.db"), "PRAGMA journal_mode = WAL")
        for letter in LETTERS:
            self.do(letter, *(create_sql(table, letter) for table in TABLES))
        self.users = [User(self.connect, letter, number, SEED, self.ledger)
                      for letter in LETTERS for number in (0, 1)]
        for user in self.users[::2]:
            user.begin()
            for table in list(TABLES) * FIRST_ROWS:
                user.insert(table)
            self.ledger.take(user.changes, is_sure=True)
        self.init(self.postgres.url("office"), self.mariadb.url("shop"), "till.db")

    def connect(self, letter):
        if letter == "p":
            return self.postgres.connect("office")
        return (self.mariadb.connect("shop") if letter == "m"
                else fixture.connect(self.path("till.db")))

    def do(self, letter, *statements):
        session = self.connect(letter)
        try:
            cursor = session.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
        finally:
            session.close()

    def try_to(self, letter, *statements):
        """As long as the server is there, and nobody stands in the way. Whether it may have been
        done."""
        try:
            self.do(letter, *PATIENCE[letter], *statements)
        except ERRORS as error:
            self.say("refused", str(error)[:80])
            return not is_lock_missed(error)
        return True

    def rest(self, seconds):
        time.sleep(self.dice.random() * seconds)

    def say(self, *words):
        print(*words, file=sys.stderr, flush=True)

    # What happens.

    def kill_appliance(self):
        self.kill()
        self.rest(2)
        self.start()

    def restart_appliance(self):
        self.stop()
        self.rest(2)
        self.start()

    def crash_postgres(self):
        self.postgres.stop("immediate")
        self.rest(3)
        self.postgres.start()

    def crash_mariadb(self):
        self.mariadb.stop("kill")
        self.rest(3)
        self.mariadb.start()

    def cut_connections(self):
        self.try_to("p", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                         "pg_backend_pid() AND datname = 'office'")
        try:
            for (number,) in self.do("m", "SELECT ID FROM information_schema.PROCESSLIST WHERE ID "
                                          "<> CONNECTION_ID() AND USER = 'root'"):
                self.try_to("m", f"KILL {number}")
        except ERRORS as error:
            self.say("refused", str(error)[:80])

    def hold_rows(self):
        letter = self.dice.choice("pm")
        try:
            session = self.connect(letter)
            cursor = session.cursor()
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM item ORDER BY id LIMIT 30 FOR UPDATE")
            self.rest(5)
            session.close()
        except ERRORS as error:
            self.say("refused", str(error)[:80])

    def hold_file(self):
        session = self.connect("s")
        session.execute("BEGIN IMMEDIATE")
        self.rest(4)
        session.close()

    def alter(self):
        self.altered += 1
        letter = self.dice.choice(LETTERS)
        statement = self.dice.choice(ALTERATIONS[letter]).format(n=self.altered)
        self.say(letter, statement)
        self.try_to(letter, statement)

    def rebuild_file_table(self):
        """As SQLite's documentation has it for what ALTER TABLE cannot."""
        new = create_sql("tag", "s").replace("TABLE tag", "TABLE tag_new")
        self.try_to("s", "BEGIN IMMEDIATE", new, "INSERT INTO tag_new SELECT * FROM tag",
                    "DROP TABLE tag", "ALTER TABLE tag_new RENAME TO tag", "COMMIT")

    def rename_there_and_back(self):
        letter = self.dice.choice("pm")
        between = ["UPDATE away SET hits = 17"] if self.dice.random() < 0.5 else []
        self.try_to(letter, *(["BEGIN"] if letter == "p" else []),
                    "ALTER TABLE line RENAME TO away", *between, "ALTER TABLE away RENAME TO line",
                    *(["COMMIT"] if letter == "p" else []))

    def empty_a_table(self):
        if self.try_to(self.dice.choice("pm"), "TRUNCATE tag"):
            self.ledger.lose_all("tag")

    def prepare_and_decide(self):
        """XA, by somebody whose connection ends in between."""
        name = f"'x{self.dice.random()}'"
        self.try_to("m", f"XA START {name}", "UPDATE item SET hits = 17 WHERE id % 7 = 0 LIMIT 5",
                    f"XA END {name}", f"XA PREPARE {name}")
        self.rest(3)
        self.try_to("m", self.dice.choice(("XA COMMIT ", "XA ROLLBACK ")) + name)

    def pause_and_resume(self):
        dataset = self.dice.choice(list(TABLES))
        self.call("pause", dataset)
        self.rest(2)
        self.call("resume", dataset)

    def reload_config(self):
        self.call("reload")

    def compare(self):
        self.call("verify", "--dataset", self.dice.choice(list(TABLES)), expect=None)

    def repair(self):
        self.call("verify", "--repair", expect=None)

    # How it goes and ends.

    def storm(self):
        happens = [self.kill_appliance, self.restart_appliance, self.crash_postgres,
                   self.crash_mariadb, self.cut_connections, self.hold_rows, self.hold_file,
                   self.alter, self.alter, self.alter, self.rebuild_file_table,
                   self.rename_there_and_back, self.empty_a_table, self.prepare_and_decide,
                   self.pause_and_resume, self.reload_config, self.compare, self.repair]
        end = time.monotonic() + STORM_SECONDS
        while time.monotonic() < end:
            self.rest(3)
            what = self.dice.choice(happens)
            self.say(what.__name__)
            what()

    def decide_all(self):
        for (name,) in self.do("p", "SELECT gid FROM pg_prepared_xacts"):
            self.do("p", f"ROLLBACK PREPARED '{name}'")
        for row in self.do("m", "XA RECOVER"):
            self.do("m", f"XA ROLLBACK '{row[3]}'")

    def let_go(self):
        """What a TRUNCATE took is asked about where it is much."""
        for system in self.status()["systems"]:
            for dataset in system["datasets"]:
                if dataset["phase"] == "held":
                    self.call("resume", dataset["name"], "--approve-deletes")

    def settle(self):
        still, end = 0, time.monotonic() + 2 * SECONDS
        while still < STILL_LOOKS and time.monotonic() < end:
            try:
                still = still + 1 if self.control("at_rest")["at_rest"] else 0
                self.let_go()
            except NOT_THERE:
                still = 0
            time.sleep(0.1)
        self.assertEqual(still, STILL_LOOKS, "it does not come to rest: " + str(self.status()))

    def rows(self, letter, table):
        session = self.connect(letter)
        try:
            return read_rows(session, letter, table)
        finally:
            session.close()

    def expect_the_same(self):
        for table in TABLES:
            expected = self.rows("p", table)
            for letter in "ms":
                found = self.rows(letter, table)
                differ = [key for key in expected.keys() | found.keys()
                          if expected.get(key) != found.get(key)]
                self.assertFalse(differ, [(key, expected.get(key), found.get(key))
                                          for key in differ[:5]])
            faults = list(self.ledger.faults(table, expected))
            self.assertFalse(faults, f"{len(faults)} faults: {faults[:8]}")

    def test_all_that_happens(self):
        self.say(f"SYNCLINE_STORM_SEED={SEED}")
        self.start()
        self.beside(self.users, self.storm)
        self.decide_all()
        self.settle()
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.expect_the_same()
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertGreater(sum(user.done for user in self.users), STORM_SECONDS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
