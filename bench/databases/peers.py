"""The other programs, on the same servers: native logical replication, pglogical, reladiff."""
import os
import shutil
import subprocess
import time

from measure import wait_until


class Native:
    """PostgreSQL's own logical replication, one way."""
    name = "native logical replication"

    def __init__(self, server, source, target):
        self.server, self.source, self.target = server, source, target
        server.sql(source, "CREATE PUBLICATION p FOR TABLE orders",
                   f"SELECT pg_create_logical_replication_slot('{source}', 'pgoutput')")
        server.sql(target, f"CREATE SUBSCRIPTION s_{source} CONNECTION 'host={server.folder} "
                           f"dbname={source} user=postgres' PUBLICATION p "
                           f"WITH (create_slot = false, slot_name = '{source}')")

    def pause(self):
        self.server.sql(self.target, f"ALTER SUBSCRIPTION s_{self.source} DISABLE")

    def resume(self):
        self.server.sql(self.target, f"ALTER SUBSCRIPTION s_{self.source} ENABLE")

    def close(self):
        self.server.sql(self.target, f"DROP SUBSCRIPTION s_{self.source}")


def has_pglogical():
    return os.path.exists("/usr/share/postgresql/15/extension/pglogical.control")


class Pglogical:
    """Both databases subscribed to each other; nothing comes back that was replicated."""
    name = "pglogical"

    def __init__(self, server, left, right):
        self.server, self.databases = server, (left, right)
        for database in self.databases:
            server.sql(database, "CREATE EXTENSION pglogical",
                       f"SELECT pglogical.create_node('{database}', '{self.address(database)}')",
                       "SELECT pglogical.replication_set_add_all_tables('default', '{public}')")
        for database, other in (self.databases, self.databases[::-1]):
            server.sql(database, f"SELECT pglogical.create_subscription('from_{other}', "
                                 f"'{self.address(other)}', synchronize_structure := false, "
                                 "synchronize_data := false, forward_origins := '{}')")
        wait_until(self.are_replicating, "pglogical's subscriptions")

    def address(self, database):
        return f"host={self.server.folder} dbname={database} user=postgres"

    def are_replicating(self):
        ask = "SELECT status FROM pglogical.show_subscription_status()"
        return all(self.server.sql(database, ask) == [("replicating",)]
                   for database in self.databases)

    def pause(self):
        for database, other in (self.databases, self.databases[::-1]):
            self.server.sql(database, "SELECT pglogical.alter_subscription_disable("
                                      f"'from_{other}', true)")

    def resume(self):
        for database, other in (self.databases, self.databases[::-1]):
            self.server.sql(database, "SELECT pglogical.alter_subscription_enable("
                                      f"'from_{other}', true)")

    def close(self):
        for database, other in (self.databases, self.databases[::-1]):
            self.server.sql(database, f"SELECT pglogical.drop_subscription('from_{other}')")


def has_reladiff():
    return shutil.which("reladiff") is not None


def reladiff_seconds(left, right):
    """Of comparing `orders` behind two reladiff URLs, all columns."""
    columns = "shop customer state note city price amount tax flag".split()
    began = time.monotonic()
    done = subprocess.run(["reladiff", left, "orders", right, "orders", "-k", "id", "-s",
                           *[word for column in columns for word in ("-c", column)]],
                          check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if "ERROR" in done.stderr:  # it ends with status 0 all the same
        raise RuntimeError("reladiff: " + done.stderr)
    return time.monotonic() - began
