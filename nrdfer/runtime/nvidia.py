"""NVIDIA cards of this machine, found without PyTorch, and why PyTorch sees none of them.

Keep here: what the driver, the device files and the installed build of PyTorch say; nothing imports torch, so that
``nrdfer doctor`` can ask. Keep out: what is done about it (``devices``), and cards that PyTorch sees (``gpu_slots``).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.plain_text import one_line

#: PyTorch's own package indexes, one for each kind of build; ``docs/install.md`` has whole command lines.
TORCH_INDEX = "https://download.pytorch.org/whl/"
HIDING = "CUDA_VISIBLE_DEVICES"
_NONE = {"", "-1", "none", "void", "nodevfiles"}  # values that hide every card; the last is Slurm's
#: CUDA's major release -> the oldest driver that runs it, from the table of minor version compatibility in the release
#: notes of CUDA's toolkit.
OLDEST_DRIVER: Mapping[int, int] = {11: 450, 12: 525, 13: 580}
#: Builds that PyTorch offers, the newest first, by CUDA's major release.
_BUILDS = {13: "cu130", 12: "cu126"}
_PATIENCE = 5.0  # seconds for nvidia-smi
PROC, DEV = Path("/proc/driver/nvidia"), Path("/dev")  # the driver's folder, and that of the device files
#: Set where a scheduler decides which cards a process may use.
_SCHEDULED = ("SLURM_JOB_ID", "RAY_JOB_ID", "KUBERNETES_SERVICE_HOST")


@dataclass(frozen=True)
class TorchBuild:
    """The installed PyTorch."""

    version: str
    cuda: str | None  # release of CUDA that it was built for; None: for CPUs
    other_gpus: bool = False  # built for cards of AMD or Intel


@dataclass(frozen=True)
class Cards:
    """NVIDIA's cards as the system shows them."""

    driver: str = ""  # its version; empty if it is not known
    names: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()  # /dev/nvidia0 and further ones
    virtual: bool = False  # shown by nvidia-smi alone, as in Windows' subsystem for Linux

    @property
    def there(self) -> bool:
        """Whether this machine has a card, or at least its driver."""
        return bool(self.driver or self.names or self.files)

    def __str__(self) -> str:
        """For messages: ``NVIDIA H200, driver 580.82.07``."""
        what = ", ".join(dict.fromkeys(self.names)) or "an NVIDIA card"
        return f"{what}, driver {self.driver}" if self.driver else what


@dataclass(frozen=True)
class Unseen:
    """Why PyTorch sees no card, and what to do."""

    reason: str
    remedy: str
    wanted: bool  # hidden by a user or by a scheduler, and so no mistake


def torch_build() -> TorchBuild | None:
    """The installed PyTorch, read from its files without importing it; None if there is none."""
    try:
        version = importlib.metadata.version("torch")
        spec = importlib.util.find_spec("torch")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    values = dict(re.findall(r"^(__version__|cuda|hip|xpu)\b[^=\n]*= *'([^']+)'", text, re.M))
    return TorchBuild(values.get("__version__", version), values.get("cuda"), "hip" in values or "xpu" in values)


def find_cards() -> Cards:
    """The cards that the driver's files show, or else nvidia-smi, which is run only where those are missing."""
    files = tuple(sorted(path for path in DEV.glob("nvidia[0-9]*") if path.name[6:].isdigit()))
    driver, names = "", []
    with contextlib.suppress(OSError):
        found = re.search(r"Kernel Module .*?\b(\d{3,}\.\d+(?:\.\d+)?)", (PROC / "version").read_text(errors="replace"))
        driver = found[1] if found else "of unknown version"
    for card in sorted(PROC.glob("gpus/*/information")):
        with contextlib.suppress(OSError):
            named = re.search(r"^Model:\s*(\S.*?)\s*$", card.read_text(errors="replace"), re.M)
            names.append(one_line(named[1]) if named else "an NVIDIA card")
    if driver or files:
        return Cards(driver, tuple(names), files)
    return _asked_cards()


