"""What a machine says of itself: real here, and as other machines' programs and files say it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from pathlib import Path

import pytest

from lineage.client import facts as gathered
from lineage.client.host_facts import (
    Accelerator,
    HostFacts,
    accelerators,
    container,
    host_facts,
    packages,
    read_amd,
    read_nvidia,
)

NVIDIA = """NVIDIA H100 80GB HBM3, GPU-5d3c, 550.54.15, 81559
NVIDIA H100 80GB HBM3, GPU-77aa, 550.54.15, 81559
Unable to determine the device handle for GPU 0000:00:1F.0: Unknown Error"""
AMD = (
    '{"card0": {"Card Series": "AMD Instinct MI300X", "Unique ID": "0xab"},'
    ' "system": {"Driver version": "6.7"}}'
)
ID = "0123456789abcdef" * 4


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)


def test_this_machine_is_described() -> None:
    found = host_facts()
    assert found.hostname == socket.gethostname()
    assert found.python == f"{platform.python_implementation()} {platform.python_version()}"
    assert found.cpus > 0
    assert found.memory_bytes > 0
    assert found.packages > 5
    assert socket.gethostname() in found.words
    assert found.to_json()["packagesSha256"] == packages()[1]


def test_gpus_are_found_by_their_drivers_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "cat").symlink_to(shutil.which("cat", path="/bin:/usr/bin") or "/bin/cat")
    assert accelerators() == []
    program(tmp_path, "rocm-smi", AMD)
    assert accelerators() == [Accelerator("AMD Instinct MI300X", uuid="0xab", driver="6.7")]
    program(tmp_path, "nvidia-smi", NVIDIA)
    assert [each.uuid for each in accelerators()] == ["GPU-5d3c", "GPU-77aa"]


def test_what_the_programs_say_is_read_and_nonsense_left_out() -> None:
    first, second = read_nvidia(NVIDIA)
    assert first == Accelerator("NVIDIA H100 80GB HBM3", "GPU-5d3c", "550.54.15", 81559)
    assert second.uuid == "GPU-77aa"
    assert list(read_nvidia("")) == []
    assert list(read_amd(AMD)) == [Accelerator("AMD Instinct MI300X", uuid="0xab", driver="6.7")]
    assert list(read_amd("WARNING: no devices")) == list(read_amd("[]")) == []


def test_words_name_machine_gpus_driver_and_container() -> None:
    gpu = Accelerator("H100", driver="550")
    found = HostFacts(
        "gpu-17",
        "Linux 6.8",
        "x86_64",
        accelerators=(gpu, gpu),
        container={"runtime": "docker", "image": "t:1"},
    )
    assert found.words == "gpu-17, Linux 6.8, 2 H100, driver 550, docker container t:1"


@pytest.mark.parametrize(
    "mount",
    [
        f"579 563 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda1 rw",
        f"12:memory:/kubepods/burstable/pod1b2c/{ID}",
        f"0::/system.slice/docker-{ID}.scope",
        f"0::/machine.slice/libpod-{ID}.scope",
    ],
)
def test_a_container_is_known_by_its_id(tmp_path: Path, mount: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "CONTAINER_IMAGE", "IMAGE_NAME", "DOCKER_IMAGE", "CI_JOB_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINEAGE_CONTAINER_IMAGE", "registry.example/train@sha256:ab")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(mount + "\n")
    (tmp_path / ".dockerenv").touch()
    assert container(str(tmp_path)) == {
        "runtime": "docker",
        "id": ID,
        "image": "registry.example/train@sha256:ab",
    }


def test_outside_of_containers_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if "IMAGE" in each or each.startswith(("KUBERNETES", "SING"))]:
        monkeypatch.delenv(name)
    assert container(str(tmp_path)) == {}


def test_facts_that_take_too_long_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import threading

    go_on = threading.Event()

    def slow(script: object) -> None:
        go_on.wait()

    monkeypatch.setattr(gathered, "code_facts", slow)
    monkeypatch.setattr(gathered, "PATIENCE_SECONDS", 0.05)
    assert gathered.Facts().get() == (None, None)
    assert "left out" in caplog.text
    go_on.set()
