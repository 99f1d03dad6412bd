"""The users of storm_test.py: what they do to three tables that PostgreSQL, MariaDB and SQLite
hold, and a ledger of it that says what may be there in the end.
"""
import random
import sqlite3
import threading
import time

import psycopg2
import pymysql

# How long they wait for a row that somebody holds: what was prepared is decided in the end only.
PATIENCE = {"p": ("SET lock_timeout = '3s'",), "s": (),
            "m": ("SET lock_wait_timeout = 3", "SET innodb_lock_wait_timeout = 3")}
ERRORS = (psycopg2.Error, pymysql.Error, sqlite3.Error, OSError)
MYSQL_LOCK_MISSED = 1205
LETTERS = "pms"
# Each column by letter; the first one or two are the key. hits is counted up, the others are set.
TABLES = {
    "item": (1, {"id": ("bigint", "bigint", "INTEGER"),
                 "name": ("varchar(40)", "varchar(40)", "VARCHAR(40)"),
                 "price": ("numeric(10,2)", "decimal(10,2)", "DECIMAL(10,2)"),
                 "note": ("text", "text", "TEXT"),
                 "at": ("timestamp(3)", "datetime(3)", "DATETIME"),
                 "hits": ("int", "int", "INT")}),
    "tag": (1, {"code": ("varchar(20)", "varchar(20)", "VARCHAR(20) COLLATE RTRIM NOT NULL"),
                "label": ("varchar(40)", "varchar(40)", "VARCHAR(40)"),
                "hits": ("int", "int", "INT")}),
    "line": (2, {"doc": ("bigint", "bigint", "INTEGER"), "no": ("int", "int", "INT"),
                 "what": ("varchar(30)", "varchar(30)", "VARCHAR(30)"),
                 "hits": ("int", "int", "INT")}),
}
WORDS = ("Zürich", "São Paulo", "O'Hara", "", "東京", "a b", "x" * 30, None, "NULL", "\\n", "🙂 ok")
SHOWN_TIME = {
    "p": "to_char(at, 'YYYY-MM-DD HH24:MI:SS.MS')",
    "m": "left(date_format(at, '%Y-%m-%d %H:%i:%s.%f'), 23)",
    "s": "strftime('%Y-%m-%d %H:%M:%f', at)",
}


def is_lock_missed(error):
    """Nothing came of the statement."""
    return (isinstance(error, psycopg2.errors.LockNotAvailable)
            or error.args[:1] == (MYSQL_LOCK_MISSED,))


def columns_of(table):
    return list(TABLES[table][1])


def keys_of(table):
    return columns_of(table)[:TABLES[table][0]]


def create_sql(table, letter):
    place = LETTERS.index(letter)
    lines = [f"{name} {kinds[place]}" for name, kinds in TABLES[table][1].items()]
    return f"CREATE TABLE {table} ({', '.join(lines)}, PRIMARY KEY ({', '.join(keys_of(table))}))"


def shown(name, letter, value):
    """As text, the same of each system."""
    if isinstance(value, bytes):
        value = value.decode()
    if value is None or name != "price":
        return value if value is None else str(value)
    return f"{float(value):.2f}"


def read_rows(session, letter, table):
    """By key, the other cells by name."""
    names = columns_of(table)
    cursor = session.cursor()
    cursor.execute("SELECT " + ", ".join(SHOWN_TIME[letter] if name == "at" else name
                                         for name in names) + f" FROM {table}")
    rows = {}
    for row in cursor.fetchall():
        cells = {name: shown(name, letter, value) for name, value in zip(names, row)}
        rows[tuple(cells.pop(name) for name in keys_of(table))] = cells
    return rows


class Ledger:
    """Of all users. A transaction whose COMMIT was not answered may have been, or not."""

    def __init__(self):
        self.guard = threading.Lock()
        self.values = {}  # by table, key and column: all that were ever set
        self.made = {}    # by table: the keys of inserts that were answered
        self.gone = {}    # by table: the keys that somebody may have deleted or moved

    def take(self, changes, is_sure):
        with self.guard:
            for kind, table, key, cells in changes:
                key = tuple(map(str, key))
                for name, value in cells.items():
                    self.values.setdefault((table, key, name), set()).add(shown(name, "", value))
                if kind == "insert" and is_sure:
                    self.made.setdefault(table, set()).add(key)
                if kind == "delete":
                    self.gone.setdefault(table, set()).add(key)

    def lose_all(self, table):
        """A TRUNCATE: whatever was there, also what its user does not know yet to be there."""
        with self.guard:
            self.gone.setdefault(table, set()).update(
                key for of, key, _ in self.values if of == table)

    def faults(self, table, rows):
        for key in self.made.get(table, set()) - self.gone.get(table, set()) - rows.keys():
            yield f"{table} {key} was lost"
        for key, cells in rows.items():
            for name, value in cells.items():
                known = self.values.get((table, key, name))
                if name != "hits" and known is not None and value not in known:
                    yield f"{table} {key}: nobody set {name} to {value!r}, but {known}"
                if known is None and name != "hits":
                    yield f"{table} {key}: nobody made it"


