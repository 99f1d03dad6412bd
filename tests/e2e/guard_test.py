#!/usr/bin/env python3
"""The deletion guard: more deletes than a dataset's limit allows wait until somebody approves them.

    guard_test.py PATH/TO/syncline
"""
import unittest

import fixture

FILL = ("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        "INSERT INTO customer SELECT 'k' || i, 'x', i FROM n")
COUNT = "SELECT count(*) FROM customer"


class Guard(fixture.Appliance):
    def begin(self, count, limit=""):
        self.write(self.office, FILL.format(count=count))
        self.init()
        if limit:
            self.change_config("[datasets.customer]\n",
                               f"[datasets.customer]\ndeletes = {{ limit = {limit} }}\n")
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.wait_count(self.shop, count)

    def wait_count(self, path, count):
        self.wait(lambda: self.one(path, COUNT) == count)

    def wait_held(self, system="office"):
        self.wait(lambda: self.phase_of(system, "customer")["phase"] == "held")

    def expect_nothing_goes(self, count):
        """What comes behind the deletes is through, and they are not."""
        self.write(self.office, "INSERT INTO product VALUES ('p1', 'Pen')")
        self.wait(lambda: self.rows(self.shop, "product") == [("p1", "Pen")])
        self.assertEqual(self.one(self.shop, COUNT), count)

    def test_what_is_beyond_the_limit_waits_for_its_approval(self):
        self.begin(5000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 2000")
        self.wait_held()
        error = self.phase_of("office", "customer")["error"]
        for words in ("SYN-3010", "2,000 of 5,000", "'office'", "--approve-deletes customer",
                      "resync --system office --yes"):
            self.assertIn(words, error)
        self.assertIn('syncline_deletes_held{dataset="customer",system="office"} 2000',
                      self.metrics())
        self.expect_nothing_goes(5000)
        self.write(self.office, "UPDATE customer SET name = 'later' WHERE points = 2001")
        self.write(self.shop, "UPDATE customer SET name = 'there' WHERE points = 2002")
        self.refuse("resume", "customer", status=4, code="SYN-3010", says=["--approve-deletes"])
        self.kill()
        self.start()
        self.wait_held()
        self.assertEqual(self.one(self.shop, COUNT), 5000)
        self.call("resume", "--approve-deletes", "customer")
        self.wait_count(self.shop, 3000)
        self.expect_equal()
        self.assertEqual(self.one(self.office, "SELECT name FROM customer WHERE points = 2002"),
                         "there")
        self.assertEqual(self.one(self.shop, "SELECT name FROM customer WHERE points = 2001"),
                         "later")
        self.assertEqual(self.phase_of("office", "customer")["phase"], "live")
        self.refuse("resume", "--approve-deletes", "customer", status=2, code="SYN-1002")
        self.write(self.shop, "DELETE FROM customer WHERE points <= 2010")  # ours do not count
        self.wait_count(self.office, 2990)
        self.write(self.office, "DELETE FROM customer WHERE points <= 4500")
        self.wait_held()

    def test_an_approved_dataset_stays_paused_until_its_scan_has_ended(self):
        self.begin(3000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 1200")
        self.wait_held()
        self.call("pause", "office")  # so that the scan cannot begin
        self.call("resume", "--approve-deletes", "customer")
        self.assertEqual(self.phase_of("office", "customer")["phase"], "held")
        self.refuse("resume", "customer", status=4, code="SYN-3010", says=["scan"])
        self.refuse("verify", "--repair", "--settle", "0s", status=4, code="SYN-3010",
                    says=["scan"])
        self.call("resume", "--approve-deletes", "customer")  # again: nothing new
        self.kill()
        self.start()
        self.wait_count(self.shop, 1800)
        self.wait(lambda: self.phase_of("office", "customer")["phase"] == "live")
        self.expect_equal()

    def test_a_pause_of_the_users_outlasts_the_approval(self):
        self.begin(3000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 1200")
        self.wait_held()
        self.call("pause", "office")
        self.call("resume", "--approve-deletes", "customer")
        self.call("pause", "customer")
        self.call("resume", "office")
        self.wait(lambda: self.phase_of("office", "customer")["phase"] == "paused")
        self.assertEqual(self.one(self.shop, COUNT), 3000)
        self.call("resume", "customer")
        self.wait_count(self.shop, 1800)

    def test_a_repair_does_not_bring_back_what_waits_for_its_approval(self):
        self.begin(3000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 1200")
        self.wait_held()
        self.refuse("verify", "--repair", "--settle", "0s", status=4, code="SYN-3010",
                    says=["--approve-deletes customer"])
        self.assertEqual(self.one(self.office, COUNT), 1800)
        self.call("resume", "--approve-deletes", "customer")
        self.wait_count(self.shop, 1800)
        self.expect_equal()
        self.assertEqual(self.one(self.office, COUNT), 1800)

    def test_a_resync_brings_the_records_back(self):
        self.begin(3000)
        self.write(self.office, "DELETE FROM customer")
        self.wait_held()
        self.call("resync", "--system", "office", "--yes")
        self.wait_count(self.office, 3000)
        self.expect_equal()
        self.assertEqual(self.phase_of("office", "customer")["phase"], "live")

    def test_many_small_deletes_are_one_loss(self):
        self.begin(3000)
        for step in range(10):
            self.write(self.office, f"DELETE FROM customer WHERE points BETWEEN {step * 190 + 1} "
                       f"AND {step * 190 + 190}")
        self.wait_held()
        self.assertGreaterEqual(self.one(self.shop, COUNT), 2000)
        self.call("resume", "--approve-deletes", "customer")
        self.wait_count(self.shop, 1100)
        self.expect_equal()

    def test_a_restart_does_not_begin_to_count_anew(self):
        self.begin(3000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 900")
        self.wait_count(self.shop, 2100)
        self.stop()
        self.write(self.office, "DELETE FROM customer WHERE points <= 1200")
        self.start()
        self.wait_held()
        self.assertEqual(self.one(self.shop, COUNT), 2100)

    def test_records_that_are_replaced_are_no_loss(self):
        self.begin(3000)
        self.write(self.office, "BEGIN", "DELETE FROM customer",
                   FILL.format(count=3000).replace("'k'", "'new'"), "COMMIT")
        self.wait(lambda: self.one(self.shop, COUNT + " WHERE email LIKE 'new%'") == 3000)
        self.wait_count(self.shop, 3000)
        self.expect_equal()

    def test_the_limit_is_the_datasets_own(self):
        self.begin(100, limit="10")
        self.write(self.office, "DELETE FROM customer WHERE points <= 10")
        self.wait_count(self.shop, 90)
        self.write(self.office, "DELETE FROM customer WHERE points <= 11")
        self.wait_held()

    def test_it_may_be_off(self):
        self.begin(3000, limit='"off"')
        self.write(self.office, "DELETE FROM customer")
        self.wait_count(self.shop, 0)

    def test_a_limit_that_is_none_is_an_error(self):
        self.init()
        self.change_config("[datasets.customer]\n",
                           '[datasets.customer]\ndeletes = { limit = "ten" }\n')
        error = self.ask("check", expect=3)["errors"][0]
        self.assertEqual(error["code"], "SYN-2003")
        self.assertIn("deletes.limit", error["what"])
        self.assertIn("10%", error["fix"])

    def test_a_scan_is_guarded_too(self):
        self.write(self.office, FILL.format(count=3000))
        self.init()
        self.change_config('[datasets.customer.on.office]\n',
                           '[datasets.customer.on.office]\ncapture = "scan"\n')
        self.change_config('[datasets.product.on.office]\n',
                           '[datasets.product.on.office]\ncapture = "scan"\n')
        self.start()
        self.wait_count(self.shop, 3000)
        self.write(self.office, "DELETE FROM customer WHERE points <= 1500")
        self.wait_held()
        self.expect_nothing_goes(3000)
        self.call("resume", "--approve-deletes", "customer")
        self.wait_count(self.shop, 1500)
        self.expect_equal()


if __name__ == "__main__":
    unittest.main(verbosity=2)
