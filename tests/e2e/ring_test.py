#!/usr/bin/python3
"""PostgreSQL, MariaDB and SQLite in a ring of three, with writers on all of them.

    ring_test.py PATH/TO/syncline

A music shop of eleven tables with foreign keys, made up here; and, where its scripts are found
beside the source tree (shared/data/chinook), the Chinook database. Each system's writers make
records in a range of keys of their own and change those that all know; the program is killed
meanwhile. Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import psycopg2
import pymysql

from fixture import ENGINE, NOT_THERE, SYNCLINE, UsesEngine, ask_daemon

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
CHINOOK = os.path.join(HERE, "..", "..", "..", "shared", "data", "chinook")
KILLS = 4
SECONDS = 180

# Columns as (name, type, table referred to); the first is the key, or the first two.
TABLES = {
    "Artist": (1, 40, [("ArtistId", "int", ""), ("Name", "text", "")]),
    "Employee": (1, 8, [("EmployeeId", "int", ""), ("LastName", "text", ""),
                        ("HireDate", "time", "")]),
    "Genre": (1, 10, [("GenreId", "int", ""), ("Name", "text", "")]),
    "MediaType": (1, 5, [("MediaTypeId", "int", ""), ("Name", "text", "")]),
    "Playlist": (1, 12, [("PlaylistId", "int", ""), ("Name", "text", "")]),
    "Album": (1, 90, [("AlbumId", "int", ""), ("Title", "text", ""),
                      ("ArtistId", "int", "Artist")]),
    "Customer": (1, 60, [("CustomerId", "int", ""), ("FirstName", "text", ""),
                         ("City", "text", ""), ("SupportRepId", "int", "Employee")]),
    "Track": (1, 400, [("TrackId", "int", ""), ("Name", "text", ""), ("AlbumId", "int", "Album"),
                       ("MediaTypeId", "int", "MediaType"), ("GenreId", "int", "Genre"),
                       ("UnitPrice", "money", "")]),
    "Invoice": (1, 120, [("InvoiceId", "int", ""), ("CustomerId", "int", "Customer"),
                         ("InvoiceDate", "time", ""), ("BillingCity", "maybe", ""),
                         ("Total", "money", "")]),
    "InvoiceLine": (1, 500, [("InvoiceLineId", "int", ""), ("InvoiceId", "int", "Invoice"),
                             ("TrackId", "int", "Track"), ("UnitPrice", "money", ""),
                             ("Quantity", "int", "")]),
    "PlaylistTrack": (2, 200, [("PlaylistId", "int", "Playlist"), ("TrackId", "int", "Track")]),
}


def snake(name):
    return "".join("_" + letter.lower() if letter.isupper() and at else letter.lower()
                   for at, letter in enumerate(name))


class System:
    """One of the three: its names, its types, its connection."""

    def name(self, text):
        return text

    def create(self):
        for table, (key_count, _, columns) in TABLES.items():
            lines = [f"{self.quoted(name)} " + (f"{self.types['text']} NULL" if kind == "maybe"
                                                else f"{self.types[kind]} NOT NULL")
                     for name, kind, _ in columns]
            keys = ", ".join(self.quoted(name) for name, _, _ in columns[:key_count])
            lines.append(f"PRIMARY KEY ({keys})")
            lines += [f"FOREIGN KEY ({self.quoted(name)}) REFERENCES {self.quoted(other)} "
                      f"({self.quoted(other + 'Id')})" for name, _, other in columns if other]
            self.run(f"CREATE TABLE {self.quoted(table)} ({', '.join(lines)})")

    def fill(self):
        dice = random.Random(3)
        for table, (key_count, count, columns) in TABLES.items():
            for number in range(1, count + 1):
                row = [self.made_up(dice, kind, other, number if at == 0 and key_count == 1 else 0)
                       for at, (_, kind, other) in enumerate(columns)]
                if key_count == 2:
                    row = [1 + number % 12, 1 + number // 12]
                self.insert(table, row)

    @staticmethod
    def made_up(dice, kind, other, number):
        if number:
            return number
        if kind in ("text", "maybe"):
            return dice.choice(["Zürich", "São Paulo", "Ümit", "O'Hara", "", "東京"])
        if kind == "money":
            return f"{dice.randrange(1, 5000) / 100:.2f}"
        if kind == "time":
            return f"2026-0{dice.randrange(1, 9)}-1{dice.randrange(9)} 00:00:00"
        return 1 + dice.randrange(TABLES[other][1]) if other else dice.randrange(1, 9)

    def insert(self, table, row):
        columns = TABLES[table][2]
        names = ", ".join(self.quoted(name) for name, _, _ in columns)
        marks = ", ".join([self.mark] * len(columns))
        self.run(f"INSERT INTO {self.quoted(table)} ({names}) VALUES ({marks})", row)

    def keys_and_texts(self, table, column, key):
        rows = self.ask(f"SELECT {self.quoted(key)}, {self.quoted(column)} FROM "
                        f"{self.quoted(table)} ORDER BY 1")
        return [(int(number), str(text)) for number, text in rows]

    def count(self, table):
        return self.ask(f"SELECT count(*) FROM {self.quoted(table)}")[0][0]


class Postgres(System):
    mark = "%s"
    types = {"int": "int", "text": "varchar(120)", "money": "numeric(10,2)",
             "time": "timestamp(0)"}

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        self.url = f"postgres://postgres@/{database}?host={folder}"
        admin = psycopg2.connect(host=folder, dbname="postgres", user="postgres")
        admin.autocommit = True
        admin.cursor().execute(f"CREATE DATABASE {database}")
        admin.close()
        self.reconnect()

    def reconnect(self):
        self.user = psycopg2.connect(host=self.folder, dbname=self.database, user="postgres")
        self.user.autocommit = True

    def quoted(self, name):
        return snake(name)

    def run(self, sql, values=None):
        self.user.cursor().execute(sql, values)

    def ask(self, sql):
        cursor = self.user.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def load(self, script):
        subprocess.run(["psql", "-qh", self.folder, "-U", "postgres", self.database],
                       input=script, text=True, check=True, stdout=subprocess.DEVNULL)


class Mariadb(System):
    mark = "%s"
    types = {"int": "int", "text": "varchar(120)", "money": "decimal(10,2)", "time": "datetime"}

    def __init__(self, folder, database):
        self.folder, self.database = folder, database
        self.url = f"mariadb://root@localhost/{database}?socket={folder}/socket"
        admin = pymysql.connect(unix_socket=folder + "/socket", user="root")
        admin.cursor().execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        admin.close()
        self.reconnect()

    def reconnect(self):
        self.user = pymysql.connect(unix_socket=self.folder + "/socket", user="root",
                                    database=self.database, autocommit=True, charset="utf8mb4")

    def quoted(self, name):
        return f"`{name}`"

    run = Postgres.run
    ask = Postgres.ask

    def load(self, script):
        subprocess.run(["mariadb", "--no-defaults", "-S", self.folder + "/socket", "-u", "root",
                        "--default-character-set=utf8mb4", self.database],
                       input=script, text=True, check=True)


class Sqlite(System):
    mark = "?"
    types = {"int": "INTEGER", "text": "NVARCHAR(120)", "money": "NUMERIC(10,2)",
             "time": "DATETIME"}

    def __init__(self, folder, database):
        self.url = os.path.join(folder, database + ".db")
        self.reconnect()
        self.run("PRAGMA journal_mode = wal")

    def reconnect(self):
        self.user = sqlite3.connect(self.url, timeout=60, isolation_level=None,
                                    check_same_thread=False)

    def quoted(self, name):
        return f"[{name}]"

    def run(self, sql, values=()):
        self.user.execute(sql, values or ())

    def ask(self, sql):
        return self.user.execute(sql).fetchall()

    def load(self, script):
        self.user.executescript(script)


class Ring(UsesEngine):
    @classmethod
    def setUpClass(cls):
        cls.servers = {}
        for script in ("postgres_server", "mariadb_server"):
            folder = tempfile.mkdtemp(prefix="syncline-ring-")
            cls.servers[script] = folder
            cls.addClassCleanup(cls.call_server, script, "remove")
            cls.call_server(script, "start")

    @classmethod
    def call_server(cls, script, command):
        subprocess.run([os.path.join(SUPPORT, script), command, cls.servers[script]], check=True)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = None
        self.addCleanup(self.end_daemon)

    def make_systems(self, database):
        self.systems = [Postgres(self.servers["postgres_server"], database),
                        Mariadb(self.servers["mariadb_server"], database),
                        Sqlite(self.folder, database)]

    def end_daemon(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.note_engine()
            self.daemon.kill()
            self.daemon.wait()

    def call(self, *arguments, expect=0):
        done = subprocess.run([SYNCLINE, *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout} {done.stderr}")
        return done.stdout

    def keep_numbers_apart(self):
        """Each writer has a range of its own, which SQLite's tables do not tell."""
        path = os.path.join(self.folder, "syncline.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^\[datasets\..*\.on\.\w+3\]$", r'\g<0>\nnumbers = "apart"',
                              text))

    def ask_for_engine(self):
        path = os.path.join(self.folder, "syncline.toml")
        with open(path, encoding="utf-8") as file:
            config = file.read()
        self.assertIn('engine = "auto"', config)
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace('engine = "auto"', f'engine = "{ENGINE}"'))

    def start(self):
        with open(os.path.join(self.folder, "daemon.log"), "ab") as log:
            self.daemon = subprocess.Popen([SYNCLINE, "run", "--log-level", "warning"],
                                           cwd=self.folder, stderr=log)

    def wait(self, holds, what):
        deadline = time.monotonic() + SECONDS
        pause = threading.Event()
        while not holds():
            with open(os.path.join(self.folder, "daemon.log"), encoding="utf-8") as log:
                self.assertLess(time.monotonic(), deadline, what + ": " + log.read()[-4000:])
            self.assertIsNone(self.daemon.poll(), what)
            pause.wait(0.2)

    def status(self):
        return ask_daemon(os.path.join(self.folder, "syncline-data"), "status")

    def is_running(self):
        try:
            return self.status()["state"] == "running"
        except NOT_THERE:
            return False

    def is_equal(self):
        told = subprocess.run([SYNCLINE, "verify", "--json"], cwd=self.folder, check=False,
                              capture_output=True, text=True)
        return told.returncode == 0 and json.loads(told.stdout)["is_equal"]

    def write(self, system, number, stopping, failures):
        """Orders of new customers, prices and cities that change, lines that go."""
        dice = random.Random(number)
        first = made = 1_000_000 * (number + 1)
        lines = []
        try:
            while not stopping.wait(0.004):
                made += 1
                choice = dice.randrange(10)
                if choice < 3:
                    self.order(system, made, dice)
                    lines.append(made)
                elif choice < 5:
                    system.run(f"UPDATE {system.quoted('Track')} SET {system.quoted('UnitPrice')} "
                               f"= {dice.randrange(1, 900) / 100} WHERE "
                               f"{system.quoted('TrackId')} = {1 + dice.randrange(50)}")
                elif choice < 8:
                    system.run(f"UPDATE {system.quoted('Customer')} SET {system.quoted('City')} = "
                               f"'city {made - first} of {number}' WHERE "
                               f"{system.quoted('CustomerId')} = {1 + dice.randrange(20)}")
                elif lines:
                    system.run(f"DELETE FROM {system.quoted('InvoiceLine')} WHERE "
                               f"{system.quoted('InvoiceLineId')} = "
                               f"{lines.pop(dice.randrange(len(lines)))}")
        except Exception as error:  # told to the test, which fails
            failures.append(repr(error))

    def order(self, system, number, dice):
        customer, track = 1 + dice.randrange(20), 1 + dice.randrange(50)
        for table, values in (
                ("Invoice", {"InvoiceId": number, "CustomerId": customer,
                             "InvoiceDate": "2026-11-26 00:00:00", "Total": "9.90"}),
                ("InvoiceLine", {"InvoiceLineId": number, "InvoiceId": number, "TrackId": track,
                                 "UnitPrice": "0.99", "Quantity": 10})):
            names = ", ".join(system.quoted(name) for name in values)
            marks = ", ".join([system.mark] * len(values))
            system.run(f"INSERT INTO {system.quoted(table)} ({names}) VALUES ({marks})",
                       list(values.values()))

    def turn_the_ring(self):
        self.call("init", *[system.url for system in self.systems])
        self.keep_numbers_apart()
        self.ask_for_engine()
        self.call("plan")
        stopping, failures = threading.Event(), []
        writers = [threading.Thread(target=self.write, args=(system, number, stopping, failures))
                   for number, system in enumerate(self.systems)]
        self.start()
        for writer in writers:
            writer.start()
        dice = random.Random(5)
        try:
            for _ in range(KILLS):
                threading.Event().wait(dice.uniform(0.5, 3))
                self.end_daemon()
                self.start()
            self.wait(self.is_running, "the start")
            threading.Event().wait(2)
        finally:
            stopping.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failures, [])
        self.wait(self.is_equal, "the three are not equal")
        self.compare_by_hand()
        self.note_engine()
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(timeout=60), 0)
        self.call("audit", "verify")

    def compare_by_hand(self):
        """Without the program: what anybody sees in the three databases."""
        for table, column, key in (("Customer", "City", "CustomerId"),
                                   ("Invoice", "BillingCity", "InvoiceId"),
                                   ("Track", "Name", "TrackId")):
            seen = [system.keys_and_texts(table, column, key) for system in self.systems]
            self.assertEqual(seen[0], seen[1], table)
            self.assertEqual(seen[1], seen[2], table)
        for table in TABLES:
            self.assertEqual(len({system.count(table) for system in self.systems}), 1, table)
        self.assertGreater(self.systems[0].count("Invoice"), TABLES["Invoice"][1])

    def test_a_music_shop(self):
        self.make_systems("shop")
        for system in self.systems:
            system.create()
            system.fill()
        self.turn_the_ring()

    @unittest.skipUnless(os.path.isdir(CHINOOK), "shared/data/chinook is absent")
    def test_chinook(self):
        self.make_systems("chinook")
        for system, name in zip(self.systems, ("PostgreSql", "MySql", "Sqlite")):
            with open(os.path.join(CHINOOK, f"Chinook_{name}.sql"), encoding="utf-8-sig") as file:
                lines = file.read().splitlines(keepends=True)
            # Into the database that stands here already.
            system.load("".join(line for line in lines if not line.startswith(
                ("DROP DATABASE", "CREATE DATABASE", "\\c ", "USE "))))
        self.turn_the_ring()


if __name__ == "__main__":
    unittest.main(verbosity=2)
