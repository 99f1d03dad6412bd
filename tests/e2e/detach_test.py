#!/usr/bin/python3
"""One system is given up, or started anew, whatever has become of the others and of its own tables.

    detach_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import contextlib
import os
import unittest

from trio import Trio

OURS = {
    "office": ("SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = "
               "current_database() UNION SELECT 'publication ' || pubname FROM pg_publication "
               "UNION SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ 'syncline' "
               "UNION SELECT 'origin ' || roname FROM pg_replication_origin"),
    "shop": ("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
             "TABLE_NAME LIKE '%syncline%' UNION SELECT TRIGGER_NAME FROM "
             "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"),
    "till": "SELECT name FROM sqlite_master WHERE name LIKE '%syncline%'",
}


class OneSystemAlone(Trio):
    def ours_in(self, system):
        return {name for (name,) in self.do(system, OURS[system.rstrip("0123456789")])}

    @contextlib.contextmanager
    def away(self, *systems):
        servers = [server for system, server in ((self.office, self.office_server),
                                                 (self.shop, self.shop_server))
                   if system in systems]
        files = [self.path("till.db")] if self.till in systems else []
        for server in servers:
            server.stop()
        for path in files:
            os.rename(path, path + ".away")
        try:
            yield
        finally:
            for server in servers:
                server.start()
            for path in files:
                os.rename(path + ".away", path)

    def detach_alone(self, system):
        """The others are gone, their passwords are not known, and a synced table was dropped."""
        self.begin()
        self.stop()
        others = [other for other in self.systems if other != system]
        self.do(system, "DROP TABLE product")
        self.assertGreater(len(self.ours_in(system)), 0)
        with self.away(*others):
            for other in others:
                os.environ.pop(other.upper() + "_PASSWORD", None)
            removed = self.ask("detach", "--system", system, "--yes")["removed"]
        self.assertGreater(len(removed), 0)
        self.assertEqual(self.ours_in(system), set())
        self.assertGreater(len(self.rows_of(system, "customer")), 0)
        for other in others:
            self.assertGreater(len(self.ours_in(other)), 0)

    def test_postgresql_is_detached(self):
        self.detach_alone(self.office)

    def test_mariadb_is_detached(self):
        self.detach_alone(self.shop)

    def test_sqlite_is_detached(self):
        self.detach_alone(self.till)

    def test_a_resync_of_one_while_the_others_are_away(self):
        """Asked for while nothing runs; it is done when all are there again."""
        self.begin()
        self.stop()
        self.insert(self.office, "customer", "ann@x", points=1)
        slot = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database"
        self.do(self.office, f"{slot} = '{self.office}'")
        with self.away(self.shop, self.till):
            self.call("resync", "--system", self.office, "--yes")
        self.start()
        self.expect_all_equal()
        self.assertIn("ann@x", [row[0] for row in self.rows_of(self.till, "customer")])

    def test_a_resync_of_one_while_a_table_of_another_is_gone(self):
        self.begin()
        self.stop()
        self.do(self.shop, "DROP TABLE product")
        self.insert(self.office, "customer", "ann@x", points=1)
        self.call("resync", "--system", self.office, "--yes")
        self.start()
        self.wait(lambda: self.rows_of(self.office, "customer") == self.rows_of(
            self.shop, "customer") == self.rows_of(self.till, "customer"))
        self.see_that_all_goes_on("product", among=(self.office, self.till))

    def test_no_resync_where_a_synced_dataset_would_be_held(self):
        """What is changed of it meanwhile would be passed over."""
        self.begin()
        self.stop()
        self.change_config("[datasets.customer.on.till]",
                           '[datasets.customer.on.tent]\ntable = "customer"\n\n'
                           "[datasets.customer.on.till]")
        self.change_config("[datasets]", f'[systems.tent]\nkind = "sqlite"\nurl = '
                           f'"{self.path("tent.db")}"\n\n[datasets]')
        self.refuse("resync", "--system", self.office, "--yes", status=4, code="SYN-3001",
                    says=["dataset 'customer' has been synced here"])

    def test_a_dataset_that_is_put_back_behind_a_resync_is_not_passed_over(self):
        self.begin()
        self.stop()
        whole = self.config()
        at = whole.index("[datasets.product]")
        end = whole.find("[datasets.customer]", at)
        self.set_config(whole[:at] + (whole[end:] if end > 0 else ""))
        key = self.insert(self.office, "product")
        self.call("resync", "--system", self.office, "--yes")
        self.set_config(whole)
        self.start()
        self.wait(lambda: self.status_of(self.office)["state"] == "stopped")
        self.call("resync", "--system", self.office, "--yes")
        self.wait(lambda: any(row[0] == key for row in self.rows_of(self.till, "product")))
        self.expect_all_equal()


if __name__ == "__main__":
    unittest.main(verbosity=2)
