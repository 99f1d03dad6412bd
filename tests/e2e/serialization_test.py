#!/usr/bin/python3
"""PostgreSQL that ends transactions of ours for the sake of others', and one whose own transactions
are serializable: each is tried again, and nothing is lost.

    serialization_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import threading
import unittest

import psycopg2

from trio import Trio

FAILURES = 6   # of each kind, one after the other
KEYS = 5
CHANGES = 150  # by each writer

# As where a check that somebody wrote looks at what others change. A sequence goes on where the
# transaction that asked it is rolled back.
DOUBTS = (
    f"CREATE SEQUENCE tries MAXVALUE 1000000000 START {2 * FAILURES + 1}",
    "CREATE TABLE seen (isolation text)",
    "CREATE FUNCTION doubt() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ "
    "DECLARE try bigint; BEGIN IF session_user <> 'keeper' THEN RETURN NEW; END IF; "
    "INSERT INTO seen VALUES (current_setting('transaction_isolation')); try := nextval('tries'); "
    f"IF try <= {2 * FAILURES} THEN RAISE EXCEPTION 'it cannot go on' USING ERRCODE = "
    "CASE try % 2 WHEN 0 THEN 'serialization_failure' ELSE 'deadlock_detected' END; END IF; "
    "RETURN NEW; END $$",
    "CREATE TRIGGER doubt BEFORE INSERT OR UPDATE ON customer FOR EACH ROW "
    "EXECUTE FUNCTION doubt()")


class Serialization(Trio):
    def begin_in_doubt(self):
        self.make()
        head = f"[datasets.customer.on.{self.office}]\n"
        self.change_config(head, head + 'triggers = "fire"\n')
        self.do(self.office, *DOUBTS)
        for isolation in (f"DATABASE {self.office}", "ROLE keeper"):
            self.do(self.office, f"ALTER {isolation} SET default_transaction_isolation = "
                                 "'serializable'")
        self.addCleanup(self.office_server.sql, "postgres", "ALTER ROLE keeper RESET ALL")
        self.run_it()

    def fail_from_now_on(self):
        self.do(self.office, "SELECT setval('tries', 1, false)")

    def has_failed(self):
        """As often as it does."""
        return self.do(self.office, "SELECT last_value FROM tries")[0][0] > 2 * FAILURES

    def expect_nothing_lost(self):
        self.expect_all_equal()
        self.assertEqual(self.ask("quarantine", "list"), [])
        self.expect_no_error(self.office)

    def test_a_write_that_the_server_ends_for_others_is_tried_until_it_stands(self):
        self.begin_in_doubt()
        retries = self.status_of(self.office)["delivery"]["retries_total"]
        self.fail_from_now_on()
        key = self.insert(self.till, "customer", name="Ann", points=1)
        self.see_that_all_goes_on("product")
        self.wait(lambda: (key, "Ann", 1) in self.rows_of(self.office, "customer"))
        self.assertTrue(self.has_failed())
        self.assertGreaterEqual(
            self.status_of(self.office)["delivery"]["retries_total"], retries + 2 * FAILURES)
        self.expect_nothing_lost()

    def count_up(self):
        """A user of the office reads, thinks and writes, and tries again what is ended."""
        user = self.office_server.connect(self.office)
        cursor = user.cursor()
        for number in range(CHANGES):
            key = f"k{number % KEYS}"
            is_done = False
            while not is_done:
                try:
                    cursor.execute("BEGIN")
                    cursor.execute(f"SELECT points FROM customer WHERE email = '{key}'")
                    points = cursor.fetchone()[0] + 1
                    cursor.execute(f"UPDATE customer SET points = {points} WHERE email = '{key}'")
                    cursor.execute("COMMIT")
                    is_done = True
                except psycopg2.errors.SerializationFailure:
                    cursor.execute("ROLLBACK")
        user.close()

    def rename(self):
        for number in range(CHANGES):
            self.do(self.till, f"UPDATE customer SET name = 'n{number}' "
                               f"WHERE email = 'k{number % KEYS}'")
            if number % (CHANGES // 3) == 0:
                self.fail_from_now_on()

    def test_beside_users_whose_transactions_are_serializable(self):
        """Who counts up meets no earlier count, though others change the same records."""
        self.begin_in_doubt()
        for number in range(KEYS):
            self.insert(self.till, "customer", f"k{number}", name="new", points=0)
        self.wait(lambda: len(self.rows_of(self.office, "customer")) ==
                  len(self.rows_of(self.till, "customer")))
        users = [threading.Thread(target=user) for user in (self.count_up, self.rename)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        self.expect_nothing_lost()
        self.assertTrue(self.has_failed())
        last = range(CHANGES - KEYS, CHANGES)
        self.assertEqual([row for row in self.rows_of(self.shop, "customer") if row[0][0] == "k"],
                         [(f"k{number % KEYS}", f"n{number}", CHANGES // KEYS) for number in last])
        self.assertEqual(self.do(self.office, "SELECT DISTINCT isolation FROM seen"),
                         [("read committed",)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
