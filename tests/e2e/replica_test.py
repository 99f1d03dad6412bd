#!/usr/bin/python3
"""A first sync of a MariaDB database that reads its tables from a replica, while users write.

    replica_test.py PATH/TO/syncline

A database with a replica beside an SQLite file. Needs pymysql.
"""
import threading
import unittest

from fixture import Appliance
from servers import MariadbServer

ROWS = 150_000
TOTAL = "SELECT count(*), sum(points), min(name), max(name) FROM customer"


class Replica(Appliance):
    def setUp(self):
        super().setUp()
        self.primary, self.replica = MariadbServer(), MariadbServer()
        for number, server, options in ((11, self.primary, ()), (12, self.replica,
                                                                 ("--read-only",))):
            self.addCleanup(server.remove)
            server.start_as(number, *options)
        self.primary.let_copy()
        self.primary.sql("", "CREATE DATABASE maria CHARACTER SET utf8mb4 "
                         "COLLATE utf8mb4_nopad_bin",
                         "CREATE TABLE maria.customer (email varchar(60) PRIMARY KEY, "
                         "name varchar(40), points bigint)", "USE maria",
                         "INSERT INTO customer SELECT concat('k', seq), 'n', 0 FROM "
                         f"seq_1_to_{ROWS}")
        self.replica.sql("", "RESET MASTER")
        self.replica.follow(self.primary)
        self.init("office.db", self.primary.url("maria"))

    def name_replica(self, server):
        lines = [line for line in self.config().split("\n") if not line.startswith("replica")]
        at = lines.index(f'url  = "{self.primary.url("maria")}"') + 1
        lines.insert(at, f'replica = "{server.url("maria")}"')
        self.set_config("\n".join(lines))

    def totals(self):
        office = tuple(self.one(self.office, f"SELECT {part} FROM customer")
                       for part in ("count(*)", "sum(points)", "min(name)", "max(name)"))
        return office, self.primary.sql("maria", TOTAL)[0]

    def test_first_sync_from_a_replica_that_goes_away(self):
        """Users go on writing to the primary: nothing is lost, and it is said once."""
        self.name_replica(self.primary)
        self.assertIn("replicates from no server", self.call("doctor", expect=1).stdout)
        self.name_replica(self.replica)
        self.assertIn("from the replica", self.call("doctor").stdout)
        is_over = threading.Event()
        user = threading.Thread(target=self.write_until, args=(is_over,))
        user.start()
        try:
            self.launch("--log-level", "warning")
            self.wait(lambda: self.one(self.office, "SELECT count(*) FROM customer") > 0)
            self.call("pause", "maria")  # stops between two chunks
            self.assertNotIn("replica", self.log())
            marks = "SELECT count(*) FROM syncline_checkpoint WHERE `system` = 'maria/replica'"
            self.assertEqual(self.primary.sql("maria", marks), [(1,)])
            self.assertLess(self.one(self.office, "SELECT count(*) FROM customer"), ROWS)
            self.replica.stop("immediate")
            self.call("resume", "maria")
            self.wait(lambda: self.status()["state"] == "running")
        finally:
            is_over.set()
            user.join()
        self.primary.sql("maria", f"DELETE FROM customer WHERE email = 'k{ROWS}'")
        self.wait(lambda: self.totals()[0] == self.totals()[1])
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.log().count("the replica does not serve"), 1, self.log())

    def write_until(self, is_over):
        session = self.primary.connect("maria")
        with session.cursor() as cursor:
            number = 0
            while not is_over.is_set():
                number = (number + 517) % ROWS + 1
                cursor.execute("UPDATE customer SET points = points + 1, name = %s "
                               "WHERE email = %s", (f"n{number}", f"k{number}"))
                threading.Event().wait(0.001)
        session.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
