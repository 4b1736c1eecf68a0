"""Which machine, container and environment a run has: what the process can see without any rights.

Owns: reading the facts within a time limit. Does not own: where they stand in a statement (`run_statement`).
They are what the training process says of itself; only evidence (RFC 9334) could prove any of it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from lineage.client.programs import answer

SECONDS = 5.0
"""For each program that knows of accelerators; a driver that hangs is left unsaid."""

_IMAGE_VARIABLES = (
    "LINEAGE_CONTAINER_IMAGE",
    "CONTAINER_IMAGE",
    "IMAGE_NAME",
    "DOCKER_IMAGE",
    "CI_JOB_IMAGE",
)
_CONTAINER_ID = re.compile(r"(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.ASCII)


class Accelerator(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One device. `memory_mib` is what it has."""

    name: str
    uuid: str = ""
    driver: str = ""
    memory_mib: int = 0


class HostFacts(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What is known of the machine; what could not be found out is left empty.

    Attributes:
        memory_bytes: of the machine, or of the container where it has a limit.
        container: `runtime`, `id`, `image`, `namespace`, `pod`, as far as they are known.
        packages: how many Python packages are installed.
        packages_sha256: of the lines `name==version`, sorted, each ended by a newline.
    """

    hostname: str
    system: str
    machine: str
    cpu: str = ""
    cpus: int = 0
    memory_bytes: int = 0
    accelerators: tuple[Accelerator, ...] = ()
    container: dict[str, str] = {}
    python: str = ""
    packages: int = 0
    packages_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """As members of a statement."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @property
    def words(self) -> str:
        """One line for people: the host and its accelerators."""
        kinds: dict[str, int] = {}
        for each in self.accelerators:
            kinds[each.name] = kinds.get(each.name, 0) + 1
        parts = [self.hostname, self.system]
        parts += [f"{count} {name}" for name, count in kinds.items()]
        if drivers := sorted({each.driver for each in self.accelerators if each.driver}):
            parts.append(f"driver {', '.join(drivers)}")
        if self.container:
            named = self.container.get("image") or self.container.get("id") or ""
            parts.append(f"{self.container.get('runtime', '')} container {named}".strip())
        return ", ".join(parts)


def host_facts() -> HostFacts:
    """What this machine says of itself, within seconds whatever its drivers do."""
    count, digest = packages()
    return HostFacts(
        hostname=socket.gethostname(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=_cpu(_text("/proc/cpuinfo")),
        cpus=_usable_cpus(),
        memory_bytes=_memory(),
        accelerators=tuple(accelerators()),
        container=container(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=count,
        packages_sha256=digest,
    )


def packages() -> tuple[int, str]:
    """How many Python packages are installed, and the SHA-256 of their sorted `name==version` lines."""
    found = set()
    for each in importlib.metadata.distributions():
        told = each.metadata  # read and parsed at each access
        if told and told["Name"]:
            found.add(f"{re.sub(r'[-_.]+', '-', told['Name']).lower()}=={told['Version']}\n")
    return len(found), hashlib.sha256("".join(sorted(found)).encode()).hexdigest()


def accelerators() -> list[Accelerator]:
    """GPUs as their drivers' programs tell of them: NVIDIA's (NVML) and AMD's."""
    asked = "--query-gpu=name,uuid,driver_version,memory.total"
    nvidia = answer(["nvidia-smi", asked, "--format=csv,noheader,nounits"], seconds=SECONDS)
    if nvidia is not None:
        return list(read_nvidia(nvidia))
    amd = answer(
        ["rocm-smi", "--showproductname", "--showuniqueid", "--showdriverversion", "--json"], seconds=SECONDS
    )
    return list(read_amd(amd)) if amd is not None else []


def read_nvidia(said: str) -> Iterable[Accelerator]:
    """Lines `name, uuid, driver, MiB` of nvidia-smi; a line of another form is left out."""
    for line in said.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 4 and parts[0]:
            memory = int(parts[3]) if parts[3].isdigit() else 0
            yield Accelerator(parts[0], uuid=parts[1], driver=parts[2], memory_mib=memory)


def read_amd(said: str) -> Iterable[Accelerator]:
    """rocm-smi's JSON: a member `cardN` a device, `system` for the driver."""
    try:
        found = json.loads(said)
    except ValueError:
        return
    if not isinstance(found, dict):
        return
    system = found.get("system")
    driver = str(system.get("Driver version", "")) if isinstance(system, dict) else ""
    for name, card in sorted(found.items()):
        if name.startswith("card") and isinstance(card, dict):
            series = card.get("Card Series") or card.get("Card series") or card.get("Card model") or name
            yield Accelerator(str(series), uuid=str(card.get("Unique ID", "")), driver=driver)


def container(root: str = "/") -> dict[str, str]:
    """What is known of the container that this process runs in; empty outside of one."""
    top = Path(root)
    found = {
        "runtime": _runtime(top),
        "id": _container_id(_text(top / "proc/self/mountinfo") + _text(top / "proc/self/cgroup")),
        "image": next((os.environ[name] for name in _IMAGE_VARIABLES if os.environ.get(name)), ""),
    }
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        found["runtime"] = found["runtime"] or "kubernetes"
        found["namespace"] = _text(top / "var/run/secrets/kubernetes.io/serviceaccount/namespace").strip()
        found["pod"] = os.environ.get("HOSTNAME", "")
    return {name: value for name, value in found.items() if value}


def _runtime(top: Path) -> str:
    if (top / ".dockerenv").exists():
        return "docker"
    if (said := top / "run/.containerenv").exists():
        engine = re.search(r'engine="([^"]*)"', _text(said))
        return engine[1] if engine else "podman"
    return "singularity" if os.environ.get("SINGULARITY_CONTAINER") else ""


def _container_id(said: str) -> str:
    for line in said.splitlines():
        if "/docker" in line or "kubepods" in line or "containers" in line or "libpod" in line:
            for part in line.split():
                if found := _CONTAINER_ID.search(part):
                    return found[1]
    return ""


def _cpu(info: str) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.processor()


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 0


def _memory() -> int:
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0
    limit = _text("/sys/fs/cgroup/memory.max").strip()
    return min(whole, int(limit)) if limit.isdigit() else whole


def _text(path: str | Path) -> str:
    """A small file of the system, "" where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""
