"""The other programs, on the same servers: native logical replication, pglogical, reladiff."""
import os
import shutil
import subprocess
import time

from measure import wait_until


class Native:
    """PostgreSQL's own logical replication: one way, and from 16 on, which can leave out what was
    replicated, both ways, as the appliance is measured."""

    def __init__(self, server, source, target):
        self.server = server
        self.ways = [(source, target)]
        self.name = "native logical replication"
        if self.goes_both_ways(server):
            self.ways.append((target, source))
            self.name += ", both ways with origin = none"
        more = ", origin = none" if len(self.ways) == 2 else ""
        for here, there in self.ways:
            is_first = (here, there) == (source, target)
            server.sql(here, "CREATE PUBLICATION p FOR TABLE orders",
                       f"SELECT pg_create_logical_replication_slot('{here}', 'pgoutput')")
            server.sql(there, f"CREATE SUBSCRIPTION s_{here} CONNECTION 'host={server.folder} "
                              f"dbname={here} user=postgres' PUBLICATION p "
                              f"WITH (create_slot = false, slot_name = '{here}', "
                              f"copy_data = {str(is_first).lower()}{more})")

    @staticmethod
    def goes_both_ways(server):
        return int(server.sql("postgres", "SHOW server_version_num")[0][0]) >= 160000

    def pause(self):
        for here, there in self.ways:
            self.server.sql(there, f"ALTER SUBSCRIPTION s_{here} DISABLE")

    def resume(self):
        for here, there in self.ways:
            self.server.sql(there, f"ALTER SUBSCRIPTION s_{here} ENABLE")

    def close(self):
        for here, there in self.ways:
            self.server.sql(there, f"DROP SUBSCRIPTION s_{here}")


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
