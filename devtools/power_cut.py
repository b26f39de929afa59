"""Simulation of a power cut: possible contents of a folder on disk whose processes did not sync everything.

`PowerCut` makes a small C library (``power_cut.c``) that, preloaded into a job, notes what was synced when, and
`PowerCut.crash` writes what may be left of the folder after the power has gone now. A file keeps what was synced. Of
what was written since, the disk has all, some pages, or nothing: the file is as it was, of both, empty, cut at a page,
or has zeros at its end. A name that was made, taken away or changed since the last sync of its folder shows the old
state or the new one; a rename shows one of both. Each of these is drawn for itself.

What it does not model: pages that are torn within (the unit is 4096 bytes), a disk that falsely reports "synced", and
damage to what was synced. Statically linked programs (ffmpeg) count as never having synced anything. Names are looked
at as they are: of several changes between two syncs, only the first and the last state may show.
"""

from __future__ import annotations

import ctypes
import filecmp
import mmap
import os
import random
import secrets
import shutil
import signal
import struct
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PAGE = 4096
_SOURCE = Path(__file__).with_name("power_cut.c")
_STOP_AT, _STOPPED = 8, 16  # places of these numbers in the control file; the count of steps is the first
_QUIET = 0.02
Name = tuple[str, str]  # the key of a folder, and a name in it


