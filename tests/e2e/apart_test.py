#!/usr/bin/env python3
"""What is wrong with one system, or with one dataset, holds up no other.

    apart_test.py PATH/TO/syncline
"""
import os
import unittest

import fixture

CONFIG = f"""
[appliance]
name = "here"
data = "syncline-data"
engine = "{fixture.ENGINE}"

[systems.office]
kind = "sqlite"
url = "office.db"
[systems.shop]
kind = "sqlite"
url = "shop.db"
[systems.depot]
kind = "sqlite"
url = "depot.db"

[datasets.customer]
key = ["email"]
first = "office"
[datasets.customer.on.office]
table = "customer"
[datasets.customer.on.shop]
table = "customer"
[datasets.customer.on.depot]
table = "customer"

[datasets.product]
key = ["sku"]
first = "office"
[datasets.product.on.office]
table = "product"
[datasets.product.on.depot]
table = "product"
"""


class Apart(fixture.Appliance):
    def setUp(self):
        super().setUp()
        self.depot = self.path("depot.db")
        self.write(self.depot, "PRAGMA journal_mode = WAL", *fixture.TABLES)
        self.set_config(CONFIG)

    def move(self, database, before="", after="away-"):
        for ending in ("-shm", "-wal", "") if after == "" else ("", "-wal", "-shm"):
            if os.path.exists(self.path(before + database + ending)):
                os.rename(self.path(before + database + ending),
                          self.path(after + database + ending))

    def add(self, path, email, points=1):
        self.write(path, f"INSERT INTO customer VALUES ('{email}', 'somebody', {points})")

    def wait_rows(self, path, count, table="customer"):
        self.wait(lambda: len(self.rows(path, table)) == count)

    def wait_running(self):
        self.wait(lambda: self.status()["state"] == "running")


class Away(Apart):
    def test_a_system_that_is_away_at_the_start_is_waited_for_alone(self):
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        self.stop()
        self.move("shop.db")
        self.add(self.depot, "bob@x")
        self.start()
        self.wait_rows(self.office, 2)
        self.add(self.office, "cid@x")
        self.wait_rows(self.depot, 3)
        shop = self.status_of("shop")
        self.assertEqual(shop["state"], "retrying")
        self.assertIn("SYN-3001", shop["error"])
        self.assertEqual(self.log().count("shop: SYN-3001"), 1, self.log())
        self.move("shop.db", "away-", "")
        self.add(self.shop, "dan@x")
        self.wait_rows(self.office, 4)
        self.expect_equal()
        self.wait(lambda: self.status_of("shop")["state"] == "running")
        self.assertEqual(self.rows(self.depot), self.rows(self.office))

    def test_one_that_was_never_seen_is_synced_when_it_comes(self):
        self.move("shop.db")
        self.add(self.office, "ann@x")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.start()
        self.wait_rows(self.depot, 1, "product")
        status = self.status()
        self.assertEqual([held["name"] for held in status["held"]], ["customer"])
        self.assertIn("shop.db", status["held"][0]["error"])
        self.assertIn("customer waits: SYN-3001", self.call("status").stdout)
        self.assertEqual(self.rows(self.depot), [])
        self.move("shop.db", "away-", "")
        self.add(self.shop, "bob@x")
        self.wait_rows(self.depot, 2)
        self.expect_equal()
        self.assertEqual(self.status()["held"], [])

    def test_a_first_sync_that_was_cut_off_goes_on_without_the_system_that_left(self):
        for number in range(300):
            self.add(self.shop, f"shop{number}@x")
        self.start()
        self.wait(lambda: self.status_of("shop")["rows_captured_total"] > 0)
        self.kill()
        self.move("shop.db")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.start()
        self.wait_rows(self.depot, 1, "product")
        self.move("shop.db", "away-", "")
        self.wait_rows(self.office, 300)
        self.expect_equal()

    def test_what_was_held_of_the_journal_is_delivered_to_one_that_comes_late(self):
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        self.stop()
        self.move("shop.db")
        for _ in range(2):  # its cursor stays where it was, over checkpoints and restarts
            self.start()
            self.add(self.office, f"{len(self.rows(self.office))}@x")
            self.wait_rows(self.depot, len(self.rows(self.office)))
            self.stop()
        self.move("shop.db", "away-", "")
        self.start()
        self.wait_rows(self.shop, 3)
        self.expect_equal()


