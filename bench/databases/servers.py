"""Database servers made for a run of the benches, and the same load in each one's dialect.

Rows of 132 bytes in 12 columns, or narrow ones of 50 in 5; transactions of 10 changes: 7 updates of
2 columns, 2 inserts, 1 delete. Every commit is on the disk before it is answered.
"""
import os
import shutil
import subprocess
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "..", "tests", "support")
# What both kinds understand; a backlog's sums differ unless the last change has arrived.
SUMMARY = "SELECT count(*), sum(id), sum(amount), sum(shop) FROM orders"


class Server:
    """One server; databases in it. sql() commits each statement and gives the last one's rows."""

    def __init__(self, script, *options):
        self.script = os.path.join(SUPPORT, script)
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        subprocess.run([self.script, "start", self.folder, *options], check=True)

    def close(self):
        subprocess.run([self.script, "remove", self.folder], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, database, *statements):
        user = self.connect(database)
        cursor = user.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
        user.close()
        return rows

    def summary(self, database):
        return tuple(int(number or 0) for number in self.sql(database, SUMMARY)[0])

    def cpu_seconds(self):
        """Of the server and all it has started, those that have ended too."""
        root = self.pid()
        total = 0
        for process in filter(str.isdigit, os.listdir("/proc")):
            fields = stat_of(process)
            if fields and process == str(root):
                total += sum(int(field) for field in fields[11:15])
            elif fields and fields[1] == str(root):
                total += sum(int(field) for field in fields[11:13])
        return total / os.sysconf("SC_CLK_TCK")


def stat_of(process):
    """The fields of /proc/PID/stat behind the name; None when it has gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


class Newest:
    """Whether one side's newest records are on the other: cheap enough to ask often."""

    def __init__(self, source, left, target, right):
        last = source.sql(left, "SELECT max(id) FROM orders")[0][0]
        self.question = ("SELECT count(*), sum(id) FROM orders WHERE id > "
                         f"{last - 1000} AND id <= {last}")
        self.wanted = tuple(source.sql(left, self.question)[0])
        self.user = target.connect(right)

    def has_come(self):
        cursor = self.user.cursor()
        cursor.execute(self.question)
        return tuple(cursor.fetchall()[0]) == self.wanted

    def close(self):
        self.user.close()


class Postgres(Server):
    kind = "postgres"
    table = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, customer int, state text,
        note text, city text, price numeric(12,2), amount int, tax numeric(12,2),
        made timestamptz, sent timestamptz, flag boolean)"""
    read_all = "SELECT sum(length(orders::text)) FROM orders"
    row = """g, g % 50, g % 9999, 'state ' || g % 7, 'note of order ' || g, 'city ' || g % 300,
        g * 1.25, g % 12, g * 0.25, now(), now(), g % 2 = 0"""
    narrow_table = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, note text, amount int,
        made timestamptz)"""
    narrow_row = "g, g % 50, 'note of order ' || g, g % 12, now()"

    def __init__(self):
        super().__init__("postgres_server")
        self.sql("postgres", "ALTER SYSTEM SET fsync = on",
                 "ALTER SYSTEM SET synchronous_commit = on",
                 "ALTER SYSTEM SET max_wal_size = '8GB'", "SELECT pg_reload_conf()")

    def connect(self, database):
        import psycopg2
        user = psycopg2.connect(host=self.folder, dbname=database, user="postgres")
        user.autocommit = True
        return user

    def pid(self):
        with open(os.path.join(self.folder, "data", "postmaster.pid"), encoding="ascii") as file:
            return int(file.readline())

    def url(self, database):
        return f"postgres://postgres@/{database}?host={self.folder}"

    def url_with_host(self, database):
        """For programs that look for the socket's folder in the host's place."""
        return f"postgresql://postgres@{urllib.parse.quote(self.folder, safe='')}/{database}"

    def restart(self):
        subprocess.run([self.script, "stop", self.folder], check=True)
        subprocess.run([self.script, "start", self.folder], check=True)

    def copy_table(self, source, target):
        """Byte for byte, through a pipe."""
        out = subprocess.Popen(["psql", "-qh", self.folder, "-U", "postgres", source, "-c",
                                "COPY orders TO STDOUT (FORMAT binary)"], stdout=subprocess.PIPE)
        subprocess.run(["psql", "-qh", self.folder, "-U", "postgres", target, "-c",
                        "COPY orders FROM STDIN (FORMAT binary)"], stdin=out.stdout, check=True)
        if out.wait() != 0:
            raise RuntimeError(f"{source} could not be copied")
        self.sql(target, "ANALYZE orders")

    def make(self, database, rows=0, is_narrow=False):
        self.sql("postgres", f"CREATE DATABASE {database}")
        self.sql(database, self.narrow_table if is_narrow else self.table)
        if rows:
            self.add_rows(database, 1, rows, self.narrow_row if is_narrow else self.row)
            self.sql(database, "ANALYZE orders")

    def add_rows(self, database, first, last, row=None):
        """In one transaction."""
        self.sql(database, f"INSERT INTO orders SELECT {row or self.row} FROM "
                           f"generate_series({first}, {last}) g")

    def backlog(self, database, transactions, rows, first, step=1):
        """step: every so many of the known rows are updated, so that two sides meet in some."""
        self.sql(database, f"""DO $$ DECLARE first bigint := {first}; at bigint; BEGIN
            FOR i IN 0..{transactions} - 1 LOOP
              FOR k IN 1..7 LOOP
                at := 1 + ((i * 7919 + k * 104729) * {step}) % {rows};
                UPDATE orders SET amount = amount + 1, state = 'now ' || i WHERE id = at;
              END LOOP;
              INSERT INTO orders SELECT {self.row}
                FROM generate_series(first + i * 2, first + i * 2 + 1) g;
              DELETE FROM orders WHERE id = first + i * 2 - 7;
              COMMIT;
            END LOOP; END $$""")