def compiler() -> str | None:
    """A C compiler of this machine, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def make_library(folder: Path) -> Path:
    """Compile what is preloaded, into a folder.

    Raises:
        RuntimeError: there is no C compiler.
    """
    cc = compiler()
    if cc is None:
        raise RuntimeError("a C compiler (cc) is needed to simulate a power cut; there is none on this machine")
    library = folder / "power_cut.so"
    line = [cc, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl", "-lpthread"]
    subprocess.run(line, check=True)  # noqa: S603
    return library


class PowerCut:
    """The folder whose disk is simulated, and the record of what was synced."""

    def __init__(self, root: Path, shadow: Path, library: Path | None = None) -> None:
        """Begin with everything in `root` on the disk.

        Args:
            root: existing; to be given as it is, without links, to the processes.
            shadow: to make; on any disk.
            library: that `make_library` built; built here if not given.

        Raises:
            RuntimeError: there is no C compiler, or the file system does not tell when a file was born.
        """
        self.root, self.shadow = root.resolve(), shadow.absolute()
        for kind in ("files", "folders", "emptied"):
            (self.shadow / kind).mkdir(parents=True)
        # of one path, the loader takes the library that it has already, which knows of the first folder only
        self.library = self.shadow / f"power_cut-{secrets.token_hex(8)}.so"
        if library is None:
            make_library(self.shadow).rename(self.library)
        else:
            shutil.copy(library, self.library)
        (self.shadow / "control").write_bytes(bytes(PAGE))
        os.environ.update(self._told)
        self._calls = ctypes.CDLL(str(self.library))
        for name in self._told:
            del os.environ[name]
        with (self.shadow / "control").open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), PAGE)
        if self._key(self.root).endswith("-0.000000000"):
            raise RuntimeError(f"{root} is on a file system that does not record when a file was created; use another")
        self._calls.power_cut_prepare()
        self._calls.power_cut_sync_all()

    @property
    def _told(self) -> dict[str, str]:
        return {"POWER_CUT_ROOT": str(self.root), "POWER_CUT_SHADOW": str(self.shadow)}

    def environment(self) -> dict[str, str]:
        """Variables that let a process, and all that it starts, be recorded."""
        return {**self._told, "LD_PRELOAD": str(self.library)}

    @property
    def steps(self) -> int:
        """Syncs, renames and links that were counted so far."""
        return int(struct.unpack_from("Q", self._control)[0])

    def stop_at(self, step: int) -> None:
        """Let the process that is about to do this step wait; 0: none."""
        struct.pack_into("Q", self._control, _STOP_AT, step)

    @property
    def stopped(self) -> bool:
        """Whether a process waits at the step that was asked for."""
        return bool(struct.unpack_from("Q", self._control, _STOPPED)[0])

    def go_on(self) -> None:
        """Let it do its step."""
        struct.pack_into("Q", self._control, _STOPPED, 0)

    @contextmanager
    def still(self, group: int) -> Iterator[None]:
        """Stop all recorded processes at once, as a cut does, and let them go on afterwards.

        Args:
            group: process group of most of them; looking for others takes longer than one may wait for a lock that a
                stopped one holds.
        """
        held: dict[int, psutil.Process] = {}
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGSTOP)
        try:
            while new := [process for process in self._processes() if process.pid not in held]:
                for process in new:
                    held[process.pid] = process
                    _send(process, signal.SIGSTOP)
                time.sleep(_QUIET)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)
            for process in held.values():
                _send(process, signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("POWER_CUT_SHADOW") == str(self.shadow):
                    found.append(process)
            except (psutil.Error, OSError):  # it has ended, or belongs to another user
                continue
        return found

    def crash(self, target: Path, rng: random.Random) -> Counter[str]:
        """Write what may be left of the folder into `target` (to make); returns numbers of files by outcome."""
        where, live = self._look()
        names = _draw_names(live, self._durable(), rng)
        done: Counter[str] = Counter()
        made: dict[str, Path] = {}
        luck = rng.choice((0.0, 0.2, 0.5))  # how much of what was not synced has reached the disk by itself

        def put(kind: str, key: str, path: Path) -> None:
            if kind == "d":
                path.mkdir()
                for (_, name), (below, inside) in sorted(names.get(key, {}).items()):
                    put(below, inside, path / name)
            elif key in made:
                path.hardlink_to(made[key])
                return
            else:
                done[self._put_file(where.get(key), key, path, rng, luck)] += 1
                made[key] = path
            if key in where and not where[key].is_symlink():
                shutil.copystat(where[key], path)

        put("d", self._key(self.root), target)
        return done

    def _put_file(self, now: Path | None, key: str, path: Path, rng: random.Random, luck: float) -> str:
        """Write what may be left of one file; returns what that is."""
        if now is not None and now.is_symlink():
            path.symlink_to(now.readlink())
            return "whole"
        synced = self.shadow / "files" / key
        was = synced if synced.is_file() else None
        if was is not None and (now is None or filecmp.cmp(now, was, shallow=False)):
            shutil.copyfile(was, path)
            return "synced"
        new = now.read_bytes() if now is not None else b""
        if not new or rng.random() < luck:
            path.write_bytes(new)
            return "whole"
        old = was.read_bytes() if was is not None else b""
        emptied = (self.shadow / "emptied" / key).is_file()
        kind = rng.choice(
            ("empty", "cut", "zeros", *(["old"] if was else [])) if emptied or not was else ("old", "pages")
        )
        path.write_bytes(_rest(kind, old, new, rng))
        return kind

    def _key(self, path: Path) -> str:
        key = ctypes.create_string_buffer(64)
        if self._calls.power_cut_key(os.fsencode(path), key):
            raise FileNotFoundError(path)
        return key.value.decode()

    def _look(self) -> tuple[dict[str, Path], dict[Name, tuple[str, str]]]:
        """Where each key is now, and which names there are now: (folder, name) -> (kind, key)."""
        where, names = {self._key(self.root): self.root}, {}
        for folder, folders, files in os.walk(self.root):
            own = self._key(Path(folder))
            for kind, some in (("d", folders), ("f", files)):
                for name in some:
                    path = Path(folder) / name
                    key = self._key(path)
                    where[key] = path
                    names[own, name] = (kind, key)
        return where, names

    def _durable(self) -> dict[Name, tuple[str, str]]:
        """The same as it was synced."""
        names = {}
        for record in (self.shadow / "folders").iterdir():
            for row in record.read_bytes().split(b"\0")[:-1]:
                kind, key, name = os.fsdecode(row).split(" ", 2)
                names[record.name, name] = (kind, key)
        return names


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _draw_names(
    live: dict[Name, tuple[str, str]], durable: dict[Name, tuple[str, str]], rng: random.Random
) -> dict[str, dict[Name, tuple[str, str]]]:
    """For each folder the names that it has after the cut.

    Changes that are one operation are drawn together: all that happened to one name, and a file's going from one name
    to another.
    """
    changed = sorted(name for name in {*live, *durable} if live.get(name) != durable.get(name))
    groups: dict[Name, list[Name]] = {name: [name] for name in changed}

    def join(names: list[Name]) -> None:
        members = [member for group in {id(groups[name]): groups[name] for name in names}.values() for member in group]
        groups.update(dict.fromkeys(members, members))

    gone, come = defaultdict(list), defaultdict(list)
    for name in changed:
        if name in durable:
            gone[durable[name][1]].append(name)
        if name in live:
            come[live[name][1]].append(name)
    for key in gone.keys() & come.keys():
        join([*gone[key], *come[key]])
    stays = rng.choice((0.0, 0.5, 1.0))
    shown = {name: known for name, known in durable.items() if live.get(name) == known}
    for group in {id(group): group for group in groups.values()}.values():
        state = live if rng.random() < stays else durable
        shown.update({name: state[name] for name in group if name in state})
    folders: dict[str, dict[Name, tuple[str, str]]] = defaultdict(dict)
    for name, known in shown.items():
        folders[name[0]][name] = known
    return folders


def _rest(kind: str, old: bytes, new: bytes, rng: random.Random) -> bytes:
    """What is left of a file that was `old` when it was synced and is `new` now."""
    cut = PAGE * rng.randrange(-(-len(new) // PAGE))
    if kind != "pages":
        return {"old": old, "empty": b"", "cut": new[:cut], "zeros": new[:cut] + bytes(len(new) - cut)}[kind]
    # of what was overwritten, each page for itself; beyond the old end, nothing or zeros
    mixed = bytearray(new if rng.random() < 0.5 else new[: max(len(old), cut)])
    for at in range(0, len(mixed), PAGE):
        if rng.random() < 0.5:
            size = len(mixed[at : at + PAGE])
            mixed[at : at + size] = (old[at : at + size] + bytes(PAGE))[:size]
    return bytes(mixed)