class User:
    """Transactions of a few changes, one behind the other. He makes keys that nobody else makes,
    and changes and deletes those of all."""

    def __init__(self, connect, letter, number, seed, ledger):
        self.connect_it, self.letter, self.ledger = connect, letter, ledger
        self.name = f"{letter}{number}"
        self.place = LETTERS.index(letter) * 2 + number
        self.dice = random.Random(f"{seed} {self.name}")
        self.session, self.made, self.done, self.changes = None, 0, 0, []

    def begin(self):
        self.session = self.connect_it(self.letter)
        for statement in PATIENCE[self.letter]:
            self.run(statement)

    def run(self, sql, values=()):
        cursor = self.session.cursor()
        if self.letter != "s":
            sql = sql.replace("?", "%s")
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def new_key(self, table):
        self.made += 1
        number = self.made * 6 + self.place
        if table == "item":
            return (number,)
        if table == "tag":
            return (f"T{number}" + self.dice.choice(("", "ü", " b", "'")),)
        return (number // 30, number)

    def some_key(self, table):
        keys = self.run(f"SELECT {', '.join(keys_of(table))} FROM {table} ORDER BY 1 LIMIT 400")
        return self.dice.choice(keys) if keys else None

    def value(self, name):
        if name == "price":
            return f"{self.dice.randrange(-999_999, 9_999_999) / 100:.2f}"
        if name == "at":
            dice = self.dice
            return (f"20{dice.randrange(10, 40)}-0{dice.randrange(1, 10)}-1{dice.randrange(10)} "
                    f"1{dice.randrange(10)}:00:0{dice.randrange(10)}.{dice.randrange(1000):03d}")
        return self.dice.choice(WORDS)

    def where(self, table):
        return " AND ".join(f"{name} = ?" for name in keys_of(table))

    def set_names(self, table):
        return [name for name in columns_of(table)[TABLES[table][0]:] if name != "hits"]

    def insert(self, table, key=None):
        key = key or self.new_key(table)
        cells = {name: self.value(name) for name in self.set_names(table)}
        names = keys_of(table) + list(cells)
        self.run(f"INSERT INTO {table} ({', '.join(names)}) VALUES "
                 f"({', '.join('?' * len(names))})", (*key, *cells.values()))
        self.changes.append(("insert", table, key, cells))

    def update(self, table):
        key = self.some_key(table)
        if key is None:
            return
        names = self.set_names(table)
        names = self.dice.sample(names, self.dice.randrange(1, len(names) + 1))
        cells = {name: self.value(name) for name in names}
        self.run(f"UPDATE {table} SET {', '.join(name + ' = ?' for name in cells)} WHERE "
                 f"{self.where(table)}", (*cells.values(), *key))
        self.changes.append(("update", table, key, cells))

    def delete(self, table):
        key = self.some_key(table)
        if key is not None:
            self.run(f"DELETE FROM {table} WHERE {self.where(table)}", key)
            self.changes.append(("delete", table, key, {}))
        return key

    def replace(self, table):
        key = self.delete(table)
        if key is not None:
            self.insert(table, key)

    def move(self, table):
        """The record under another key, with all that is set of it."""
        key = self.some_key(table)
        if key is None:
            return
        names = self.set_names(table)
        cells = {name: self.value(name) for name in names}
        other = self.new_key(table)
        sets = ", ".join(f"{name} = ?" for name in keys_of(table) + names)
        self.run(f"UPDATE {table} SET {sets} WHERE {self.where(table)}",
                 (*other, *cells.values(), *key))
        self.changes += [("delete", table, key, {}), ("move", table, other, cells)]

    def count_up(self, table):
        first = keys_of(table)[0]
        self.run(f"UPDATE {table} SET hits = coalesce(hits, 0) + 1 WHERE {first} IN (SELECT "
                 f"{first} FROM (SELECT {first} FROM {table} ORDER BY 1 LIMIT 40) few)")

    def take_back(self, table):
        before = len(self.changes)
        self.run("SAVEPOINT one")
        self.update(table)
        self.insert(table)
        self.run("ROLLBACK TO SAVEPOINT one")
        del self.changes[before:]
        self.update(table)

    def commit(self):
        """Whether it was, as far as he knows."""
        if self.letter == "p" and self.dice.random() < 0.05:
            return self.commit_in_two_phases()
        if self.dice.random() < 0.05:
            self.run("ROLLBACK")
            self.changes = []
        else:
            self.ledger.take(self.changes, is_sure=False)  # from now on it may be seen
            self.run("COMMIT")
        return True

    def commit_in_two_phases(self):
        """Whoever loses his connection in between leaves it to the end of the test."""
        name = f"{self.name}_{self.done}"
        self.ledger.take(self.changes, is_sure=False)
        self.run(f"PREPARE TRANSACTION '{name}'")
        time.sleep(self.dice.random() / 2)
        if self.dice.random() < 0.7:
            self.run(f"COMMIT PREPARED '{name}'")
            return True
        self.run(f"ROLLBACK PREPARED '{name}'")
        return False

    def transact(self):
        if self.session is None:
            self.begin()
        self.changes = []
        self.run("BEGIN")
        for _ in range(self.dice.choice((1, 1, 2, 5))):
            do = self.dice.choice([self.insert] * 5 + [self.update] * 10 + [self.delete] * 2 + [
                self.move, self.count_up, self.take_back, self.replace])
            do(self.dice.choice(list(TABLES)))
        if self.commit():
            self.ledger.take(self.changes, is_sure=True)
        self.done += 1

    def __call__(self, is_over):
        while not is_over():
            try:
                self.transact()
            except ERRORS:
                self.give_up()
            time.sleep(self.dice.random() * 0.02)

    def give_up(self):
        """A deadlock, a lock that he did not get, a server that is away."""
        try:
            self.run("ROLLBACK")
        except ERRORS + (AttributeError,):  # he has no session yet
            self.session = None
            time.sleep(0.2)
