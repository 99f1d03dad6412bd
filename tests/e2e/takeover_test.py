#!/usr/bin/python3
"""A MariaDB server that is killed, and its replica that takes over, under the running program.

    takeover_test.py PATH/TO/syncline

The URL names a link in a folder, as a name in a network would: who it leads to is who has taken
over. A database of that pair beside an SQLite file. Needs pymysql.
"""
import functools
import os
import random
import sqlite3
import threading
import unittest

import pymysql

from fixture import Appliance, connect
from servers import MariadbServer, run_on

KEYS = [f"k{number}@x" for number in range(40)]


class Takeover(Appliance):
    def setUp(self):
        super().setUp()
        self.first, self.second = MariadbServer(), MariadbServer()
        for number, server in ((11, self.first), (12, self.second)):
            self.addCleanup(server.remove)
            server.start_as(number, "--log-slave-updates")
        self.first.let_copy()
        self.first.sql("", "CREATE DATABASE maria CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                       "CREATE TABLE maria.customer (email varchar(60) PRIMARY KEY, "
                       "name varchar(40), points bigint)")
        self.second.sql("", "RESET MASTER", "DO SLEEP(1.1)", "FLUSH BINARY LOGS")
        self.second.follow(self.first)
        self.lead_to(self.first)
        self.init("office.db", f"mariadb://root@localhost/maria?socket={self.path('socket')}")
        self.start()

    def lead_to(self, server):
        os.symlink(os.path.join(server.folder, "socket"), self.path("new"))
        os.rename(self.path("new"), self.path("socket"))

    def take_over(self):
        self.first.stop("immediate")
        self.second.sql("", "STOP SLAVE", "RESET SLAVE ALL")
        self.lead_to(self.second)

    def copy_all(self, session):
        """Nothing is written, while the session lasts, but what the replica has."""
        run = session.cursor()
        run.execute("FLUSH TABLES WITH READ LOCK")
        run.execute("SELECT @@gtid_binlog_pos")
        end = run.fetchone()[0]
        self.assertEqual(self.second.sql("", f"SELECT MASTER_GTID_WAIT('{end}', 30)"), [(0,)])

    def customers(self):
        session = pymysql.connect(unix_socket=self.path("socket"), user="root", database="maria",
                                  autocommit=True, charset="utf8mb4")
        there = run_on(session, ["SELECT email, name, points FROM customer ORDER BY 1"])
        return sorted(self.rows(self.office)), sorted(there)

    def expect_equal(self):
        self.wait(lambda: self.customers()[0] == self.customers()[1])
        self.wait(lambda: self.ask("verify", expect=None)["is_equal"])

    def state(self):
        return next(one for one in self.status()["systems"] if one["name"] == "maria")

    def write_at_random(self, seed, open_session, mark, is_over):
        chance = random.Random(seed)
        user = None
        while not is_over():
            key, number = chance.choice(KEYS), chance.randrange(1000)
            statement = chance.choice((
                (f"DELETE FROM customer WHERE email = {mark}", (key,)),
                (f"REPLACE INTO customer VALUES ({mark}, {mark}, 0)", (key, f"{seed} {number}")),
                (f"UPDATE customer SET points = {mark} WHERE email = {mark}", (number, key)),
                (f"UPDATE customer SET name = {mark} WHERE email = {mark}",
                 (f"{seed} {number}", key))))
            try:
                user = user or open_session()
                (user.cursor() if hasattr(user, "cursor") else user).execute(*statement)
            except (pymysql.Error, sqlite3.Error, OSError):
                user = None
            threading.Event().wait(0.002)

    def with_writers(self, disturb):
        def to_maria():
            return pymysql.connect(unix_socket=self.path("socket"), user="root", database="maria",
                                   autocommit=True, read_timeout=5)

        self.beside([functools.partial(self.write_at_random, 1, to_maria, "%s"),
                     functools.partial(self.write_at_random, 2, lambda: connect(self.office), "?")],
                    disturb)

    def test_it_goes_on_under_writers_on_both_sides(self):
        def disturb():
            threading.Event().wait(1.5)
            frozen = self.first.connect("maria")
            self.copy_all(frozen)
            self.take_over()
            frozen.close()
            threading.Event().wait(2)

        self.with_writers(disturb)
        self.expect_equal()
        self.assertIsNone(self.daemon.poll())
        self.assertNotIn("SYN-3005", self.log())
        self.assertGreater(len(self.rows(self.office)), 5)
        self.assertEqual(self.ask("quarantine", "list"), [])
        # A restart reads on in the second one's log.
        self.kill()
        self.second.sql("maria", "UPDATE customer SET name = 'behind the restart'")
        self.start()
        self.expect_equal()
        self.assertEqual(self.one(self.office, "SELECT count(DISTINCT name) FROM customer"), 1)
        self.assertNotIn("SYN-3005", self.log())

    def test_what_the_second_one_lacks_is_said_and_a_resync_mends_it(self):
        self.first.sql("maria", "INSERT INTO customer VALUES ('ann@x', 'Ann', 1)")
        self.expect_equal()
        frozen = self.first.connect("maria")
        self.copy_all(frozen)
        self.second.sql("", "STOP SLAVE")
        frozen.close()
        self.first.sql("maria", "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.expect_equal()
        lost = self.first.sql("", "SELECT @@gtid_binlog_pos")[0][0]
        self.take_over()
        self.second.sql("maria", "INSERT INTO customer VALUES ('cy@x', 'Cy', 3)")
        self.wait(lambda: self.state()["state"] == "stopped")
        for words in ("SYN-3005", "lacks transactions", lost, "resync --system maria"):
            self.assertIn(words, self.state()["error"])
        self.call("resync", "--system", "maria", "--yes")
        self.expect_equal()
        self.assertEqual([row[0] for row in self.customers()[0]], ["ann@x", "bob@x", "cy@x"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