def _asked_cards() -> Cards:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Cards()
    line = [program, "--query-gpu=driver_version,name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(line, capture_output=True, text=True, timeout=_PATIENCE, errors="replace")  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return Cards()
    if answer.returncode:
        return Cards()
    rows = [row.partition(",") for row in answer.stdout.splitlines() if "," in row]
    return (
        Cards(rows[0][0].strip(), tuple(one_line(name.strip()) for _, _, name in rows), virtual=True)
        if rows
        else Cards()
    )


def why_unseen(cards: Cards, build: TorchBuild | None) -> Unseen:
    """The most likely reason for which PyTorch sees none of the cards that there are.

    Args:
        cards: with `Cards.there`.
        build: see `torch_build`.
    """
    known = known_obstacle(cards, build)
    if known is not None:
        return known
    if HIDING in os.environ:
        return Unseen(
            f"{HIDING}={os.environ[HIDING].strip()} names no card of this machine",
            f"correct it (nvidia-smi -L lists the cards), or unset {HIDING}",
            wanted=False,
        )
    return Unseen(
        f"PyTorch {build.version if build else ''} could not start CUDA",
        "run nvidia-smi: where it fails, too, restart the machine or reload the driver (after an update of it, its "
        "library and its module differ until then)",
        wanted=False,
    )


def known_obstacle(cards: Cards, build: TorchBuild | None) -> Unseen | None:
    """What will keep PyTorch from the cards, as far as that is known without importing it; None if nothing is."""
    chosen = os.environ.get(HIDING)
    if chosen is not None and chosen.strip().lower() in _NONE:
        return Unseen(f"{HIDING}={chosen.strip()} hides every card", f"to use them: unset {HIDING}", wanted=True)
    # first: whatever the build and the driver are, who started this process decided about the cards
    if not cards.files and not cards.virtual:
        return Unseen(
            f"the driver is loaded, but there is no {DEV}/nvidia0: this container or sandbox was started without cards",
            "start it with them (Docker: --gpus all)",
            wanted=True,
        )
    if cards.files and not any(map(_can_be_opened, cards.files)):
        return Unseen(
            f"this process may not open {cards.files[0]}: the scheduler gave it no card, or the user lacks the right",
            "request a card from the scheduler (Slurm: --gres=gpu:1), or join the group that owns the file",
            wanted=_is_scheduled(),
        )
    if build is None:
        return Unseen("PyTorch is not installed", _install(cards), wanted=False)
    if build.cuda is None:
        kind = "for other makers' cards" if build.other_gpus else "for CPUs"
        return Unseen(f"the installed PyTorch {build.version} is a build {kind}", _install(cards), wanted=False)
    needed = OLDEST_DRIVER.get(_major(build.cuda))
    if needed is not None and 0 < _major(cards.driver) < needed:
        return Unseen(
            f"the driver {cards.driver} is too old for PyTorch {build.version}, which is built for CUDA {build.cuda} "
            f"and needs driver {needed} or newer",
            f"update the driver, or {_install(cards)}",
            wanted=False,
        )
    return None


def _is_scheduled() -> bool:
    return any(name in os.environ for name in _SCHEDULED)


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def _install(cards: Cards) -> str:
    """The line that installs a build for the cards' driver."""
    driver = _major(cards.driver)
    fitting = [name for cuda, name in _BUILDS.items() if not driver or driver >= OLDEST_DRIVER[cuda]]
    if not fitting:
        return f"update the driver to {OLDEST_DRIVER[12]} or newer and install a build for it (docs/install.md)"
    return (
        f"install the build for this driver: pip install --force-reinstall torch --index-url {TORCH_INDEX}{fitting[0]} "
        "(docs/install.md)"
    )


def _can_be_opened(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        return False
    except OSError:  # busy, or without its driver: that is another reason
        return True
    return True
