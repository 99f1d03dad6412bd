#!/usr/bin/python3
"""The real program between a real MariaDB server and others, as a user would run it by hand.

    mariadb_test.py PATH/TO/syncline

One MariaDB and one PostgreSQL server for all tests, a database in each and a folder of its own for
each. Needs pymysql and psycopg2, so it runs under the Python that Debian packages them for.
"""
import functools
import json
import random
import re
import sqlite3
import threading
import unittest

import psycopg2
import pymysql

from fixture import Appliance
from servers import MariadbServer, PostgresServer

TABLE = """CREATE TABLE customer (
    email varchar(60) PRIMARY KEY, name varchar(40), points int, price numeric(12,2),
    seen timestamp(3) %s, doc json, photo %s)"""
KEYS = [f"k{number}@x" for number in range(60)]


class Mariadb(Appliance):
    @classmethod
    def setUpClass(cls):
        cls.maria, cls.postgres = MariadbServer(), PostgresServer()
        for server in (cls.maria, cls.postgres):
            cls.addClassCleanup(server.remove)
            server.start()

    def setUp(self):
        super().setUp()
        end = self._testMethodName[-20:]
        self.shop, self.office = "shop_" + end, "office_" + end
        self.sql("", f"CREATE DATABASE {self.shop} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.sql(self.shop, TABLE % ("NULL", "blob"))
        self.pg("postgres", f"CREATE DATABASE {self.office}")
        self.pg(self.office, TABLE.replace("json", "jsonb") % ("with time zone", "bytea"))

    def tearDown(self):
        super().tearDown()
        self.sql("", f"DROP DATABASE {self.shop}")

    # The servers.

    def connect(self, database):
        return self.maria.connect(database)

    def connect_pg(self, database):
        return self.postgres.connect(database)

    def sql(self, database, *statements):
        return self.maria.sql(database, *statements)

    def pg(self, database, *statements):
        return self.postgres.sql(database, *statements)

    def rows(self):
        """Both sides' customers, as comparable rows."""
        both = []
        for rows in (self.sql(self.shop, "SELECT * FROM customer ORDER BY 1"),
                     self.pg(self.office, "SELECT * FROM customer ORDER BY email COLLATE \"C\"")):
            both.append([(row[0], row[1], row[2], row[3],
                          row[4] and row[4].replace(tzinfo=None),
                          json.loads(row[5]) if isinstance(row[5], str) else row[5],
                          row[6] if row[6] is None else bytes(row[6])) for row in rows])
        return both

    def url(self):
        return self.maria.url(self.shop)

    def url_pg(self):
        return self.postgres.url(self.office)

    def begin(self):
        self.init(self.url_pg(), self.url())
        self.call("check")
        self.call("plan")
        self.start()

    def expect_equal(self):
        self.wait(lambda: self.rows()[0] == self.rows()[1])
        self.assertTrue(self.ask("verify")["is_equal"])

    # Users on keys that the other side writes too; they live through servers that go away.

    @staticmethod
    def write_at_random(connect, statement, is_over):
        user = None
        while not is_over():
            try:
                user = user or connect()
                user.cursor().execute(*statement())
            except (pymysql.Error, psycopg2.Error, OSError):
                user = None
                threading.Event().wait(0.05)

    @staticmethod
    def some_of_customers(insert, seed):
        chance = random.Random(seed)

        def statement():
            key = chance.choice(KEYS)
            number = chance.randrange(1000)
            kind = chance.randrange(10)
            if kind == 0:
                return "DELETE FROM customer WHERE email = %s", (key,)
            if kind < 3:
                return insert, (key, f"{seed} {number}", number)
            if kind < 6:
                return ("UPDATE customer SET name = %s WHERE email = %s",
                        (f"{seed} {number}", key))
            return "UPDATE customer SET points = %s, seen = now() WHERE email = %s", (number, key)

        return statement

    def with_writers(self, disturb):
        values = "INTO customer VALUES (%s, %s, %s, 1.5, now(), '{\"a\": 1}', 'x')"
        self.with_statements(self.some_of_customers(f"INSERT IGNORE {values}", 1),
                             self.some_of_customers(f"INSERT {values} ON CONFLICT DO NOTHING", 2),
                             disturb)

    def with_statements(self, maria, postgres, disturb):
        ours = ((lambda: self.connect(self.shop), maria),
                (lambda: self.connect_pg(self.office), postgres))
        self.beside([functools.partial(self.write_at_random, *one) for one in ours], disturb)

    def test_from_two_urls_to_a_running_sync(self):
        self.pg(self.office, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1, 9.99, "
                             "'2026-01-01 00:00:00.123+01', '{\"b\": [1, 2.50], \"a\": null}', "
                             "'\\x00ff')",
                "INSERT INTO customer VALUES ('bob@x', 'Bob', 2)")
        self.sql(self.shop, "INSERT INTO customer(email, name, points) VALUES ('bob@x', 'Rob', 2), "
                            "('cy@x', 'Cÿ 🚲', 3)")
        self.init(self.url_pg(), self.url())
        plan = self.ask("plan")["datasets"][0]
        self.assertEqual((plan["update"], plan["equal"]), (1, 0))
        self.assertEqual(self.sql(self.shop, "SHOW TABLES"), [("customer",)])
        self.start()
        self.expect_equal()
        self.assertEqual([row[:3] for row in self.rows()[0]],
                         [("ann@x", "Ann", 1), ("bob@x", "Bob", 2), ("cy@x", "Cÿ 🚲", 3)])
        self.sql(self.shop, "UPDATE customer SET name = 'Anna' WHERE email = 'ann@x'",
                 "DELETE FROM customer WHERE email = 'cy@x'",
                 "UPDATE customer SET email = 'rob@x' WHERE email = 'bob@x'")
        self.pg(self.office, "UPDATE customer SET points = 9 WHERE email = 'ann@x'")
        self.wait(lambda: [row[:3] for row in self.rows()[1]] ==
                  [("ann@x", "Anna", 9), ("rob@x", "Bob", 2)])
        self.expect_equal()
        self.sql(self.shop, "TRUNCATE customer")
        self.wait(lambda: self.rows()[1] == [])
        self.stop()
        self.call("detach", "--system", self.shop, "--yes")
        self.assertEqual(self.sql(self.shop, "SHOW TABLES"), [("customer",)])

    def test_idle_systems_cause_no_writes(self):
        self.begin()
        self.sql(self.shop, "INSERT INTO customer(email, name) VALUES ('ann@x', 'Ann')")
        self.wait(lambda: len(self.rows()[1]) == 1)
        self.expect_equal()
        before = self.sql(self.shop, "SHOW MASTER STATUS")
        for _ in range(20):  # a while
            self.ask("status")
        self.assertEqual(before, self.sql(self.shop, "SHOW MASTER STATUS"))
        moved = "SELECT sum(seq) FROM syncline_checkpoint"
        self.assertEqual(self.sql(self.shop, moved), [(0,)])

    def test_kills_of_the_daemon_under_writers_on_both_sides(self):
        self.begin()

        def disturb():
            for _ in range(6):
                threading.Event().wait(0.7)
                self.kill()
                self.start()

        self.with_writers(disturb)
        self.expect_equal()
        self.assertGreater(len(self.rows()[0]), 10)
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.call("audit", "verify")

    def test_kills_of_the_server_under_writers(self):
        self.begin()

        def disturb():
            for how in ("immediate", "fast", "immediate"):
                threading.Event().wait(0.7)
                self.maria.stop(how)
                self.maria.start()

        self.with_writers(disturb)
        self.expect_equal()
        self.assertIsNone(self.daemon.poll())
        self.assertGreater(len(self.rows()[0]), 3)

    def test_writing_sessions_that_are_killed_under_writers(self):
        self.begin()
        over = threading.Event()

        def kill_sessions():
            root = self.connect("")
            cursor = root.cursor()
            while not over.is_set():
                cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s AND "
                               "command IN ('Query', 'Execute') AND id <> connection_id() AND "
                               "(info LIKE 'COMMIT%%' OR info LIKE 'UPDATE syncline%%')",
                               (self.shop,))
                for (session,) in cursor.fetchall():
                    try:
                        cursor.execute(f"KILL {session}")
                    except pymysql.Error:
                        pass  # it has ended by itself
                over.wait(0.02)
            root.close()

        killer = threading.Thread(target=kill_sessions)
        killer.start()
        try:
            self.with_writers(lambda: threading.Event().wait(5))
        finally:
            over.set()
            killer.join()
        self.expect_equal()
        self.call("audit", "verify")

    def test_xa_transactions_travel_when_they_commit(self):
        self.begin()
        users = [self.connect(self.shop) for _ in range(2)]
        for number, user in enumerate(users):
            cursor = user.cursor()
            for statement in (f"XA START 'x{number}'",
                              "INSERT INTO customer(email, name) VALUES "
                              f"('x{number}@x', 'prepared')",
                              f"XA END 'x{number}'", f"XA PREPARE 'x{number}'"):
                cursor.execute(statement)
        self.sql(self.shop, "INSERT INTO customer(email, name) VALUES ('ann@x', 'Ann')")
        self.wait(lambda: [row[0] for row in self.rows()[1]] == ["ann@x"])
        self.kill()
        self.start()
        users[0].cursor().execute("XA COMMIT 'x0'")
        users[1].cursor().execute("XA ROLLBACK 'x1'")
        self.wait(lambda: [row[0] for row in self.rows()[1]] == ["ann@x", "x0@x"])
        self.expect_equal()
        for user in users:
            user.close()

    def test_rows_that_are_logged_in_part_are_scanned(self):
        self.sql(self.shop, "ALTER TABLE customer DROP PRIMARY KEY, ADD UNIQUE (email), "
                            "ADD id bigint AUTO_INCREMENT PRIMARY KEY FIRST")
        self.begin()
        self.sql(self.shop, "INSERT INTO customer(email, name, points) VALUES ('', 'none', 0), "
                            "('a@x', 'Ann', 1), ('b@x', 'Bob', 2)")
        emails = "SELECT email, points FROM customer ORDER BY email"
        self.wait(lambda: len(self.pg(self.office, emails)) == 3)
        self.sql(self.shop, "SET SESSION binlog_row_image = 'MINIMAL'",
                 "UPDATE customer SET points = 7 WHERE email = 'a@x'",
                 "DELETE FROM customer WHERE email = 'b@x'")
        self.wait(lambda: self.pg(self.office, emails) == [("", 0), ("a@x", 7)])
        self.sql(self.shop, "UPDATE customer SET points = 8 WHERE email = 'a@x'")
        self.wait(lambda: self.pg(self.office, emails) == [("", 0), ("a@x", 8)])
        self.assertIn("binlog_row_image", self.log())

    def test_a_purged_log_is_said_and_a_resync_mends_it(self):
        self.begin()
        self.sql(self.shop, "INSERT INTO customer(email, name) VALUES ('ann@x', 'Ann')")
        self.expect_equal()
        self.stop()
        self.sql(self.shop, "UPDATE customer SET name = 'unseen'",
                 "INSERT INTO customer(email) VALUES ('bob@x')", "FLUSH BINARY LOGS")

        def is_purged():
            self.sql("", "PURGE BINARY LOGS BEFORE now() + INTERVAL 1 DAY")
            return len(self.sql("", "SHOW BINARY LOGS")) == 1

        self.wait(is_purged)
        self.start()
        self.wait(lambda: self.status_of(self.shop)["state"] == "stopped")
        self.assertIn("SYN-3005", self.status_of(self.shop)["error"])
        self.assertIn("syncline resync --system " + self.shop, self.status_of(self.shop)["error"])
        self.call("resync", "--system", self.shop, "--yes")
        self.wait(lambda: [row[:2] for row in self.rows()[1]] ==
                  [("ann@x", "Ann"), ("bob@x", None)])
        self.expect_equal()
        self.assertIn("unseen", self.call("conflicts", "list", "--json").stdout)

    def test_cascades_are_refused_until_they_are_mended(self):
        self.sql(self.shop, "CREATE TABLE place (id int PRIMARY KEY, owner varchar(60), CONSTRAINT "
                            "owned FOREIGN KEY (owner) REFERENCES customer(email) ON DELETE "
                            "CASCADE)")
        self.pg(self.office, "CREATE TABLE place (id int PRIMARY KEY, owner varchar(60))")
        self.init(self.url_pg(), self.url())
        findings = [one for one in self.ask("plan", expect=1)["findings"]
                    if one["severity"] == "stops"]
        self.assertEqual(len(findings), 1)
        self.assertIn("foreign key owned of place changes its rows", findings[0]["what"])
        for statement in findings[0]["fix"].split("; ")[:2]:
            self.sql(self.shop, statement)
        self.call("plan")

    def test_the_sql_that_is_printed_makes_a_key(self):
        self.sql(self.shop, "CREATE TABLE `no``te` (`a place` varchar(20) CHARACTER SET latin1, "
                            "`no` int, body text)")
        self.pg(self.office, 'CREATE TABLE "A note" ("a place" varchar(20), no int NOT NULL, '
                             'body text)')
        self.init(self.url_pg(), self.url())
        self.set_config(self.config() + "\n[datasets.note]\nkey = ['a place', 'no']\n"
                        f"first = '{self.office}'\n"
                        f"[datasets.note.on.{self.office}]\ntable = 'public.A note'\n"
                        f"[datasets.note.on.{self.shop}]\ntable = 'no`te'\n")
        fixes = [error["fix"] for error in self.ask("check", expect=4)["errors"]]
        for make, fix in zip((functools.partial(self.pg, self.office),
                              functools.partial(self.sql, self.shop)), fixes, strict=True):
            statements = fix.removesuffix(" -- or choose another key").removesuffix(";")
            make(*statements.split("; "))
        self.assertIn("latin1", self.sql(self.shop, "SHOW CREATE TABLE `no``te`")[0][1])
        stops = [one["fix"] for one in self.ask("plan", expect=1)["findings"]
                 if one["severity"] == "stops"]
        self.assertEqual(len(stops), 1)  # the log is to tell records by the new key, too
        self.pg(self.office, stops[0])
        self.call("plan")

    def narrow_columns(self):
        return [one for one in self.ask("plan")["findings"]
                if one["dataset"] == "gauge" and one["what"].startswith("field ")]

    def test_the_sql_that_is_printed_widens_what_is_narrow(self):
        self.sql(self.shop, "CREATE TABLE gauge (id int PRIMARY KEY, seen datetime NOT NULL "
                            "DEFAULT current_timestamp() COMMENT 'as it is', price decimal(10,2), "
                            "code varchar(40), n smallint unsigned NOT NULL DEFAULT 7)")
        self.pg(self.office, 'CREATE TABLE gauge (id int PRIMARY KEY, seen timestamp, price '
                             'numeric(14,4), code varchar(20) COLLATE "C", n bigint)',
                "INSERT INTO gauge VALUES (1, '2026-01-02 03:04:05.678901', 1234567890.1234, 'c', "
                "1234567890)")
        self.init(self.url_pg(), self.url())
        found = self.narrow_columns()
        self.assertEqual([(one["system"], one["severity"], one["what"].split()[1].rstrip(":"))
                          for one in found],
                         [(self.shop, "warning", "seen"), (self.shop, "warning", "price"),
                          (self.office, "note", "code"), (self.shop, "note", "n")])
        self.assertEqual(found[1]["what"],
                         f"field price: {self.shop}.gauge.price is decimal(10,2), {self.office}."
                         "public.gauge.price is numeric(14,4): numbers are rounded to 2 digits "
                         "behind the point; numbers of more than 8 digits before the point go to "
                         "quarantine")
        config = self.config()
        self.set_config(config + "\n[datasets.gauge.types]\nprice = 'decimal(10,2)'\n")
        self.assertEqual(self.narrow_columns(), [one for one in found if one != found[1]])
        self.set_config(config + "\n[datasets.gauge.types]\nprice = 'decimal(14,4)'\n")
        finer = next(one for one in self.narrow_columns() if one["what"].startswith("field price"))
        self.assertEqual((finer["severity"], finer["fix"]), ("warning", found[1]["fix"]))
        self.assertIn("numbers of more than 2 digits behind the point go to quarantine",
                      finer["what"])
        self.set_config(config)
        for one in found:
            (self.pg if one["system"] == self.office else self.sql)(one["system"], one["fix"])
        self.assertIn("`seen` datetime(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'as it is'",
                      self.sql(self.shop, "SHOW CREATE TABLE gauge")[0][1])
        self.assertEqual(self.narrow_columns(), [])
        self.start()
        self.wait(lambda: self.sql(self.shop, "SELECT * FROM gauge") ==
                  self.pg(self.office, "SELECT * FROM gauge"))

    def test_unique_keys_that_not_all_keep_are_made_by_the_sql_that_is_printed(self):
        """As it is printed, until nothing is left of it: also what a collation takes for one."""
        self.sql(self.shop, "CREATE TABLE gauge (id int PRIMARY KEY, mail varchar(60), room int, "
                            "UNIQUE rooms (room))")
        self.pg(self.office, "CREATE TABLE gauge (id int PRIMARY KEY, mail varchar(60), room int, "
                             "CONSTRAINT mails UNIQUE (mail))")
        self.write(self.path("till.db"), "PRAGMA journal_mode = WAL",
                   "CREATE TABLE gauge (id INT PRIMARY KEY NOT NULL, mail TEXT, room INT)")
        self.init(self.url_pg(), self.url(), "till.db")
        found = [one for one in self.ask("plan")["findings"] if " is unique in " in one["what"]]
        self.assertEqual([(one["system"], one["what"].split(" ")[0]) for one in found],
                         [(self.office, "(room)"), (self.shop, "(mail)"), ("till", "(mail)"),
                          ("till", "(room)")])
        self.assertIn('ALTER TABLE "public"."gauge" DROP CONSTRAINT "mails";', found[1]["fix"])
        self.assertIn("ALTER TABLE `gauge` DROP INDEX `rooms`;", found[0]["fix"])
        self.assertEqual(self.mend_unique_keys(),
                         {"(room) is unique", "(mail) is unique", "(mail) takes more"})
        for write in (functools.partial(self.pg, self.office),
                      functools.partial(self.sql, self.shop),
                      functools.partial(self.write, self.path("till.db"))):
            write("INSERT INTO gauge VALUES (1, 'x', 1)")
            for row in ("2, 'x', 2", "3, 'y', 1"):
                with self.assertRaisesRegex(Exception, "(?i)unique|duplicate"):
                    write(f"INSERT INTO gauge VALUES ({row})")
            write("INSERT INTO gauge VALUES (4, 'x ', 4)")

    def test_columns_that_others_lack_are_added_as_printed(self):
        """Of every type, where each system lacks what the others have: then all travels."""
        pg = ("flag boolean", "n bigint", "price numeric(12,2)", "free numeric", "f real",
              "d double precision", "word varchar(40)", "story text", "c char(3)", "raw bytea",
              "day date", "at timestamp(3)", "moment timestamptz", "hour time(0)", "gap interval",
              "tag uuid", "addr inet", "mac macaddr", "doc jsonb")
        maria = ("u bigint unsigned", "y year", "bin binary(4)", "blobs blob", "m mediumtext",
                 "e enum('a','b')", "s set('q')")
        lite = ("exact DECIMAL TEXT(30,4)", "lite_text TEXT", "lite_blob BLOB", "lite_flag BOOLEAN")
        self.pg(self.office, f"CREATE TABLE gauge (id int PRIMARY KEY, {', '.join(pg)})")
        self.sql(self.shop, f"CREATE TABLE gauge (id int PRIMARY KEY, {', '.join(maria)})")
        self.write(self.path("till.db"), "PRAGMA journal_mode = WAL",
                   f"CREATE TABLE gauge (id INT PRIMARY KEY NOT NULL, {', '.join(lite)})")
        self.init(self.url_pg(), self.url(), "till.db")
        for _ in range(3):  # a field is told of one system that lacks it
            told = re.findall('"(\\w+)" has no column for it; with one it would: (ALTER .*?;)\n',
                              self.call("plan").stdout)
            for place, sql in told:
                if place == "till":
                    self.write(self.path("till.db"), sql)
                else:
                    (self.pg if place == self.office else self.sql)(place, sql)
        self.assertNotIn("does not travel", self.call("plan").stdout)
        self.pg(self.office, "INSERT INTO gauge (id, flag, n, price, free, f, d, word, c, raw, "
                "day, at, moment, hour, gap, tag, addr, mac, doc, u, y, bin, e, s, exact) VALUES "
                "(1, true, 7, 1.25, 0.5, 1.5, 2.5, 'w', 'abc', '\\x00ff', '2026-01-02', "
                "'2026-01-02 03:04:05.678', '2026-01-02 03:04:05+00', '03:04:05', '1 day', "
                "'00112233-4455-6677-8899-aabbccddeeff', '10.0.0.1', '01:02:03:04:05:06', "
                "'{\"a\": 1}', 9, 2026, '\\x01020304', 'a', 'q', 12345678901234567890.25)")
        self.start()
        self.wait(lambda: self.one(self.path("till.db"), "SELECT count(*) FROM gauge") == 1)
        self.wait(lambda: self.sql(self.shop, "SELECT count(*) FROM gauge")[0][0] == 1)
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.ask("quarantine", "list"), [])

    def mend_unique_keys(self):
        """What was said, until nothing is."""
        said = set()
        for _ in range(12):
            found = [one for one in self.ask("plan")["findings"]
                     if one["what"].startswith("(")]
            if not found:
                return said
            said.update(" ".join(one["what"].split(" ")[:3]) for one in found)
            place, sql = found[0]["system"], found[0]["fix"].split("\n-- or")[0]
            if sql.startswith("-- in "):
                place, sql = sql.removeprefix("-- in ").split(":\n")
            if place == "till":
                self.write(self.path("till.db"), sql)
            else:
                (self.pg if place == self.office else self.sql)(place, sql)
        self.fail(f"it does not end: {found}")

    def test_what_changed_while_a_dataset_stood_still_is_found_after_a_restart(self):
        for ask, database in ((self.sql, self.shop), (self.pg, self.office)):
            ask(database, "CREATE TABLE note (id int PRIMARY KEY, text varchar(40))")
        self.sql(self.shop, "INSERT INTO customer (email) VALUES ('a@x'), ('b@x')")
        self.begin()
        self.expect_equal()
        self.sql(self.shop, "CREATE TABLE owner (email varchar(60) PRIMARY KEY)",
                 "INSERT INTO owner SELECT email FROM customer",
                 "ALTER TABLE customer ADD CONSTRAINT owned FOREIGN KEY (email) REFERENCES "
                 "owner(email) ON DELETE CASCADE")
        self.wait(lambda: "owned" in json.dumps(self.status_of(self.shop)))
        self.sql(self.shop, "DELETE FROM customer WHERE email = 'a@x'",
                 "INSERT INTO note VALUES (1, 'behind it')")
        self.wait(lambda: self.pg(self.office, "SELECT id FROM note") == [(1,)])
        self.kill()
        self.sql(self.shop, "ALTER TABLE customer DROP FOREIGN KEY owned")
        self.start()
        self.wait(lambda: self.pg(self.office, "SELECT email FROM customer") == [("b@x",)])
        self.expect_equal()

    # Parents and children, whose foreign keys act in MariaDB and in no log.

    ORDERS = ("CREATE TABLE orders (id int PRIMARY KEY, customer varchar(60))",
              "CREATE TABLE line (order_id int, n int, text varchar(40), PRIMARY KEY (order_id, n)",
              "CREATE TABLE parcel (id int PRIMARY KEY, order_id int, n int")
    LINKS = (", CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders(id) "
             "ON DELETE CASCADE ON UPDATE CASCADE",
             ", CONSTRAINT holds FOREIGN KEY (order_id, n) REFERENCES line(order_id, n) "
             "ON DELETE SET NULL ON UPDATE CASCADE")

    def begin_orders(self):
        orders, line, parcel = self.ORDERS
        self.sql(self.shop, "DROP TABLE customer", orders, line + self.LINKS[0] + ")",
                 parcel + self.LINKS[1] + ")")
        self.pg(self.office, "DROP TABLE customer", orders, line + ")", parcel + ")")
        self.init(self.url_pg(), self.url())
        text = self.config()
        for dataset in ("line", "parcel"):
            section = f"[datasets.{dataset}.on.{self.shop}]\n"
            self.assertIn(section, text)
            text = text.replace(section, section + 'cascade = "derive"\n')
        self.set_config(text)
        self.call("plan")

    def all_orders(self, side):
        ask = (lambda sql: self.sql(self.shop, sql)) if side == "shop" else (
            lambda sql: self.pg(self.office, sql))
        return [sorted(map(repr, ask(f"SELECT * FROM {table}")))
                for table in ("orders", "line", "parcel")]

    def expect_same_orders(self):
        self.wait(lambda: self.all_orders("shop") == self.all_orders("office"))
        self.assertTrue(self.ask("verify")["is_equal"])

    def order(self, number):
        self.sql(self.shop, f"INSERT INTO orders VALUES ({number}, 'ann')",
                 f"INSERT INTO line VALUES ({number}, 1, 'a'), ({number}, 2, 'b')",
                 f"INSERT INTO parcel VALUES ({number}, {number}, 1)")

    def test_what_cascades_do_is_derived(self):
        self.begin_orders()
        for number in range(1, 9):
            self.order(number)
        self.start()
        self.expect_same_orders()
        self.sql(self.shop, "DELETE FROM orders WHERE id = 1",
                 "UPDATE orders SET id = 20 WHERE id = 2")
        self.wait(lambda: len(self.pg(self.office, "SELECT * FROM line")) == 14)
        self.expect_same_orders()
        self.assertEqual(self.pg(self.office, "SELECT order_id FROM parcel WHERE id < 3 ORDER BY "
                                              "id"), [(None,), (20,)])
        self.pg(self.office, "DELETE FROM line WHERE order_id = 3", "UPDATE parcel SET order_id = "
                "NULL, n = NULL WHERE order_id = 3", "DELETE FROM orders WHERE id = 3")
        self.wait(lambda: len(self.sql(self.shop, "SELECT * FROM orders")) == 6)
        self.expect_same_orders()

    def test_what_cascades_did_while_nobody_looked_is_found(self):
        self.begin_orders()
        for number in range(1, 9):
            self.order(number)
        self.start()
        self.expect_same_orders()
        self.pg(self.office, "UPDATE line SET text = 'seen' WHERE order_id = 5")
        self.kill()
        self.order(9)
        self.sql(self.shop, "DELETE FROM orders WHERE id IN (1, 9)",
                 "UPDATE orders SET id = 20 WHERE id = 2")
        self.start()
        self.wait(lambda: len(self.pg(self.office, "SELECT * FROM line")) == 14)
        self.expect_same_orders()
        self.kill()
        self.start()
        self.sql(self.shop, "DELETE FROM orders WHERE id = 20")
        self.wait(lambda: len(self.pg(self.office, "SELECT * FROM line")) == 12)
        self.expect_same_orders()

    @staticmethod
    def some_of_orders(insert, more, seed):
        chance = random.Random(seed)
        inserts = [insert % "orders VALUES ({a}, 'ann')", insert % "line VALUES ({a}, {b}, '{n}')",
                   insert % "parcel VALUES ({n}, {a}, {b})"]
        statements = inserts * 3 + ["UPDATE line SET text = '{n}' WHERE order_id = {a}",
                                    "UPDATE orders SET customer = '{n}' WHERE id = {a}"] + more

        def statement():
            a, b, n = (chance.randrange(most) for most in (40, 4, 300))
            return (chance.choice(statements).format(a=a, b=b, n=n),)

        return statement

    def test_cascades_under_writers_on_both_sides_and_kills(self):
        self.begin_orders()
        self.start()

        def disturb():
            for _ in range(5):
                threading.Event().wait(0.7)
                self.kill()
                self.start()

        self.with_statements(
            self.some_of_orders("INSERT IGNORE INTO %s", [
                "DELETE FROM orders WHERE id = {a}", "DELETE FROM line WHERE n = {b} LIMIT 2",
                "UPDATE IGNORE orders SET id = {n} % 40 WHERE id = {a}"], 1),
            self.some_of_orders("INSERT INTO %s ON CONFLICT DO NOTHING", [
                "DELETE FROM parcel WHERE id = {n}"], 2), disturb)
        self.expect_same_orders()
        self.assertGreater(len(self.sql(self.shop, "SELECT * FROM line")), 5)
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_two_records_that_are_one_under_a_collation(self):
        self.sql(self.shop, "ALTER TABLE customer MODIFY email varchar(60) CHARACTER SET utf8mb4 "
                            "COLLATE utf8mb4_general_ci NOT NULL")
        self.pg(self.office, "INSERT INTO customer(email, name) VALUES ('ann@x', 'Ann'), "
                             "('mueller', 'a')")
        self.init(self.url_pg(), self.url())
        self.start()
        self.expect_equal()
        self.pg(self.office, "INSERT INTO customer(email, name) VALUES ('müller', 'a')")
        self.wait(lambda: len(self.rows()[0]) == 3)
        self.pg(self.office, "INSERT INTO customer(email, name) VALUES ('muller', 'b')")
        self.wait(lambda: self.ask("quarantine", "list") != [])
        self.assertIn("takes it for the record email=müller",
                      json.dumps(self.ask("quarantine", "list"), ensure_ascii=False))
        self.assertEqual([row[:2] for row in self.rows()[0]],
                         [("ann@x", "Ann"), ("mueller", "a"), ("müller", "a")])

    def test_with_a_sqlite_file(self):
        file = sqlite3.connect(self.path("till.db"), isolation_level=None)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE customer (email TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, "
                     "name TEXT, points INTEGER, price TEXT, seen TEXT, doc TEXT, photo BLOB)")
        self.sql(self.shop, "INSERT INTO customer VALUES ('ann@x', 'Ann', 1, 9.99, "
                            "'2025-12-31 23:00:00.123', '{\"b\": 1, \"a\": [true]}', x'00ff')")
        self.init(self.url(), "till.db")
        self.call("plan")
        self.start()
        self.wait(lambda: file.execute("SELECT count(*) FROM customer").fetchone() == (1,))
        self.assertEqual(file.execute("SELECT * FROM customer").fetchall(), [
            ("ann@x", "Ann", 1, "9.99", "2025-12-31 23:00:00.123", '{"a":[true],"b":1}',
             b"\x00\xff")])
        file.execute("INSERT INTO customer VALUES ('bob@x', 'Bob', 2, '1.5', "
                     "'2026-02-01T10:00:00+02:00', '[1]', x'01')")
        file.execute("UPDATE customer SET points = 7 WHERE email = 'ann@x'")
        points = "SELECT points FROM customer ORDER BY 1 DESC"
        self.wait(lambda: self.sql(self.shop, points) == [(7,), (2,)])
        self.sql(self.shop, "DELETE FROM customer WHERE email = 'ann@x'")
        self.wait(lambda: file.execute("SELECT email FROM customer").fetchall() == [("bob@x",)])
        self.assertTrue(self.ask("verify")["is_equal"])
        file.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
