#!/usr/bin/python3
"""A record whose key changes is the same row everywhere, with all that is not synced.

    moved_keys_test.py PATH/TO/syncline

Needs psycopg2 and pymysql, so it runs under the Python that Debian packages them for.
"""
import threading
import unittest

from trio import OFFICE, SHOP, TILL, Trio

ROWS = 40


class MovedKeys(Trio):
    def setUp(self):
        super().setUp()
        self.make(
            office=(*OFFICE, "CREATE TABLE article (code text PRIMARY KEY, name text, "
                             "shelf text DEFAULT 'none')",
                    "CREATE TABLE line (list text, place int, name text, "
                    "shelf text DEFAULT 'none', PRIMARY KEY (list, place))"),
            shop=(*SHOP, "CREATE TABLE article (code varchar(60) PRIMARY KEY, name varchar(60), "
                         "buyer varchar(60) DEFAULT 'none')",
                  "CREATE TABLE line (list varchar(60), place int, name varchar(60), "
                  "buyer varchar(60) DEFAULT 'none', PRIMARY KEY (list, place))"),
            till=(*TILL, "CREATE TABLE article (code TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, "
                         "name TEXT, hint TEXT DEFAULT 'none')",
                  "CREATE TABLE line (list TEXT COLLATE RTRIM NOT NULL, place INT NOT NULL, "
                  "name TEXT, hint TEXT DEFAULT 'none', PRIMARY KEY (list, place))"))
        for kind in ("postgres", "mariadb"):  # which write lanes side by side
            self.change_config(f'kind = "{kind}"', f'kind = "{kind}"\nwrite_connections = 4')
        self.own = {self.office: "shelf", self.shop: "buyer", self.till: "hint"}
        self.run_it()
        for number in range(ROWS):
            self.do(self.office, f"INSERT INTO article VALUES ('a{number}', 'n{number}')")
        for system, column in self.own.items():
            self.wait(lambda system=system: len(self.articles(system)) == ROWS)
            self.do(system, f"UPDATE article SET {column} = concat(name, ' of {system}')"
                    if system != self.till else
                    f"UPDATE article SET {column} = name || ' of {system}'")

    def articles(self, system):
        """By key: the name, and what only this system holds."""
        return {code: (name, own) for code, name, own in
                self.do(system, f"SELECT code, name, {self.own[system]} FROM article")}

    def expect(self, articles):
        """By key: the name, and the name that it had when it was made."""
        for system in self.systems:
            wanted = {code: (name, f"{first} of {system}")
                      for code, (name, first) in articles.items()}
            self.wait(lambda system=system, wanted=wanted: self.articles(system) == wanted)

    def test_a_key_that_changes_takes_the_row_with_it(self):
        articles = {f"a{number}": (f"n{number}", f"n{number}") for number in range(ROWS)}

        def move(old, new, name=None):
            held, first = articles.pop(old)
            articles[new] = (name or held, first)

        for number, system in enumerate(self.systems):
            self.do(system, f"UPDATE article SET code = 'b{number}' WHERE code = 'a{number}'")
            move(f"a{number}", f"b{number}")
            self.do(system, f"UPDATE article SET code = 'c{number}', name = 'new' "
                            f"WHERE code = 'a{number + 10}'")
            move(f"a{number + 10}", f"c{number}", "new")
        self.expect(articles)
        for number, system in enumerate(self.systems):  # twice, the second time many at once
            self.do(system, f"UPDATE article SET code = 'd{number}' WHERE code = 'b{number}'",
                    f"UPDATE article SET code = concat('e{number}', code) "
                    f"WHERE code LIKE 'a{number + 1}%'" if system != self.till else
                    f"UPDATE article SET code = 'e{number}' || code "
                    f"WHERE code LIKE 'a{number + 1}%'")
            move(f"b{number}", f"d{number}")
            for code in [code for code in articles if code.startswith(f"a{number + 1}")]:
                move(code, f"e{number}{code}")
            self.expect(articles)
        self.kill()
        self.do(self.shop, "UPDATE article SET code = 'f' WHERE code = 'd0'",
                "UPDATE article SET code = 'g', name = 'last' WHERE code = 'f'")
        move("d0", "g", "last")
        self.start()
        self.expect(articles)
        self.call("pause")  # changed again in other milliseconds, and read at once
        for statement in ("UPDATE article SET code = 'h' WHERE code = 'a7'",
                          "UPDATE article SET code = 'i' WHERE code = 'h'",
                          "UPDATE article SET name = 'again' WHERE code = 'i'"):
            self.do(self.till, statement)
            threading.Event().wait(0.01)
        move("a7", "i", "again")
        self.call("resume")
        self.expect(articles)
        self.assertTrue(self.ask("verify")["is_equal"])

    def test_many_at_once(self):
        """More than one transaction of ours takes."""
        count = 12000
        self.do(self.office, "INSERT INTO article SELECT 'm' || n, 'n' || n "
                             f"FROM generate_series({ROWS}, {count - 1}) AS n")
        for system, column in self.own.items():
            self.wait(lambda system=system: len(self.articles(system)) == count)
            self.do(system, f"UPDATE article SET {column} = code")
        self.call("pause")  # so that much of it waits
        self.do(self.shop, "UPDATE article SET code = concat('x', code), name = concat(name, '!')")
        self.call("resume")
        for system in self.systems:
            self.wait(lambda system=system: "xa0" in self.articles(system))
            self.wait(lambda system=system: len(self.articles(system)) == count and all(
                code.startswith("x") for code in self.articles(system)))
            lost = [code for code, (_, own) in self.articles(system).items() if code != "x" + own]
            self.assertEqual(lost, [])
        self.assertTrue(self.ask("verify")["is_equal"])

    # UPDATE statements by which a table's rows move on: MariaDB is told the order, the others go by
    # way of keys that are free.
    def renumber(self, system, by, where):
        if system == self.shop:
            order = "DESC" if by > 0 else "ASC"
            return [f"UPDATE line SET place = place + ({by}) WHERE {where} ORDER BY place {order}"]
        return [f"UPDATE line SET place = -(place + ({by})) WHERE {where}",
                "UPDATE line SET place = -place WHERE place < 0"]

    def lines(self, system):
        return {place: (name, own) for place, name, own in
                self.do(system, f"SELECT place, name, {self.own[system]} FROM line "
                                "WHERE list = 'a' ORDER BY place")}

    def expect_lines(self, names):
        """In their order, with what is not synced; None: made a moment ago."""
        for system in self.systems:
            wanted = {place: (name or "new", f"{name} of {system}" if name else "none")
                      for place, name in enumerate(names, 1)}
            self.wait(lambda system=system, wanted=wanted: self.lines(system) == wanted)

    def test_rows_that_move_on_by_one(self):
        """Lines of a list: one is put in, or taken out, and the others are numbered anew."""
        letters = "abcdef"
        self.do(self.office, *(f"INSERT INTO line VALUES ('a', {place}, '{letter}')"
                               for place, letter in enumerate(letters, 1)))
        for system, column in self.own.items():
            self.wait(lambda system=system: len(self.lines(system)) == len(letters))
            self.do(system, f"UPDATE line SET {column} = concat(name, ' of {system}')"
                    if system != self.till else
                    f"UPDATE line SET {column} = name || ' of {system}'")
        self.expect_lines(letters)
        for system in self.systems:
            self.do(system, "BEGIN", *self.renumber(system, 1, "place >= 2"),
                    "INSERT INTO line (list, place, name) VALUES ('a', 2, 'new')", "COMMIT")
            self.expect_lines(["a", None, *letters[1:]])
            self.do(system, "BEGIN", "DELETE FROM line WHERE place = 2",
                    *self.renumber(system, -1, "place > 2"), "COMMIT")
            self.expect_lines(letters)
        for system in self.systems:  # one behind the other, while nobody looks
            self.kill()
            self.do(system, "BEGIN", *self.renumber(system, 1, "place >= 1"), "COMMIT")
            self.do(system, "BEGIN", *self.renumber(system, -1, "place >= 1"), "COMMIT")
            self.do(system, "BEGIN", "DELETE FROM line WHERE place = 1",
                    *self.renumber(system, -1, "place > 1"), "COMMIT")
            self.start()
            letters = letters[1:]
            self.expect_lines(letters)
        self.assertTrue(self.ask("verify")["is_equal"])
        self.assertEqual(self.ask("quarantine", "list"), [])

    def test_no_row_gets_what_is_its_neighbours(self):
        """A user holds one of those that are numbered anew: they are written anew themselves."""
        letters = "abcdef"
        self.do(self.office, *(f"INSERT INTO line VALUES ('a', {place}, '{letter}')"
                               for place, letter in enumerate(letters, 1)))
        self.wait(lambda: len(self.lines(self.shop)) == len(letters))
        self.do(self.shop, "UPDATE line SET buyer = name")
        self.wait(lambda: self.status_of(self.shop)["rows_captured_total"] >= 2 * len(letters))
        user = self.shop_server.connect(self.shop)
        user.autocommit(False)
        with user.cursor() as cursor:
            cursor.execute("SELECT * FROM line WHERE place = 6 FOR UPDATE")
        self.do(self.office, "BEGIN", "DELETE FROM line WHERE place = 1",
                *self.renumber(self.office, -1, "place > 1"), "COMMIT")
        threading.Event().wait(3)
        user.rollback()
        user.close()
        self.wait(lambda: [name for name, _ in self.lines(self.shop).values()] == [*letters[1:]])
        for name, buyer in self.lines(self.shop).values():
            self.assertIn(buyer, (name, "none"))

    def test_two_that_change_places(self):
        """Their keys, with what is synced: that every system holds the same is what counts."""
        self.do(self.shop, "START TRANSACTION", "UPDATE article SET code = 'x' WHERE code = 'a1'",
                "UPDATE article SET code = 'a1' WHERE code = 'a2'",
                "UPDATE article SET code = 'a2' WHERE code = 'x'", "COMMIT")
        for system in self.systems:
            self.wait(lambda system=system: (self.articles(system)["a1"][0],
                                             self.articles(system)["a2"][0]) == ("n2", "n1"))
        self.assertTrue(self.ask("verify")["is_equal"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
