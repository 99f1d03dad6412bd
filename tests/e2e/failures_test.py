#!/usr/bin/python3
"""What other programs of this kind were seen to get wrong, on three real systems: docs/failures.md
has the whole list with the test for each; here are those that show only from end to end.

    failures_test.py PATH/TO/syncline
"""
import json
import time
import unittest

from trio import OFFICE, SHOP, TILL, Trio

CONFLICTS = 10_000
CONFLICTS_SECONDS = 60


class OfOthers(Trio):
    def customer(self, system, key):
        return next((row for row in self.rows_of(system, "customer") if row[0] == key), None)

    def wait_for(self, key, *cells):
        """In all three."""
        wanted = (key, *cells) if cells else None
        for system in self.systems:
            self.wait(lambda: self.customer(system, key) == wanted)

    def in_one_transaction(self, system, *statements):
        self.do(system, "BEGIN", *statements, "COMMIT")

    def test_changes_of_one_record_in_one_batch_lose_no_column_and_no_delete(self):
        """While nothing goes out they wait together, and go out as one."""
        self.begin()
        for way, together in (("transaction", True), ("batch", False)):
            for system in self.systems:
                with self.subTest(way=way, system=system):
                    kept, gone = f"kept-{way}-{system}@x", f"gone-{way}-{system}@x"
                    again = f"again-{way}-{system}@x"
                    statements = (
                        f"INSERT INTO customer VALUES ('{kept}', 'Ann', 1)",
                        f"UPDATE customer SET points = 2 WHERE email = '{kept}'",
                        f"INSERT INTO customer VALUES ('{gone}', 'Bob', 1)",
                        f"UPDATE customer SET points = 2 WHERE email = '{gone}'",
                        f"DELETE FROM customer WHERE email = '{gone}'",
                        f"INSERT INTO customer VALUES ('{again}', 'Cy', 1)",
                        f"DELETE FROM customer WHERE email = '{again}'",
                        f"INSERT INTO customer VALUES ('{again}', 'Di', NULL)")
                    self.call("pause", "customer")
                    if together:
                        self.in_one_transaction(system, *statements)
                    else:
                        self.do(system, *statements)
                    self.see_that_all_goes_on("product")
                    self.call("resume", "customer")
                    self.wait_for(kept, "Ann", 2)
                    self.wait_for(again, "Di", None)
                    self.wait_for(gone)
        self.expect_all_equal()

    def test_edits_of_two_fields_of_one_record_both_stand(self):
        self.begin()
        key = self.insert(self.till, "customer", name="Ann", points=1)
        self.wait_for(key, "Ann", 1)
        self.call("pause", "customer")
        self.do(self.office, f"UPDATE customer SET name = 'Anna' WHERE email = '{key}'")
        self.do(self.shop, f"UPDATE customer SET points = 7 WHERE email = '{key}'")
        self.see_that_all_goes_on("product")
        self.call("resume", "customer")
        self.wait_for(key, "Anna", 7)
        self.assertEqual(self.ask("conflicts", "list"), [])

    def test_one_bad_record_stops_nothing(self):
        self.begin(office=(OFFICE[0][:-1] + ", CHECK (points < 100))", OFFICE[1]))
        self.do(self.till, *(f"INSERT INTO customer VALUES ('n{number}@x', 'n', {number})"
                             for number in range(90, 110)))
        self.wait(lambda: len(self.ask("quarantine", "list")) == 10)
        self.wait(lambda: len([row for row in self.rows_of(self.shop, "customer")
                               if row[1] == "n"]) == 20)
        self.see_that_all_goes_on("customer", "product")
        self.assertEqual(len([row for row in self.rows_of(self.office, "customer")
                              if row[1] == "n"]), 10)
        told = self.ask("quarantine", "list")[0]
        self.assertIn("customer", json.dumps(told))
        self.do(self.office, "ALTER TABLE customer DROP CONSTRAINT customer_points_check")
        for item in self.ask("quarantine", "list"):
            self.call("quarantine", "retry", item["id"])
        self.expect_all_equal()
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_two_records_that_claim_one_unique_value(self):
        unique = ", UNIQUE (name))"
        self.begin(office=(OFFICE[0][:-1] + unique, OFFICE[1]),
                   shop=(SHOP[0].replace("varchar(4000)", "varchar(60)")[:-1] + unique, SHOP[1]),
                   till=(TILL[0][:-1] + unique, TILL[1]))
        self.call("pause", "customer")
        self.insert(self.office, "customer", "one@x", name="Ann", points=1)
        self.insert(self.shop, "customer", "two@x", name="Ann", points=2)
        self.see_that_all_goes_on("product")
        self.call("resume", "customer")
        self.wait(lambda: len(self.ask("quarantine", "list")) >= 2)
        self.assertEqual(self.customer(self.office, "one@x"), ("one@x", "Ann", 1))
        self.assertEqual(self.customer(self.shop, "two@x"), ("two@x", "Ann", 2))
        self.assertIsNone(self.customer(self.office, "two@x"))
        self.assertIsNone(self.customer(self.shop, "one@x"))
        self.see_that_all_goes_on("customer", "product")

    def test_numbers_and_dates_are_what_they_were_or_are_said(self):
        """tinyint(1) is a number, an unsigned number beyond bigint is told, not turned negative, a
        zero date is no 1970, and wall clocks stay through sessions of another time zone."""
        office = ("CREATE TABLE customer (email text PRIMARY KEY, name text, points int, small "
                  "smallint, large bigint, born date, seen timestamp(0), at timestamptz(0))",
                  OFFICE[1])
        shop = ("CREATE TABLE customer (email varchar(60) PRIMARY KEY, name varchar(40), points "
                "int, small tinyint(1), large bigint unsigned, born date, seen datetime, at "
                "timestamp NULL)", SHOP[1])
        till = ("CREATE TABLE customer (email TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, name TEXT, "
                "points INTEGER, small INTEGER, large INTEGER, born TEXT, seen TEXT, at TEXT)",
                TILL[1])
        self.begin(office=office, shop=shop, till=till)
        largest = 2**63 - 1
        self.do(self.shop, "SET SESSION sql_mode = ''", "SET SESSION time_zone = '+05:30'",
                "INSERT INTO customer VALUES "
                f"('ann@x', 'Ann', 1, 5, {largest}, '2026-03-29', '2026-03-29 02:30:00', "
                "'2026-03-29 07:30:00'), ('zero@x', 'Zero', 1, 1, 1, '0000-00-00', NULL, NULL), "
                f"('beyond@x', 'Beyond', 1, 1, {largest + 1}, NULL, NULL, NULL)")
        self.wait(lambda: self.customer(self.office, "ann@x") is not None)
        self.assertEqual(self.do(self.office, "SELECT small, large::text, born::text, seen::text, "
                                              "at::text FROM customer WHERE email = 'ann@x'"),
                         [(5, str(largest), "2026-03-29", "2026-03-29 02:30:00",
                           "2026-03-29 02:00:00+00")])
        self.wait(lambda: len(self.ask("quarantine", "list")) == 2)
        told = json.dumps(self.ask("quarantine", "list"))
        for key in ("zero@x", "beyond@x"):
            self.assertIn(key, told)
            self.assertIsNone(self.customer(self.office, key))
            self.assertIsNone(self.customer(self.till, key))

    def test_ten_thousand_conflicts_take_no_minutes(self):
        self.begin()
        self.in_one_transaction(self.till, *(
            f"INSERT INTO customer VALUES ('c{number}@x', 'c', {number})"
            for number in range(CONFLICTS)))
        count = "SELECT count(*) FROM customer WHERE name = 'c'"
        for system in (self.office, self.shop):
            self.wait(lambda: self.do(system, count)[0][0] == CONFLICTS)
        self.call("pause")
        for system in self.systems:
            self.do(system, f"UPDATE customer SET name = 'by {system}' WHERE name = 'c'")
        begun = time.monotonic()
        self.call("resume")
        for system in self.systems:
            self.wait(lambda: all(row[1] != "c" for row in self.rows_of(system, "customer")))
        self.wait(lambda: self.rows_of(self.office, "customer") == self.rows_of(
            self.shop, "customer") == self.rows_of(self.till, "customer"), CONFLICTS_SECONDS)
        self.assertLess(time.monotonic() - begun, CONFLICTS_SECONDS)
        self.expect_all_equal()
        self.assertGreaterEqual(self.status()["conflicts_total"], CONFLICTS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
