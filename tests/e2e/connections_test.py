#!/usr/bin/python3
"""Servers that are written through several connections at once lose nothing, whatever is killed,
and take what one connection would have had them take.

    connections_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import time
import unittest

from trio import OFFICE, SHOP, TILL, Trio

ROWS = 12000
TITLES = 900
KILLS = 4
CONNECTIONS = 4
# Titles are unique and never NULL, so records that pass them on stand in each other's way.
UNIQUE = {"office": [OFFICE[0], OFFICE[1].replace("title text", "title text NOT NULL UNIQUE")],
          "shop": [SHOP[0], SHOP[1].replace("title varchar(60)",
                                            "title varchar(60) NOT NULL UNIQUE")],
          "till": [TILL[0], TILL[1].replace("title TEXT", "title TEXT NOT NULL UNIQUE")]}


class Connections(Trio):
    def begin_with(self, count, **tables):
        self.make(**tables)
        path = self.path("syncline.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for system in (self.office, self.shop):
            head = f"[systems.{system}]\n"
            self.assertIn(head, text)
            text = text.replace(head, f"{head}write_connections = {count}\n")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.call("plan")
        self.start()
        self.wait(lambda: self.status()["state"] == "running")

    def connections(self, system):
        return self.status_of(system)["delivery"]["connections"]

    def insert_many(self, system, count):
        rows = ", ".join(f"('{system}-{number}@x', 'new', {number})" for number in range(count))
        self.do(system, f"INSERT INTO customer (email, name, points) VALUES {rows}")

    def written(self, system):
        return self.do(system, "SELECT count(*) FROM customer")[0][0]

    def test_backlogs_on_both_sides_and_kills(self):
        self.begin_with(CONNECTIONS)
        for system in (self.office, self.shop):
            self.assertEqual(self.connections(system), CONNECTIONS)
        sessions = self.office_server.sql(
            "postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ "
                        f"'^syncline_.*{self.office}/(target|w)'")
        self.assertEqual(sessions[0][0], CONNECTIONS)
        self.call("pause")
        for system in (self.office, self.shop):
            self.insert_many(system, ROWS)
        self.call("resume")
        for step in range(1, KILLS + 1):
            self.wait(lambda: min(map(self.written, (self.office, self.shop)))
                      >= ROWS + ROWS * step // (KILLS + 2))
            self.kill()
            for system in (self.office, self.shop):
                self.do(system, f"UPDATE customer SET name = 'kill {step} by {system}' WHERE "
                                f"points % {KILLS + 1} = {step}")
            self.start()
        self.expect_all_equal()
        self.assertEqual(self.written(self.till), 2 * ROWS)
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_unique_values_that_many_records_pass_on(self):
        self.begin_with(CONNECTIONS, **UNIQUE)
        rows = ", ".join(f"('p{number}', 'title {number}')" for number in range(TITLES))
        self.do(self.office, f"INSERT INTO product VALUES {rows}")
        self.expect_all_equal()
        self.call("pause")
        # Each takes the title of the next but one; in between none has one that another needs.
        self.do(self.office, "UPDATE product SET title = 'moving ' || title",
                "UPDATE product SET title = 'title ' || "
                f"(substr(sku, 2)::int + 2) % {TITLES}")
        self.call("resume")
        self.expect_all_equal()
        self.assertEqual(self.ask("quarantine", "list"), [])
        titles = self.do(self.shop, "SELECT title FROM product WHERE sku = 'p7'")
        self.assertEqual(titles[0][0], "title 9")

    def test_a_server_that_gives_fewer_connections(self):
        self.office_server.sql("postgres", "ALTER ROLE keeper CONNECTION LIMIT 6")
        self.addCleanup(self.office_server.sql, "postgres",
                        "ALTER ROLE keeper CONNECTION LIMIT -1")
        self.begin_with(16)
        self.assertLess(self.connections(self.office), 16)
        self.assertEqual(self.connections(self.shop), 16)
        self.insert_many(self.shop, ROWS)
        begun = time.monotonic()
        self.expect_all_equal()
        self.assertLess(time.monotonic() - begun, 60)
        self.expect_no_error(self.office)


if __name__ == "__main__":
    unittest.main(verbosity=2)
