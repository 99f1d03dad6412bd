"""PostgreSQL ("office"), MariaDB ("shop") and SQLite ("till"), which keep two datasets in step.

The servers serve all tests of a file; a database in each and a folder of its own serve one. The
appliance is a user with rights on single tables, and a password.
"""
import os

from fixture import Appliance, connect
from servers import MariadbServer, PostgresServer

PASSWORD = "let me in"
TABLES = {
    "customer": ("email", "name", "points"),
    "product": ("sku", "title"),
}
OFFICE = ("CREATE TABLE customer (email text PRIMARY KEY, name text, points int)",
          "CREATE TABLE product (sku text PRIMARY KEY, title text)")
SHOP = ("CREATE TABLE customer (email varchar(60) PRIMARY KEY, name varchar(4000), points int)",
        "CREATE TABLE product (sku varchar(60) PRIMARY KEY, title varchar(60))")
TILL = ("CREATE TABLE customer (email TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, name TEXT, "
        "points INTEGER)",
        "CREATE TABLE product (sku TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, title TEXT)")


class Trio(Appliance):
    numbers = iter(range(1, 1000))

    @classmethod
    def setUpClass(cls):
        cls.office_server, cls.shop_server = PostgresServer(), MariadbServer()
        for server in (cls.office_server, cls.shop_server):
            cls.addClassCleanup(server.remove)
            server.start()
        cls.office_server.sql(
            "postgres", f"CREATE ROLE keeper LOGIN REPLICATION PASSWORD '{PASSWORD}'",
            "GRANT SET ON PARAMETER session_replication_role TO keeper")
        cls.shop_server.sql(
            "", f"CREATE USER keeper@localhost IDENTIFIED BY '{PASSWORD}'",
            "GRANT REPLICATION SLAVE ON *.* TO keeper@localhost")

    def setUp(self):
        super().setUp()
        number = next(self.numbers)
        self.office, self.shop, self.till = f"office{number}", f"shop{number}", "till"
        self.office_server.sql("postgres", f"CREATE DATABASE {self.office} OWNER keeper")
        self.shop_server.sql("", f"CREATE DATABASE {self.shop} CHARACTER SET utf8mb4 "
                                 "COLLATE utf8mb4_bin")
        self.write(self.path("till.db"), "PRAGMA journal_mode = WAL")
        self.made = 0

    def tearDown(self):
        self.end_daemon()
        self.wait(self.is_slot_free)  # a killed reader's end shows a moment later
        self.office_server.sql("postgres", f"DROP DATABASE {self.office} WITH (FORCE)",
                               f"DROP TABLESPACE IF EXISTS {self.office}")
        self.shop_server.sql("", f"DROP DATABASE {self.shop}")
        super().tearDown()

    def is_slot_free(self):
        rows = self.office_server.sql(
            "postgres", "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                        f"WHERE database = '{self.office}' AND active")
        return not rows

    # What users do.

    def do(self, system, *statements):
        if system == self.office:
            return self.office_server.sql(system, *statements)
        if system == self.shop:
            return self.shop_server.sql(system, *statements)
        user = connect(self.path("till.db"))
        for statement in statements:
            rows = user.execute(statement).fetchall()
        user.close()
        return rows

    def rows_of(self, system, table):
        columns = ", ".join(TABLES[table])
        return sorted(tuple(row) for row in self.do(system, f"SELECT {columns} FROM {table}"))

    @property
    def systems(self):
        return self.office, self.shop, self.till

    # Making and running it.

    def make(self, office=OFFICE, shop=SHOP, till=TILL):
        """The tables, with rights for the appliance's user table by table, and the config."""
        self.do(self.office, *office)
        self.do(self.office, *(f"ALTER TABLE {table} OWNER TO keeper" for table in self.tables_of(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "'public'::regnamespace", self.office)))
        self.do(self.shop, *shop)
        checkpoint = f"{self.shop}.syncline_checkpoint"
        self.do(self.shop, *(
            f"GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON {self.shop}.{table} TO "
            "keeper@localhost" for table in self.tables_of("SHOW TABLES", self.shop)),
                f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON {checkpoint} TO "
                "keeper@localhost")
        self.do(self.till, *till)
        secret = PASSWORD.replace(" ", "%20")
        self.init(self.office_server.url(self.office, f"keeper:{secret}"),
                  self.shop_server.url(self.shop, f"keeper:{secret}"), "till.db")
        for name in (self.office, self.shop):
            os.environ[name.upper() + "_PASSWORD"] = PASSWORD

    def tables_of(self, sql, system):
        return [name for (name,) in self.do(system, sql)]

    def begin(self, **tables):
        self.make(**tables)
        self.run_it()

    def run_it(self):
        self.call("plan")
        self.start()
        self.wait(lambda: self.status()["state"] == "running")
        self.see_that_all_goes_on("customer", "product")

    def insert(self, system, table, key=None, **cells):
        self.made += 1
        key = key or f"{system}-{self.made}"
        values = {TABLES[table][0]: key, **cells}
        self.do(system, f"INSERT INTO {table} ({', '.join(values)}) VALUES "
                        f"({', '.join(map(repr, values.values()))})")
        return key

    def see_that_all_goes_on(self, *tables, among=None):
        """What a user inserts in one of them comes to the others."""
        among = among or self.systems
        for table in tables:
            for system in among:
                key = self.insert(system, table)
                for other in among:
                    self.wait(lambda: any(row[0] == key for row in self.rows_of(other, table)))

    def expect_all_equal(self):
        for table in TABLES:
            self.wait(lambda: self.rows_of(self.office, table) == self.rows_of(self.shop, table)
                      == self.rows_of(self.till, table))
        self.wait(lambda: self.status()["state"] == "running")
        verified = self.ask("verify")
        self.assertTrue(verified["is_equal"], verified)

    # What the appliance says.

    def errors_of(self, system):
        status = self.status_of(system)
        told = [status.get("error", "")]
        told += [f"{one['name']} {one.get('error', '')}" for one in status["datasets"]]
        return [error for error in told if error.strip()]

    def log_lines(self, *words):
        return [line for line in self.log().splitlines() if all(word in line for word in words)]

    def expect_one_error(self, system, *words, most=1):
        """In status while it lasts, and once in the log, with these words. most: where reading and
        writing find the same, each may say it."""
        self.wait(lambda: any(all(word in error for word in words)
                              for error in self.errors_of(system)))
        self.wait(lambda: self.log_lines(system, *words))
        self.assertLessEqual(len(self.log_lines(system, *words)), most, self.log())

    def expect_no_error(self, system):
        self.wait(lambda: self.status_of(system)["state"] == "running")
        self.wait(lambda: all(one["phase"] == "live" for one in self.status_of(system)["datasets"]))
