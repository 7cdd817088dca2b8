"""What the machine lacked is told from what a launch did itself, by the words of who really says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.machine_failures import is_the_machines, lacks_shared_memory

OF_SHARED_MEMORY = [
    "a worker was killed by signal 7",
    "a worker or its launcher was killed by signal 7 (shared memory lies in /dev/shm, 0.0625 GiB, ...)",
    "a worker was killed by signal 7; rank 0: RuntimeError: Connection reset by peer",
    "horovodrun: Horovod detected that one or more processes exited with non-zero status, thus causing the job to be "
    "terminated. The first process to do so was: Process name: 1 Exit code: 135",
    "rank 0: RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory.",
    "rank 1: RuntimeError: unable to write to file </torch_11_22_33>: No space left on device (28)",
    "rank 1: RuntimeError: unable to allocate shared memory(shm) for file </torch_11_2>: No space left on device (28)",
    "rank 1: RuntimeError: unable to allocate shared memory(shm) for file </torch_11_22_3>: Success (0)",
    "rank 0: RuntimeError: unable to mmap 64 bytes from file </torch_11_2>: Cannot allocate memory (12)",
    "rank 0: RuntimeError: unable to open shared memory object </torch_11_22_0> in read-write mode: No space left on "
    "device (28)",
    "rank 0: OSError: [Errno 28] No space left on device: '/dev/shm/hvdbench-5.new'",
]
OF_DISKS_AND_PORTS = [
    "rank 0: OSError: [Errno 28] No space left on device: '/data/results/x'",
    "rank 0: OSError: [Errno 28] Can't synchronously write data (file write failed: time = ..., errno = 28, ...)",
    "rank 1: OSError: [Errno 122] Disk quota exceeded",
    "rank 0: WorkloadError: train: cannot be cached: [Errno 28] No space left on device: '/cache/x'",
    "rank 0: ResourceExhaustedError: {{function_node __wrapped__SaveV2}} /data/x; No space left on device [Op:SaveV2]",
    "rank 0: RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598",
    "rank 0: RuntimeError: [enforce fail at inline_container.cc:764] . PytorchStreamWriter failed writing file data/1: "
    "file write failed",
    "rank 0: RuntimeError: write(): fd 3 failed with No space left on device",
    "rank 0: OSError: 1000000 requested and 131056 written",
    "rank 0: FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/x']",
    "server 0: ZMQError: Address already in use (addr='tcp://127.0.0.1:5555')",
    "server 0: ZMQError: Address already in use (addr='tcp://*:*')",
    "server 0: UnknownError: Could not start gRPC server",
    "a server was killed by signal 6; server 0: UnknownError: Could not start gRPC server",
    "a worker was killed by signal 11; server 0: ZMQError: Address already in use (addr='tcp://*:*')",
    "worker 1: UnknownError: Could not start gRPC server",
    "rank 0: UnknownError: Could not start gRPC server",
    "horovodrun: [Errno 98] Address already in use",
    "horovodrun: Unable to find a port to bind to.",
    "rank 0: RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:176] bind: Address already in use",
    "rank 0: RuntimeError: [enforce fail at /__w/pytorch/pytorch/third_party/gloo/gloo/transport/tcp/socket.cc:95] "
    "rv != -1. -1 vs -1. bind: Address already in use",
    "rank 1: RuntimeError: [enforce fail at /tmp/b/third_party/gloo/gloo/transport/tcp/listener.cc:42] rv != -1. "
    "-1 vs -1. bind: Address already in use",
]
OF_PORTS_OF_A_USERS_OWN = [
    "rank 0: OSError: [Errno 98] Address already in use",
    "rank 0: WorkloadError: train: [Errno 98] Address already in use",
    "rank 0: ZMQError: Address already in use (addr='tcp://127.0.0.1:5555')",
    "rank 0: RuntimeError: Could not start gRPC server",
    "a worker was killed by signal 6; rank 0: RuntimeError: Could not start gRPC server",
    "rank 0: WorkloadError: train: UnknownError: Could not start gRPC server",
    "rank 0: RuntimeError: my service: Address already in use (98)",
    "rank 0: RuntimeError: [/src/my_service.cc:7] bind: Address already in use",
    # Of torch.distributed by MASTER_PORT. The harness' own processes of it meet at a file.
    "rank 0: RuntimeError: The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use).",
    "rank 0: DistNetworkError: The server socket has failed to listen on any local network address. port: 34508, "
    "useIpv6: false, code: -98, name: EADDRINUSE, message: address already in use",
]
OF_THE_LAUNCH = [
    "rank 0: ShardError: server 0 (unix:@hvdbench-1): refused: wanted 12288 bytes of memory to share with 1 worker: "
    "Cannot allocate memory: take fewer workers, a smaller model or a machine with more memory",
    "a worker was killed by signal 9",
    "a worker was killed by signal 77",
    "rank 0: RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory",
    "rank 0: FloatingPointError: the loss is nan",
    "horovodrun: Horovod detected that one or more processes exited with non-zero status, thus causing the job to be "
    "terminated. The first process to do so was: Process name: 1 Exit code: 137",
    "rank 0: OutOfResources: out of resource: shared memory, Required: 147456, Hardware limit: 101376.",
    "rank 0: RuntimeError: shared memory of my cache is full",
    "rank 0: RuntimeError: shared memory of my cache is full (shared memory lies in /dev/shm, 0.0625 GiB, ...)",
    "rank 0: ValueError: Address already in use: 12 Main Street",
    "rank 0: MyError: No space left on device map, 28 of 28 taken",
    "rank 1: FileNotFoundError: [Errno 2] No such file or directory: '/dev/shm/cache'",
    "rank 0: RuntimeError: Bus error: no bus at 7 o'clock, it was killed by signal 7",
    "rank 0: RuntimeError: Disk quota exceeded",
    "rank 0: RuntimeError: unexpected pos 7 vs 8",
    "rank 0: RuntimeError: my write(): fd 3 failed with No space left on device",
    "rank 0: RuntimeError: 12 requested and 7 written",
    "rank 0: OSError: 12 samples requested and 7 written",
    "rank 0: FileNotFoundError: [Errno 2] No such file or directory: 'No usable temporary directory found in ['",
    "rank 0: RuntimeError: unable to open shared memory object </mine> in read-write mode: no such name (28)",
    "rank 0: MyError: PytorchStreamWriter failed writing file data/1: file write failed",
    "rank 0: RuntimeError: [enforce fail at inline_container.cc:323] . file in archive is not in a subdirectory: x.pkl",
    "rank 0: RuntimeError: shm_open is not for me, nor /torch_1_2",
    "rank 0: RuntimeError: unable to open shared memory object </torch_1> in read-write mode: Too many open files (24)",
]


@pytest.mark.parametrize("reason", OF_SHARED_MEMORY + OF_DISKS_AND_PORTS)
def test_failure_by_the_machine_is_known(reason: str) -> None:
    assert is_the_machines(reason)
    assert lacks_shared_memory(reason) == (reason in OF_SHARED_MEMORY)


@pytest.mark.parametrize("num_values", [1_000, 5_000_000])
@pytest.mark.parametrize("is_path", [True, False], ids=["path", "file"])
def test_full_disk_is_known_by_what_torch_says_of_it(num_values: int, is_path: bool) -> None:
    torch, full = pytest.importorskip("torch"), Path("/dev/full")
    with full.open("wb", buffering=0) as file, pytest.raises((RuntimeError, OSError)) as failed:
        torch.save(torch.zeros(num_values), full if is_path else file)
    assert is_the_machines(f"rank 0: {failed.typename}: {failed.value}")


@pytest.mark.parametrize("reason", OF_THE_LAUNCH + OF_PORTS_OF_A_USERS_OWN)
def test_failure_of_what_ran_is_none_of_the_machines(reason: str) -> None:
    assert not is_the_machines(reason)
