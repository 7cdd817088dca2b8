#!/bin/bash
# A suite as a job of PBS, submitted from a folder that all nodes see (Torque: nodes=2:ppn=4 for `select`, no `place`):
#   qsub -l select=2:ncpus=4:mpiprocs=4 -v SUITE=suites/cluster.yaml suites/cluster/pbs.sh
# It runs on the first node and starts a launch for each cell on the hosts of $PBS_NODEFILE, by ssh. Ended early, by
# qdel or the time limit, the same command goes on.
#PBS -N hvdbench
#PBS -l select=2:ncpus=4:mpiprocs=4
#PBS -l place=scatter:excl
#PBS -l walltime=04:00:00
#PBS -j oe
cd "$PBS_O_WORKDIR" || exit 2
export PATH="$PBS_O_PATH" # of the shell that submitted it, where `hvdbench` is found
exec hvdbench run "${SUITE:-suites/cluster.yaml}"
