"""What the torture's parts agree on: two SQLite files, their tables, and who may write what.

    owned   every record is written by one side alone: what the other side shows must be its states,
            in their order, each at most once
    hot     few records, written, deleted and inserted again by both sides; delete_wins
    keen    the same with update_wins
    tally   few records of one cell, only ever updated, by both sides: the latest must stand
    bulk    many records, there before the first sync, some of them differing: the office's stand

Every cell ever written has a value of its own, so that a value tells who wrote it. A record's field
`life` is given by the insert and changed by nothing else. Triggers keep a history of each file:
what changed, in order, and in which writer's transaction; what is in none is Syncline's.
"""
import json
import os
import sqlite3

SIDES = ("office", "shop")
FIELDS = {
    "owned": ("life", "a", "b"),
    "hot": ("life", "a", "b"),
    "keen": ("life", "a", "b"),
    "tally": ("a",),
    "bulk": ("a",),
}
HOT_KEYS = 12
KEEN_KEYS = 8
TALLY_KEYS = 6
OWNED_KEYS = 30
BUSY_SECONDS = 30


def connect(path):
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def path_of(folder, side):
    return os.path.join(folder, side + ".db")


def state(dataset, row):
    return f"json_array({', '.join(row + '.' + field for field in FIELDS[dataset])})"


def history_triggers(dataset):
    """A row in torture_history for every change; a record that is given another key is two."""
    def log(kind, key, old, new):
        return ("INSERT INTO torture_history(tx, at, dataset, kind, key, old, new) SELECT (SELECT "
                "tx FROM torture_now), CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS "
                f"INTEGER), '{dataset}', '{kind}', {key}, {old}, {new};")
    old, new = state(dataset, "OLD"), state(dataset, "NEW")
    name = f"torture_{dataset}"
    yield (f"CREATE TRIGGER {name}_insert AFTER INSERT ON {dataset} BEGIN "
           f"{log('insert', 'NEW.key', 'NULL', new)} END")
    yield (f"CREATE TRIGGER {name}_delete AFTER DELETE ON {dataset} BEGIN "
           f"{log('delete', 'OLD.key', old, 'NULL')} END")
    yield (f"CREATE TRIGGER {name}_update AFTER UPDATE ON {dataset} WHEN OLD.key = NEW.key BEGIN "
           f"{log('update', 'NEW.key', old, new)} END")
    yield (f"CREATE TRIGGER {name}_rekey AFTER UPDATE ON {dataset} WHEN OLD.key <> NEW.key BEGIN "
           f"{log('delete', 'OLD.key', old, 'NULL')} {log('insert', 'NEW.key', 'NULL', new)} END")


def make_file(path, side, bulk_rows):
    """One side's file with its first records. Returns those as {dataset: {key: state}}."""
    database = connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE torture_now(tx TEXT)")
    database.execute("INSERT INTO torture_now VALUES (NULL)")
    database.execute("CREATE TABLE torture_history(n INTEGER PRIMARY KEY AUTOINCREMENT, tx TEXT, "
                     "at INTEGER, dataset TEXT, kind TEXT, key TEXT, old TEXT, new TEXT)")
    first = {dataset: {} for dataset in FIELDS}
    for key in (f"h{i}" for i in range(0, HOT_KEYS, 2)):
        first["hot"][key] = [f"life:{side}:{key}", f"a:{side}:{key}", f"b:{side}:{key}"]
    for key in (f"k{i}" for i in range(0, KEEN_KEYS, 2)):
        first["keen"][key] = [f"life:{side}:{key}", f"a:{side}:{key}", f"b:{side}:{key}"]
    for key in (f"t{i}" for i in range(TALLY_KEYS)):
        first["tally"][key] = [f"a:first:{key}"]
    for i in range(bulk_rows):
        if side == "office" and i % 4 == 1 or side == "shop" and i % 4 == 2:
            continue  # known to the other side alone
        owner = side if i % 10 == 0 else "both"
        first["bulk"][f"b{i:06d}"] = [f"a:{owner}:{i}"]
    database.execute("BEGIN")
    for dataset, fields in FIELDS.items():
        columns = ", ".join(field + " TEXT" for field in fields)
        database.execute(f"CREATE TABLE {dataset}(key TEXT PRIMARY KEY NOT NULL, {columns})")
        database.executemany(
            f"INSERT INTO {dataset} VALUES ({', '.join('?' * (len(fields) + 1))})",
            [(key, *values) for key, values in first[dataset].items()])
        for trigger in history_triggers(dataset):
            database.execute(trigger)
    database.execute("COMMIT")
    database.close()
    return first


def make_config(folder, data="syncline-data"):
    text = f'[appliance]\nname = "torture"\ndata = "{data}"\n'
    for side in SIDES:
        text += f'\n[systems.{side}]\nkind = "sqlite"\nurl = "{side}.db"\n'
    for dataset in FIELDS:
        text += f'\n[datasets.{dataset}]\nkey = ["key"]\nfirst = "office"\n'
        for side in SIDES:
            text += f'[datasets.{dataset}.on.{side}]\ntable = "{dataset}"\ntriggers = "fire"\n'
        delete = "update_wins" if dataset == "keen" else "delete_wins"
        text += f'[datasets.{dataset}.conflict]\ndefault = "newest"\ndelete = "{delete}"\n'
    with open(os.path.join(folder, "syncline.toml"), "w", encoding="utf-8") as file:
        file.write(text)


def make_office(folder, bulk_rows, data="syncline-data"):
    """A folder with both files, the config, and first.json: what each side held at the start."""
    os.makedirs(os.path.join(folder, "ledgers"))
    first = {side: make_file(path_of(folder, side), side, bulk_rows) for side in SIDES}
    with open(os.path.join(folder, "first.json"), "w", encoding="utf-8") as file:
        json.dump(first, file)
    make_config(folder, data)
