"""Database servers of a test's own, and what a user asks them.

Nothing but a socket in a folder under the machine's temporary files reaches them. Needs psycopg2
and pymysql, so what uses it runs under the Python that Debian packages them for.
"""
import os
import shutil
import socket
import subprocess
import tempfile

import psycopg2
import pymysql

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")


def run_on(user, statements):
    """All of them in one session; the rows of the last."""
    try:
        cursor = user.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else None
    finally:
        user.close()


class Server:
    script = None
    temporary = None  # how its folder's name begins

    def __init__(self, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix=self.temporary)

    def call(self, command, *more):
        subprocess.run([os.path.join(SUPPORT, self.script), command, self.folder, *more],
                       check=True)

    def start(self, *options):
        self.call("start", *options)

    def stop(self, how="fast"):
        self.call("stop", how)

    def remove(self):
        self.call("remove")

    def sql(self, database, *statements):
        return run_on(self.connect(database), statements)

    def back_up(self):
        """The server's files as they are while it stands still, as a copy."""
        self.stop()
        copy = os.path.join(self.folder, "backup")
        subprocess.run(["cp", "-a", os.path.join(self.folder, "data"), copy], check=True)
        self.start()

    def restore(self):
        self.stop()
        data = os.path.join(self.folder, "data")
        shutil.rmtree(data)
        os.rename(os.path.join(self.folder, "backup"), data)
        self.start()


class PostgresServer(Server):
    script = "postgres_server"
    temporary = "syncline-pg-"

    def copy(self, other):
        """Its files become those of a server that stands still."""
        self.call("copy", other.folder)

    def follow(self, primary, *settings):
        """A new server starts as a hot standby of that one, which runs."""
        self.call("standby", primary.folder, *settings)

    def promote(self):
        self.call("promote")

    def connect(self, database, user="postgres", **more):
        session = psycopg2.connect(host=self.folder, dbname=database, user=user,
                                   options="-c timezone=UTC", **more)
        session.autocommit = True
        return session

    def url(self, database, user="postgres"):
        return f"postgres://{user}@/{database}?host={self.folder}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MariadbServer(Server):
    script = "mariadb_server"
    temporary = "syncline-maria-"
    port = None

    def start_as(self, number, *options):
        """One of a replication: reached by a port too, for a replica comes that way."""
        self.port = self.port or free_port()
        self.start(f"--server-id={number}", f"--port={self.port}", "--skip-networking=0",
                   "--bind-address=127.0.0.1", *options)

    def let_copy(self):
        self.sql("", "CREATE USER copier@'%' IDENTIFIED BY 'x'",
                 "GRANT REPLICATION SLAVE ON *.* TO copier@'%'")

    def follow(self, primary):
        self.sql("", f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, "
                     "MASTER_USER = 'copier', MASTER_PASSWORD = 'x', "
                     "MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, "
                     "MASTER_SSL = 0, MASTER_SSL_VERIFY_SERVER_CERT = 0", "START SLAVE")

    def connect(self, database, user="root", **more):
        return pymysql.connect(unix_socket=self.folder + "/socket", user=user, charset="utf8mb4",
                               database=database or None, autocommit=True,
                               init_command="SET time_zone = '+00:00'", **more)

    def url(self, database, user="root"):
        return f"mariadb://{user}@localhost/{database}?socket={self.folder}/socket"


class MysqlServer(MariadbServer):
    script = "mysql_server"
    temporary = "syncline-my-"

    def url(self, database, user="root"):
        return super().url(database, user).replace("mariadb://", "mysql://")
