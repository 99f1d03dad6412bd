#!/usr/bin/python3
"""How fast a backlog between two PostgreSQL databases drains, beside native logical replication.

    postgres_drain.py PATH/TO/syncline [--changes N] [--latency-seconds S]

Rows of 132 bytes in 12 columns; transactions of 10 changes: 7 updates of 2 columns, 2 inserts, 1
delete; fsync and synchronous_commit are on. Both work through the same backlog, one after the
other, on a server made for this run. Prints one JSON line a figure. Needs psycopg2.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "..", "..", "tests", "support", "postgres_server")
TABLE = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, customer int, state text,
    note text, city text, price numeric(12,2), amount int, tax numeric(12,2), made timestamptz,
    sent timestamptz, flag boolean)"""
ROW = """g, g % 50, g % 9999, 'state ' || g % 7, 'note of order ' || g, 'city ' || g % 300,
    g * 1.25, g % 12, g * 0.25, now(), now(), g % 2 = 0"""
CHANGES = """DO $$ DECLARE first bigint := {first}; at bigint; BEGIN
  FOR i IN 0..{transactions} - 1 LOOP
    FOR k IN 1..7 LOOP
      at := 1 + (i * 7919 + k * 104729) % {rows};
      UPDATE orders SET amount = amount + 1, state = 'now ' || i WHERE id = at;
    END LOOP;
    INSERT INTO orders SELECT {row} FROM generate_series(first + i * 2, first + i * 2 + 1) g;
    DELETE FROM orders WHERE id = first + i * 2 - 7;
    COMMIT;
  END LOOP; END $$"""


class Bench:
    def __init__(self, syncline, changes):
        self.syncline = os.path.abspath(syncline)
        self.transactions = changes // 10
        self.rows = 100_000
        self.server = tempfile.mkdtemp(prefix="syncline-bench-")
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        subprocess.run([SERVER, "start", self.server], check=True)
        self.sql("postgres", "ALTER SYSTEM SET fsync = on",
                 "ALTER SYSTEM SET max_wal_size = '8GB'", "SELECT pg_reload_conf()")

    def close(self):
        subprocess.run([SERVER, "remove", self.server], check=True)
        shutil.rmtree(self.folder)

    def connect(self, database):
        user = psycopg2.connect(host=self.server, dbname=database, user="postgres")
        user.autocommit = True
        return user

    def sql(self, database, *statements):
        user = self.connect(database)
        cursor = user.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
        user.close()
        return rows

    def make(self, *databases):
        for database in databases:
            self.sql("postgres", f"CREATE DATABASE {database}")
            self.sql(database, TABLE)
        self.sql(databases[0],
                 f"INSERT INTO orders SELECT {ROW} FROM generate_series(1, {self.rows}) g")

    def backlog(self, database):
        self.sql(database, CHANGES.format(first=10_000_000, transactions=self.transactions,
                                          rows=self.rows, row=ROW))

    def wait_equal(self, source, target):
        """Seconds until the target holds the source's last row and as many rows."""
        ask = "SELECT count(*), max(id), sum(amount) FROM orders"
        wanted = self.sql(source, ask)
        pause = threading.Event()
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            if self.sql(target, ask) == wanted:
                return time.monotonic() - began
            if asked - began > 600:
                sys.exit("the backlog did not drain in 600 s")
            # To ask reads the table: it takes no more than a twentieth of the time.
            pause.wait(max(0.05, 20 * (time.monotonic() - asked)))

    def native(self):
        self.make("n1", "n2")
        self.sql("n1", "CREATE PUBLICATION p FOR TABLE orders",
                 "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
        self.sql("n2", f"CREATE SUBSCRIPTION s CONNECTION 'host={self.server} dbname=n1 "
                       "user=postgres' PUBLICATION p WITH (create_slot = false, slot_name = 's')")
        self.wait_equal("n1", "n2")
        self.sql("n2", "ALTER SUBSCRIPTION s DISABLE")
        self.backlog("n1")
        self.sql("n2", "ALTER SUBSCRIPTION s ENABLE")
        seconds = self.wait_equal("n1", "n2")
        self.sql("n2", "DROP SUBSCRIPTION s")
        return seconds

    def start(self):
        self.daemon = subprocess.Popen([self.syncline, "run", "--log-level", "error"],
                                       cwd=self.folder)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()

    def ours(self):
        self.make("s1", "s2")
        subprocess.run([self.syncline, "init", f"postgres://postgres@/s1?host={self.server}",
                        f"postgres://postgres@/s2?host={self.server}"], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)
        self.start()
        first_sync = self.wait_equal("s1", "s2")
        self.stop()
        self.backlog("s1")
        self.start()
        seconds = self.wait_equal("s1", "s2")
        return first_sync, seconds

    def latency(self, seconds):
        """Milliseconds from commit here to commit there, as the program itself measures them."""
        user = self.connect("s1")
        cursor = user.cursor()
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            cursor.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s",
                           (1 + count % self.rows,))
            count += 1
        user.close()
        status = json.loads(subprocess.run([self.syncline, "status", "--json"], cwd=self.folder,
                                           capture_output=True, check=True).stdout)
        return count / seconds, status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("syncline")
    parser.add_argument("--changes", type=int, default=500_000)
    parser.add_argument("--latency-seconds", type=float, default=5)
    options = parser.parse_args()
    bench = Bench(options.syncline, options.changes)
    try:
        native = bench.native()
        first_sync, ours = bench.ours()
        changes = bench.transactions * 10
        print(json.dumps({"id": "db.pg_pg.drain", "unit": "changes/s",
                          "value": round(changes / ours), "peer": "native logical replication",
                          "peer_value": round(changes / native), "ratio": round(native / ours, 3),
                          "changes": changes}), flush=True)
        print(json.dumps({"id": "db.first_sync.pg_pg", "unit": "rows/s",
                          "value": round(bench.rows / first_sync)}), flush=True)
        rate, status = bench.latency(options.latency_seconds)
        print(json.dumps({"id": "db.pg_pg.latency", "rate": round(rate),
                          "status": {name: value for name, value in status.items()
                                     if name.startswith("latency")}}), flush=True)
        bench.stop()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
