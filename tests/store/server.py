"""A real PostgreSQL server for tests, from the binaries of the machine, in a folder that goes away with it."""

import glob
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

USER, PASSWORD = "catalyst", "p@ss/w:rd 1%"
FAST = "-F -c full_page_writes=off -c shared_buffers=16MB -c max_connections=60"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl: where PATH says, else where Debian keeps the newest."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += [Path(folder) for folder in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class Server:
    """Started at once; `stop`, `start` and `close` are for tests. Nobody gets in without the password."""

    def __init__(self, folder_of_binaries: Path) -> None:
        self._bin = folder_of_binaries
        self._numbers = itertools.count(1)
        self._account = _account() if os.getuid() == 0 else None  # the server refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="catalyst-pg-", dir=_base()))
        (self.folder / "password").write_text(PASSWORD)
        if self._account:
            for path in (self.folder, self.folder / "password"):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ("--auth=scram-sha-256", f"--pwfile={self.folder / 'password'}", "--no-sync", "--encoding=UTF8", "--no-locale")
        self._run("initdb", "-U", USER, *options)
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", f"{FAST} {where}", "start")

    def stop(self) -> None:
        """Stop as a power cut would, and wait until it is gone."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        """Stop and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder)

    def create(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        self._execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Where a database is."""
        return f"postgresql+psycopg://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def _execute(self, statement: str) -> None:
        where = {"host": "127.0.0.1", "port": self.port, "dbname": "postgres", "user": USER, "password": PASSWORD}
        with psycopg.connect(**where, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        who = {} if self._account is None else {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        command = [str(self._bin / program), "-D", str(self.folder / "data"), *arguments]
        with open(self.folder / "output", "wb") as output:  # no pipe: the server would keep it open
            done = subprocess.run(command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT, check=False, **who)
        assert done.returncode == 0, (self.folder / "output").read_text()


def _base() -> str:
    """A folder for temporary files that every account can enter: the usual one may be in somebody's home."""
    places = [Path(place) for place in (tempfile.gettempdir(), "/tmp", "/var/tmp") if os.path.isdir(place)]
    return str(next(place for place in places if all(part.stat().st_mode & 0o001 for part in (place, *place.parents))))


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("root needs another account, postgres or nobody, to run a server as")
