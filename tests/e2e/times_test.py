#!/usr/bin/python3
"""Who wrote last, between PostgreSQL, whose log tells microseconds, and MariaDB, whose log tells
seconds: inside of one second too.

    times_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import itertools
import threading
import time
import unittest

from trio import Trio

TRIES = 20
EARLIER_SECONDS = 10


class Times(Trio):
    def setUp(self):
        super().setUp()
        self.begin()
        self.keys = (f"k{number}" for number in itertools.count())

    def rename(self, system, key, *before):
        self.do(system, *before, f"UPDATE customer SET name = 'of {system}' WHERE email = '{key}'")

    def write_both(self, *writes):
        """A record that all have, written by two that are not shown what the other wrote."""
        key = self.insert(self.till, "customer", next(self.keys), name="of nobody")
        for system in (self.office, self.shop):
            self.wait(lambda: (key, "of nobody", None) in self.rows_of(system, "customer"))
        self.call("pause", "customer")
        for write in writes:
            write(key)
        self.call("resume", "customer")
        return key

    def write_within_a_second(self, first, then):
        """Late in it, so that its begin is well behind, and both are in it."""
        seconds = []

        def begin(key):
            self.wait(lambda: 0.3 < time.time() % 1 < 0.6)
            seconds.append(int(time.time()))
            first(key)

        def end(key):
            then(key)
            seconds.append(int(time.time()))

        for _ in range(TRIES):
            del seconds[:]
            key = self.write_both(begin, end)
            if seconds[0] == seconds[1]:
                return key
        return self.fail("no two writes were in one second")

    def arrive(self, write):
        """It is written, and accepted by the appliance."""
        def written(key):
            before = self.status()["entries_total"]
            write(key)
            self.wait(lambda: self.status()["entries_total"] > before)
        return written

    def by_office(self, key):
        self.rename(self.office, key)

    def by_shop(self, key):
        self.rename(self.shop, key)

    def expect_winner(self, system, key):
        for one in self.systems:
            self.wait(lambda: (key, f"of {system}", None) in self.rows_of(one, "customer"))
        shown = [one for one in self.ask("conflicts", "list") if one["key"] == f"email={key}"]
        self.assertEqual(len(shown), 1, self.ask("conflicts", "list"))

    def test_the_last_writer_of_a_second_wins_though_its_log_tells_only_the_second(self):
        key = self.write_within_a_second(self.arrive(self.by_office), self.by_shop)
        self.expect_winner(self.shop, key)

    def test_who_writes_behind_what_came_from_a_coarse_log_wins(self):
        key = self.write_within_a_second(self.arrive(self.by_shop), self.by_office)
        self.expect_winner(self.office, key)

    def test_what_a_coarse_log_tells_late_is_as_old_as_its_second(self):
        stamp = f"SET timestamp = {int(time.time()) - EARLIER_SECONDS}"
        key = self.write_both(self.arrive(self.by_office),
                              lambda key: self.rename(self.shop, key, stamp))
        self.expect_winner(self.office, key)


if __name__ == "__main__":
    unittest.main(verbosity=2)
