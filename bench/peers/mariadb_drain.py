#!/usr/bin/python3
"""How fast a backlog between two MariaDB databases drains, and what it costs.

    mariadb_drain.py PATH/TO/syncline [--changes N]

Rows of 132 bytes in 12 columns; transactions of 10 changes: 7 updates of 2 columns, 2 inserts, 1
delete; sync_binlog and innodb_flush_log_at_trx_commit are 1. Both databases are on one server made
for this run, whose processor time counts both its sides. Prints one JSON line a figure. Needs
pymysql.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pymysql

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "..", "..", "tests", "support", "mariadb_server")
TABLE = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, customer int, state varchar(40),
    note varchar(60), city varchar(40), price decimal(12,2), amount int, tax decimal(12,2),
    made timestamp(6) NULL, sent timestamp(6) NULL, flag tinyint)"""
ROW = """seq, seq % 50, seq % 9999, concat('state ', seq % 7), concat('note of order ', seq),
    concat('city ', seq % 300), seq * 1.25, seq % 12, seq * 0.25, now(6), now(6), seq % 2 = 0"""
CHANGES = """CREATE PROCEDURE make_backlog() BEGIN
  DECLARE i INT DEFAULT 0; DECLARE k INT;
  WHILE i < {transactions} DO
    START TRANSACTION;
    SET k = 1;
    WHILE k <= 7 DO
      UPDATE orders SET amount = amount + 1, state = concat('now ', i)
        WHERE id = 1 + (i * 7919 + k * 104729) % {rows};
      SET k = k + 1;
    END WHILE;
    SET k = {first} + i * 2;
    INSERT INTO orders SELECT {row} FROM (SELECT k AS seq UNION ALL SELECT k + 1) s;
    DELETE FROM orders WHERE id = k - 7;
    COMMIT;
    SET i = i + 1;
  END WHILE; END"""


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        subprocess.run([SERVER, "start", self.folder], check=True)
        with open(self.folder + "/pid", encoding="ascii") as file:
            self.pid = int(file.read())
        self.sql("", "SET GLOBAL max_binlog_size = 1073741824")

    def close(self):
        subprocess.run([SERVER, "remove", self.folder], check=True)

    def sql(self, database, *statements):
        user = pymysql.connect(unix_socket=self.folder + "/socket", user="root",
                               database=database or None, autocommit=True)
        try:
            cursor = user.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else None
        finally:
            user.close()


class Bench:
    def __init__(self, syncline, changes):
        self.syncline = os.path.abspath(syncline)
        self.transactions = changes // 10
        self.rows = 100_000
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        self.server = Server()

    def close(self):
        self.server.close()
        shutil.rmtree(self.folder)

    def make(self, database):
        self.server.sql("", f"CREATE DATABASE {database}")
        self.server.sql(database, TABLE, CHANGES.format(
            transactions=self.transactions, rows=self.rows, row=ROW, first=10_000_000))

    def fill(self, database):
        self.server.sql(database,
                            f"INSERT INTO orders SELECT {ROW} FROM seq_1_to_{self.rows}")

    def wait_equal(self, database, other):
        """Seconds until the other database holds the same rows."""
        ask = "SELECT count(*), max(id), sum(amount) FROM orders"
        wanted = self.server.sql(database, ask)
        pause = threading.Event()
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            if self.server.sql(other, ask) == wanted:
                return time.monotonic() - began
            if asked - began > 600:
                sys.exit("the backlog did not drain in 600 s")
            # To ask reads the table: it takes no more than a twentieth of the time.
            pause.wait(max(0.05, 20 * (time.monotonic() - asked)))

    def ours(self):
        server = self.server
        self.make("s1")
        self.fill("s1")
        server.sql("", "CREATE DATABASE s2")
        server.sql("s2", TABLE)
        socket = server.folder + "/socket"
        subprocess.run([self.syncline, "init", f"mariadb://root@localhost/s1?socket={socket}",
                        f"mariadb://root@localhost/s2?socket={socket}"], cwd=self.folder,
                       check=True, stdout=subprocess.DEVNULL)
        daemon = self.start()
        first_sync = self.wait_equal("s1", "s2")
        self.stop(daemon)
        server.sql("s1", "CALL make_backlog()")
        server_before = cpu_seconds(server.pid)
        daemon = self.start()
        seconds = self.wait_equal("s1", "s2")
        ours = cpu_seconds(daemon.pid)
        theirs = cpu_seconds(server.pid) - server_before
        self.stop(daemon)
        return first_sync, seconds, ours, theirs

    def start(self):
        return subprocess.Popen([self.syncline, "run", "--log-level", "error"], cwd=self.folder)

    def stop(self, daemon):
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("syncline")
    parser.add_argument("--changes", type=int, default=500_000)
    options = parser.parse_args()
    bench = Bench(options.syncline, options.changes)
    try:
        first_sync, seconds, ours, theirs = bench.ours()
        changes = bench.transactions * 10
        million = 1e6 / changes
        print(json.dumps({"id": "db.maria_maria.drain", "unit": "changes/s",
                          "value": round(changes / seconds), "changes": changes,
                          "cpu_s_per_million": round(ours * million, 1),
                          "server_cpu_s_per_million": round(theirs * million, 1)}), flush=True)
        print(json.dumps({"id": "db.first_sync.maria_maria", "unit": "rows/s",
                          "value": round(bench.rows / first_sync)}), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
