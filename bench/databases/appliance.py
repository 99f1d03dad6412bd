"""The program under measurement, run as its users run it."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from servers import stat_of


class Appliance:
    def __init__(self, program, *urls):
        self.program = os.path.abspath(program)
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        self.daemon = None
        self.call("init", *urls)

    def close(self):
        if self.daemon is not None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *arguments, check=True):
        return subprocess.run([self.program, *arguments], cwd=self.folder, check=check,
                              stdout=subprocess.PIPE, text=True).stdout

    def start(self):
        self.daemon = subprocess.Popen([self.program, "run", "--log-level", "error"],
                                       cwd=self.folder)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()
        self.daemon = None

    def status(self):
        return json.loads(self.call("status", "--json"))

    def is_running(self):
        told = subprocess.run([self.program, "status", "--json"], cwd=self.folder, check=False,
                              capture_output=True, text=True)
        return told.returncode == 0 and json.loads(told.stdout)["state"] == "running"

    def cpu_seconds(self):
        fields = stat_of(self.daemon.pid)
        return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")

    def memory_bytes_max(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) * 1024
        return 0
