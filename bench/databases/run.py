#!/usr/bin/python3
"""Syncline between real database servers, beside what its users would use instead.

    run.py [--quick] [--only ID] [--list] PATH/TO/syncline

A figure is one JSON line on stdout and one line for people on stderr. Needs the packages of
tools/setup --with-tests; postgresql-15-pglogical and reladiff (pip) are measured where they are
installed.
"""
import argparse
import json
import sys
import threading
import time

from appliance import Appliance
from measure import report, wait_until
from peers import Native, Pglogical, has_pglogical, has_reladiff, reladiff_seconds
from servers import Mariadb, Newest, Postgres

FIRST_NEW = 10_000_000
LATENCY_TRANSACTIONS_PER_SECOND = 500  # of 10 changes


class Bench:
    def __init__(self, options):
        self.program = options.syncline
        self.is_quick = options.quick
        self.changes = 50_000 if options.quick else 500_000
        self.rows = 10_000 if options.quick else 100_000
        self.verified_rows = 100_000 if options.quick else 5_000_000
        self.latency_seconds = 3 if options.quick else 15
        self.servers = {}
        self.name_count = 0

    def server(self, kind):
        if kind not in self.servers:
            self.servers[kind] = Postgres() if kind == "pg" else Mariadb()
        return self.servers[kind]

    def close(self):
        for server in self.servers.values():
            server.close()

    def database(self, kind, rows=0, is_narrow=False):
        self.name_count += 1
        name = f"bench{self.name_count}"
        self.server(kind).make(name, rows, is_narrow)
        return name

    def cpu_seconds(self, kinds):
        return sum(self.server(kind).cpu_seconds() for kind in set(kinds))

    def pair(self, source, target, rows):
        """Two databases with the same rows, and an appliance that knows both and is stopped."""
        left, right = self.database(source, rows), self.database(target)
        appliance = Appliance(self.program, self.server(source).url(left),
                              self.server(target).url(right))
        appliance.start()
        began = time.monotonic()
        wait_until(lambda: self.are_equal(source, left, target, right), "the first sync")
        seconds = time.monotonic() - began
        wait_until(appliance.is_running, "the first sync's end")
        appliance.stop()
        return left, right, appliance, seconds

    def are_equal(self, source, left, target, right):
        return self.server(source).summary(left) == self.server(target).summary(right)

    def newest(self, source, left, target, right):
        return Newest(self.server(source), left, self.server(target), right)

    def wait_equal(self, source, left, target, right, figure, *newest):
        seconds = wait_until(lambda: self.are_equal(source, left, target, right), figure,
                             lambda: all(side.has_come() for side in newest))
        for side in newest:
            side.close()
        return seconds

    # One way: a backlog of one side.

    def drain(self, source, target):
        figure = f"db.{source}_{target}"
        left, right, appliance, _ = self.pair(source, target, self.rows)
        self.server(source).backlog(left, self.changes // 10, self.rows, FIRST_NEW)
        newest = self.newest(source, left, target, right)
        before = self.cpu_seconds((source, target))
        appliance.start()
        seconds = self.wait_equal(source, left, target, right, figure, newest)
        cpu = appliance.cpu_seconds(), self.cpu_seconds((source, target)) - before
        appliance.close()
        peers = self.native_rate() if (source, target) == ("pg", "pg") else (None, [])
        per_million = 1e6 / self.changes
        report(figure + ".drain", f"a backlog of {self.changes:,} changes", "changes/s",
               [self.changes / seconds], *peers)
        report(figure + ".cpu", "seconds of processor a million changes; the appliance's own "
               f"{cpu[0] * per_million:.1f}", "s", [sum(cpu) * per_million])

    def native_rate(self):
        server = self.server("pg")
        left, right = self.database("pg", self.rows), self.database("pg")
        native = Native(server, left, right)
        wait_until(lambda: self.are_equal("pg", left, "pg", right), "native replication")
        native.pause()
        server.backlog(left, self.changes // 10, self.rows, FIRST_NEW)
        newest = self.newest("pg", left, "pg", right)
        native.resume()
        seconds = self.wait_equal("pg", left, "pg", right, "native replication", newest)
        native.close()
        return native.name, [self.changes / seconds]

    # Both ways at once: half the backlog on each side, in part of the same rows.

    def two_way(self, source, target):
        figure = f"db.{source}_{target}.two_way"
        left, right, appliance, _ = self.pair(source, target, self.rows)
        newest = self.make_both_backlogs(source, left, target, right)
        appliance.start()
        seconds = self.wait_equal(source, left, target, right, figure, *newest)
        wait_until(lambda: json.loads(appliance.call("verify", "--json", check=False))["is_equal"],
                   figure + ": equal cell by cell")
        status = appliance.status()
        appliance.close()
        peers = self.two_way_peer_rate() if (source, target) == ("pg", "pg") else (None, [])
        report(figure, f"backlogs of {self.changes // 2:,} changes on each side, "
               f"{status['conflicts_total']:,} conflicts; equal cell by cell", "changes/s",
               [self.changes / seconds], *peers)

    def make_both_backlogs(self, source, left, target, right):
        half = self.changes // 20
        self.server(source).backlog(left, half, self.rows, FIRST_NEW)
        self.server(target).backlog(right, half, self.rows, 2 * FIRST_NEW, step=3)
        return (self.newest(source, left, target, right),
                self.newest(target, right, source, left))

    def two_way_peer_rate(self):
        """Native replication where it goes both ways, else pglogical."""
        server = self.server("pg")
        is_native = Native.goes_both_ways(server)
        if not is_native and not has_pglogical():
            print("bench_databases: postgresql-15-pglogical is not installed: no peer",
                  file=sys.stderr)
            return None, []
        if not is_native:
            self.prepare_for_pglogical(server)
        left = self.database("pg", self.rows)
        right = self.database("pg", 0 if is_native else self.rows)
        peer = (Native if is_native else Pglogical)(server, left, right)
        wait_until(lambda: self.are_equal("pg", left, "pg", right), peer.name)
        peer.pause()
        newest = self.make_both_backlogs("pg", left, "pg", right)
        peer.resume()
        seconds = wait_until(lambda: self.have_met(server, left, right), peer.name,
                             lambda: all(side.has_come() for side in newest))
        for side in newest:
            side.close()
        peer.close()
        return peer.name, [self.changes / seconds]

    def have_met(self, server, left, right):
        """It need not converge where both changed a row: that all has arrived is what is asked."""
        new = f"SELECT count(*), sum(id) FROM orders WHERE id >= {FIRST_NEW}"
        return server.sql(left, new) == server.sql(right, new)

    @staticmethod
    def prepare_for_pglogical(server):
        server.sql("postgres", "ALTER SYSTEM SET shared_preload_libraries = 'pglogical'",
                   "ALTER SYSTEM SET track_commit_timestamp = on",
                   "ALTER SYSTEM SET max_worker_processes = 20",
                   "ALTER SYSTEM SET max_replication_slots = 40")
        # Debian's later releases let only these be loaded.
        if server.sql("postgres", "SELECT 1 FROM pg_settings WHERE name = "
                                  "'output_plugin_libraries'"):
            server.sql("postgres", "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput, "
                                   "test_decoding, pglogical_output'")
        server.restart()

    # From commit here to being seen there, at 5,000 changes a second. Measured from outside: a
    # server may tell the times of its commits in whole seconds.

    def latency(self, source, target):
        left, right, appliance, _ = self.pair(source, target, self.rows)
        appliance.start()
        wait_until(appliance.is_running, "the start")
        seen, stopping = [], threading.Event()
        prober = threading.Thread(target=self.probe, args=(
            self.server(source).connect(left), self.server(target).connect(right), seen, stopping))
        prober.start()
        rate = self.write_steadily(self.server(source), left)
        stopping.set()
        prober.join()
        appliance.close()
        seen.sort()
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            report(f"db.{source}_{target}.latency_{name}", f"at {rate:,.0f} changes/s, "
                   f"{len(seen)} looks; in what it takes to look", "s",
                   [seen[int(part * (len(seen) - 1))]])

    def probe(self, here, there, seen, stopping):
        """One row that nobody else writes: changed here, then looked for there."""
        write, look = here.cursor(), there.cursor()
        number = 0
        pause = threading.Event()
        while not stopping.is_set():
            number += 1
            write.execute(f"UPDATE orders SET shop = {number} WHERE id = {self.rows}")
            began = time.monotonic()
            while True:
                look.execute(f"SELECT shop FROM orders WHERE id = {self.rows}")
                if look.fetchall()[0][0] == number:
                    break
                pause.wait(0.0002)
            seen.append(time.monotonic() - began)
            pause.wait(0.02)

    def write_steadily(self, server, database):
        user = server.connect(database)
        cursor = user.cursor()
        count = 0
        pause = threading.Event()
        began = time.monotonic()
        while time.monotonic() - began < self.latency_seconds:
            due = began + count / LATENCY_TRANSACTIONS_PER_SECOND
            pause.wait(max(0, due - time.monotonic()))
            keys = ", ".join(str(1 + (count * 10 + i) % (self.rows - 1)) for i in range(10))
            cursor.execute("UPDATE orders SET amount = amount + 1, state = "
                           f"'at {count}' WHERE id IN ({keys})")
            count += 1
        user.close()
        return count * 10 / (time.monotonic() - began)

    # Until the target has every row, and, for the processor's time and the memory, until its log
    # has shown the last of them.

    def first_sync(self, source, target, is_narrow=False):
        figure = f"db.first_sync.{source}_{target}" + (".narrow" if is_narrow else "")
        self.measure_first_sync(source, target, self.rows * 10, is_narrow, figure)

    def measure_first_sync(self, source, target, rows, is_narrow, figure):
        left = self.database(source, rows, is_narrow)
        right = self.database(target, is_narrow=is_narrow)
        appliance = Appliance(self.program, self.server(source).url(left),
                              self.server(target).url(right))
        before = self.cpu_seconds((source, target))
        newest = self.newest(source, left, target, right)
        appliance.start()
        seconds = self.wait_equal(source, left, target, right, figure, newest)
        wait_until(lambda: self.knows(appliance, rows), figure + ": what was written is shown")
        cpu = appliance.cpu_seconds(), self.cpu_seconds((source, target)) - before
        tables = appliance.status()["table_size_bytes"]
        memory = appliance.memory_bytes_max() - tables
        appliance.close()
        kind = "rows of 5 columns" if is_narrow else "rows"
        report(figure, f"{rows:,} {kind} into an empty table", "rows/s", [rows / seconds])
        report(figure + ".cpu", "seconds of processor a million rows; the appliance's own "
               f"{cpu[0] * 1e6 / rows:.1f}", "s", [sum(cpu) * 1e6 / rows])
        report(figure + ".memory", "at the most, beside the fingerprint tables' "
               f"{tables / 1e6:.0f} MB", "bytes", [memory])

    # The appliance's memory beside its tables: ten times as many rows read, and one transaction.

    def memory(self):
        self.measure_first_sync("pg", "pg", self.rows * 100, True, "db.memory.first_sync")
        self.memory_of_transaction("pg", "pg", "db.memory.transaction")
        self.memory_of_transaction("mdb", "pg", "db.memory.transaction.mdb_pg")

    def memory_of_transaction(self, source, target, figure):
        rows = self.rows * 10
        left, right, appliance, _ = self.pair(source, target, 1000)
        appliance.start()
        wait_until(appliance.is_running, "the start")
        self.server(source).add_rows(left, 1001, rows + 1000)
        self.wait_equal(source, left, target, right, figure,
                        self.newest(source, left, target, right))
        tables = appliance.status()["table_size_bytes"]
        memory = appliance.memory_bytes_max() - tables
        appliance.close()
        report(figure, f"one transaction of {rows:,} rows, at the most, beside "
               f"the fingerprint tables' {tables / 1e6:.0f} MB", "bytes", [memory])

    @staticmethod
    def knows(appliance, rows):
        """Whether every system has shown so many records."""
        status = appliance.status()
        return status["state"] == "running" and all(
            dataset["records"] == rows
            for system in status["systems"] for dataset in system["datasets"])

    # Comparing what is equal, and what is not.

    def verify(self, source, target):
        left, right = self.database(source, self.verified_rows), self.database(target)
        appliance = Appliance(self.program, self.server(source).url(left),
                              self.server(target).url(right))
        self.copy(source, left, target, right)
        read = self.read_seconds(source, left) + self.read_seconds(target, right)
        seconds = self.verify_seconds(appliance)
        report("db.verify.equal", f"{self.verified_rows:,} rows in both, beside one query a side "
               "that reads all cells", "rows/s", [self.verified_rows / seconds],
               "reading both", [self.verified_rows / read])
        self.server(target).sql(right, "UPDATE orders SET amount = amount + 1 WHERE id % "
                                f"{self.verified_rows // 100} = 0")
        seconds = self.verify_seconds(appliance)
        report("db.verify.differing", "the same, 100 rows differing", "rows/s",
               [self.verified_rows / seconds], "reading both", [self.verified_rows / read])
        appliance.close()

    def verify_beside_reladiff(self, source, target):
        rows = 100_000 if self.is_quick else 1_000_000
        left, right = self.database(source, rows), self.database(target)
        appliance = Appliance(self.program, self.server(source).url(left),
                              self.server(target).url(right))
        self.copy(source, left, target, right)
        urls = [self.server(source).url_with_host(left), self.server(target).url_with_host(right)]
        for count in (0, 100, 10_000):
            if count:
                self.server(target).sql(right, "UPDATE orders SET amount = amount + 1 WHERE id % "
                                        f"{rows // count} = 0")
            seconds = self.verify_seconds(appliance)
            peer = [rows / reladiff_seconds(*urls)] if has_reladiff() else []
            report(f"db.verify.reladiff_{count}", f"{rows:,} rows, {count:,} differing", "rows/s",
                   [rows / seconds], "reladiff", peer)
        appliance.close()

    def copy(self, source, left, target, right):
        """The same rows on both sides without the appliance: made by the same expressions."""
        assert source == target, "rows made by two kinds of servers differ in their times"
        self.server(target).sql(right, f"INSERT INTO orders SELECT * FROM {left}.orders"
                                if source == "mdb" else "SELECT 1")
        if source == "pg":
            self.server("pg").copy_table(left, right)

    @staticmethod
    def verify_seconds(appliance):
        began = time.monotonic()
        appliance.call("verify", "--json", check=False)
        return time.monotonic() - began

    def read_seconds(self, kind, database):
        began = time.monotonic()
        self.server(kind).sql(database, self.server(kind).read_all)
        return time.monotonic() - began


def figures(bench):
    pairs = [("pg", "pg"), ("pg", "mdb"), ("mdb", "pg"), ("mdb", "mdb")]
    rows = []
    for source, target in pairs:
        name = f"{source}_{target}"
        rows.append((f"db.{name}.drain", lambda s=source, t=target: bench.drain(s, t)))
        rows.append((f"db.{name}.latency_p50", lambda s=source, t=target: bench.latency(s, t)))
        rows.append((f"db.first_sync.{name}", lambda s=source, t=target: bench.first_sync(s, t)))
        rows.append((f"db.first_sync.{name}.narrow",
                     lambda s=source, t=target: bench.first_sync(s, t, is_narrow=True)))
    for source, target in (("pg", "pg"), ("pg", "mdb")):
        rows.append((f"db.{source}_{target}.two_way",
                     lambda s=source, t=target: bench.two_way(s, t)))
    rows.append(("db.memory", bench.memory))
    rows.append(("db.verify.equal", lambda: bench.verify("pg", "pg")))
    rows.append(("db.verify.reladiff_0", lambda: bench.verify_beside_reladiff("pg", "pg")))
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("syncline", nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    bench = Bench(options)
    rows = figures(bench)
    if options.list:
        print("\n".join(name for name, _ in rows))
        return
    chosen = [run for name, run in rows if name.startswith(options.only)]
    if not chosen or not options.syncline:
        sys.exit("bench_databases: no such figure, or no program named; see --list and --help")
    try:
        for run in chosen:
            run()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