class SaidNothing(Apart):
    def test_changes_that_say_nothing_new_are_not_asked_for_again_after_a_kill(self):
        """What was acknowledged is gone from the system's log."""
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        count = self.status_of("office")["rows_captured_total"]
        for step in range(1, 4):
            self.write(self.office, "UPDATE customer SET name = name")
            self.wait(lambda step=step: self.status_of("office")["rows_captured_total"]
                      == count + step)
        self.wait(lambda: self.one(self.office, "SELECT count(*) FROM syncline_changes") <= 1)
        self.kill()
        self.start()
        self.add(self.office, "bob@x")
        self.wait_rows(self.shop, 2)
        self.assertEqual(self.status_of("office")["state"], "running")


class Refused(Apart):
    def test_a_table_that_went_while_nothing_ran_stops_its_dataset_alone(self):
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        self.stop()
        self.write(self.shop, "ALTER TABLE customer RENAME TO gone")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.add(self.office, "bob@x")
        self.start()
        self.wait_rows(self.depot, 1, "product")
        self.wait(lambda: self.phase_of("shop", "customer")["phase"] == "stopped")
        self.assertIn("customer", self.phase_of("shop", "customer")["error"])
        self.wait_rows(self.depot, 2)
        self.write(self.shop, "ALTER TABLE gone RENAME TO customer")
        self.wait_rows(self.shop, 2)
        self.expect_equal()

    def test_a_column_that_went_while_nothing_ran_stops_its_dataset_alone(self):
        self.add(self.office, "ann@x", points=7)
        self.start()
        self.wait_rows(self.shop, 1)
        self.stop()
        self.write(self.shop, "ALTER TABLE customer DROP COLUMN points")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.start()
        self.wait_rows(self.depot, 1, "product")
        self.wait(lambda: self.phase_of("shop", "customer")["phase"] == "stopped")
        self.assertEqual(self.rows(self.depot), [("ann@x", "somebody", 7)])

    def test_a_dataset_that_is_refused_at_a_later_start_is_held_until_it_fits(self):
        self.set_config(CONFIG.split("[datasets.product]")[0])
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        self.stop()
        self.write(self.depot, "DROP TABLE product")
        self.set_config(CONFIG)
        self.start()
        self.add(self.office, "bob@x")
        self.wait_rows(self.shop, 2)
        self.assertIn("product", self.status()["held"][0]["error"])
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.write(self.depot, fixture.TABLES[1])
        self.wait_rows(self.depot, 1, "product")

    def begin_without_depot(self):
        """The customers are synced without the depot, which then joins them by the config."""
        joins = '[datasets.customer.on.depot]\ntable = "customer"\n'
        self.assertIn(joins, CONFIG)
        self.set_config(CONFIG.replace(joins, ""))
        self.add(self.office, "ann@x")
        self.start()
        self.wait_rows(self.shop, 1)
        self.wait_running()

    def test_a_synced_dataset_is_not_held_at_a_start_for_a_system_that_joins_it(self):
        self.begin_without_depot()
        self.stop()
        self.move("depot.db")
        self.add(self.office, "bob@x")
        without = self.config()
        self.set_config(CONFIG)
        self.refuse("run", status=4, code="SYN-3001",
                    says=["'customer' has been synced", "depot.db", "[datasets.customer]"])
        self.set_config(without)
        self.start()
        self.wait_rows(self.shop, 2)
        self.stop()
        self.move("depot.db", "away-", "")
        self.set_config(CONFIG)
        self.start()
        self.wait_rows(self.depot, 2)
        self.expect_equal()

    def test_a_synced_dataset_is_not_held_by_a_reload(self):
        self.begin_without_depot()
        self.set_config(CONFIG.replace('[datasets.customer.on.depot]\ntable = "customer"',
                                       '[datasets.customer.on.depot]\ntable = "customre"'))
        for arguments in (("reload",), ("reload", "--yes"),
                          ("resync", "--system", "shop", "--yes")):
            self.refuse(*arguments, status=4, code="SYN-3003",
                        says=["'customer' has been synced", "customre"])
        self.add(self.office, "bob@x")
        self.wait_rows(self.shop, 2)
        self.assertEqual(self.status()["held"], [])
        self.set_config(CONFIG)
        self.call("reload", "--yes")
        self.wait_rows(self.depot, 2)
        self.expect_equal()

    def test_a_table_that_cannot_be_read_at_its_first_sync_holds_up_no_other(self):
        before = '[datasets.customer.on.depot]\ntable = "customer"\n'
        self.assertIn(before, CONFIG)
        self.set_config(CONFIG.replace(before, before + 'where = "abs(points) >= 0"\n'))
        self.add(self.depot, "low@x", -2**63)  # of which there is no absolute value
        self.add(self.depot, "old@x")
        self.add(self.office, "ann@x")
        self.write(self.depot, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.start()
        self.wait(lambda: self.phase_of("depot", "customer")["phase"] == "stopped")
        self.assertIn("overflow", self.phase_of("depot", "customer")["error"])
        self.wait_rows(self.office, 1, "product")
        self.wait_rows(self.shop, 1)
        self.write(self.depot, "INSERT INTO product VALUES ('p2', 'Ink')")  # its log is read
        self.add(self.shop, "bob@x")
        self.wait_rows(self.office, 2, "product")
        self.wait_rows(self.office, 2)
        self.assertEqual(self.log().count("overflow"), 1, self.log())
        self.write(self.depot, "UPDATE customer SET name = 'new' WHERE email = 'old@x'")
        self.kill()
        self.start()
        self.write(self.depot, "DELETE FROM customer WHERE email = 'low@x'")
        self.wait_rows(self.office, 3)
        self.expect_equal()
        self.assertEqual(self.rows(self.depot), self.rows(self.office))
        self.assertEqual(self.phase_of("depot", "customer")["phase"], "live")

    def test_a_row_filter_that_cannot_be_asked_stops_its_dataset_alone(self):
        before = '[datasets.customer.on.depot]\ntable = "customer"\n'
        self.set_config(CONFIG.replace(before, before + 'where = "region = 1"\n'))
        self.start()
        self.wait(lambda: self.phase_of("depot", "customer")["phase"] == "stopped")
        self.assertIn("`where` is region = 1", self.phase_of("depot", "customer")["error"])
        self.add(self.office, "ann@x")
        self.wait_rows(self.shop, 1)
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.wait_rows(self.depot, 1, "product")
        self.write(self.depot, "UPDATE product SET title = 'Ink'")
        self.wait(lambda: self.rows(self.office, "product") == [("p1", "Ink")])
        self.write(self.depot, "ALTER TABLE customer ADD COLUMN region INTEGER DEFAULT 1")
        self.wait_rows(self.depot, 1)

    def test_a_table_that_cannot_be_written_holds_back_its_dataset_alone(self):
        self.start()
        self.wait_running()
        self.write(self.depot, "ALTER TABLE customer RENAME TO gone")
        self.add(self.office, "ann@x")
        self.wait(lambda: self.phase_of("depot", "customer")["phase"] == "stopped")
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.wait_rows(self.depot, 1, "product")
        self.wait_rows(self.shop, 1)
        self.assertEqual(self.phase_of("depot", "product")["phase"], "live")
        self.write(self.depot, "ALTER TABLE gone RENAME TO customer")
        self.wait_rows(self.depot, 1)
        self.wait(lambda: self.phase_of("depot", "customer")["phase"] == "live")
        self.expect_equal()

    def test_a_dataset_that_waits_for_long_leaves_room_for_the_others(self):
        """More waits than is read ahead of a target."""
        self.start()
        self.wait_running()
        self.call("pause", "customer")
        self.write(self.office, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n "
                   "WHERE i < 70000) INSERT INTO customer SELECT 'k' || i, 'x', i FROM n")
        self.wait(lambda: self.status_of("office")["rows_captured_total"] >= 70000)
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.wait_rows(self.depot, 1, "product")
        self.write(self.office, "UPDATE customer SET name = 'y' WHERE points > 69990")
        self.assertEqual(self.rows(self.depot), [])
        self.call("resume", "customer")
        self.wait(lambda: self.one(self.depot, "SELECT count(*) FROM customer "
                                   "WHERE name = 'y'") == 10)
        self.wait_rows(self.shop, 70000)
        self.expect_equal()

    def test_at_the_first_start_every_mistake_is_told_and_nothing_begins(self):
        self.write(self.depot, "DROP TABLE product")
        self.refuse("run", status=4, code="SYN-3003", says=["product"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
