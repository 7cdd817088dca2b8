# hvdbench in a container, as nobody special, on a root file system that may be read-only and with 64 MB of /dev/shm:
#   docker build -t hvdbench --build-context wheels="$HOME/.cache/hvdbench" .   (the folder may be empty, not missing;
#     of its wheels that is taken whose set-up had the Python, glibc, TORCH_INDEX and other options that the image has)
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u)" -v "$PWD:/work" hvdbench run suites/quick.yaml
# For CUDA, on an image of Ubuntu 24.04 that has its toolkit, with the index that pytorch.org shows for that version:
#   docker build --build-arg BASE=nvidia/cuda:... --build-arg HOROVOD_GPU_OPERATIONS=NCCL --build-arg TORCH_INDEX=... .
#   docker run --gpus all ...   (NVIDIA's images say themselves what of the driver they need)
ARG BASE=debian:bookworm-slim

# Replaced by --build-context wheels=...: where that has a wheel of Horovod that fits, none is built.
FROM scratch AS wheels

FROM ${BASE} AS tools
# hadolint ignore=DL3008 # what distributions still carry; all that shapes a measurement is pinned by set-up
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates g++ git make openssh-client python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

FROM tools AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG HOROVOD_GPU_OPERATIONS=
WORKDIR /opt/hvdbench
# With the modes of the checkout: where that is its owner's alone (umask 077), `chmod` below opens it to the image's user.
COPY . .
RUN --mount=type=cache,target=/root/.cache/hvdbench,from=wheels \
    PIP_NO_CACHE_DIR=1 python3 -m harness.bootstrap \
    && .venv/bin/python -m compileall -q harness \
    && chmod -R a+rX .

FROM ${BASE}
# Images of Ubuntu 24.04, as those with CUDA's toolkit, have a user of number 1000 already.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates dataset-fashion-mnist openssh-client openssh-server python3 \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && { ! getent passwd ubuntu || userdel --remove ubuntu; } \
    && useradd --uid 1000 --create-home --shell /bin/sh hvdbench \
    && install -d -o hvdbench /work
# Between containers (suites/cluster): sshd without root, with keys that are mounted into ~/.ssh.
COPY --chmod=644 suites/cluster/sshd_config /etc/ssh/sshd_config_hvdbench
COPY --chmod=644 suites/cluster/ssh_config /etc/ssh/ssh_config.d/hvdbench.conf
COPY --from=build /opt/hvdbench /opt/hvdbench
# Horovod, Matplotlib and others keep files in HOME.
ENV PATH=/opt/hvdbench/.venv/bin:$PATH HOME=/tmp
WORKDIR /work
USER 1000
ENTRYPOINT ["hvdbench"]
CMD ["--help"]