class Mariadb(Server):
    kind = "mariadb"
    table = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, customer int,
        state varchar(40), note varchar(60), city varchar(40), price decimal(12,2), amount int,
        tax decimal(12,2), made timestamp(6) NULL, sent timestamp(6) NULL, flag tinyint)"""
    read_all = """SELECT sum(length(concat_ws(',', id, shop, customer, state, note, city, price,
        amount, tax, made, sent, flag))) FROM orders"""
    row = """seq, seq % 50, seq % 9999, concat('state ', seq % 7), concat('note of order ', seq),
        concat('city ', seq % 300), seq * 1.25, seq % 12, seq * 0.25, now(6), now(6),
        seq % 2 = 0"""
    narrow_table = """CREATE TABLE orders (id bigint PRIMARY KEY, shop int, note varchar(60),
        amount int, made timestamp(6) NULL)"""
    narrow_row = "seq, seq % 50, concat('note of order ', seq), seq % 12, now(6)"

    def __init__(self):
        os.environ["MARIADB_SYNCS"] = "yes"
        super().__init__("mariadb_server")

    def connect(self, database):
        import pymysql
        return pymysql.connect(unix_socket=self.folder + "/socket", user="root",
                               database=database or None, autocommit=True)

    def pid(self):
        with open(self.folder + "/pid", encoding="ascii") as file:
            return int(file.read())

    def url(self, database):
        return f"mariadb://root@localhost/{database}?socket={self.folder}/socket"

    def make(self, database, rows=0, is_narrow=False):
        self.sql("", f"CREATE DATABASE {database}")
        self.sql(database, self.narrow_table if is_narrow else self.table)
        if rows:
            self.add_rows(database, 1, rows, self.narrow_row if is_narrow else self.row)

    def add_rows(self, database, first, last, row=None):
        """In one transaction."""
        self.sql(database, f"INSERT INTO orders SELECT {row or self.row} FROM "
                           f"seq_{first}_to_{last}")

    def backlog(self, database, transactions, rows, first, step=1):
        self.sql(database, "DROP PROCEDURE IF EXISTS make_backlog",
                 f"""CREATE PROCEDURE make_backlog() BEGIN
                  DECLARE i INT DEFAULT 0; DECLARE k BIGINT;
                  WHILE i < {transactions} DO
                    START TRANSACTION;
                    SET k = 1;
                    WHILE k <= 7 DO
                      UPDATE orders SET amount = amount + 1, state = concat('now ', i)
                        WHERE id = 1 + ((i * 7919 + k * 104729) * {step}) % {rows};
                      SET k = k + 1;
                    END WHILE;
                    SET k = {first} + i * 2;
                    INSERT INTO orders
                      SELECT {self.row} FROM (SELECT k AS seq UNION ALL SELECT k + 1) s;
                    DELETE FROM orders WHERE id = k - 7;
                    COMMIT;
                    SET i = i + 1;
                  END WHILE; END""", "CALL make_backlog()", "DROP PROCEDURE make_backlog")
