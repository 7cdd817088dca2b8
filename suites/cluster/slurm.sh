#!/bin/bash
# A suite as a job of Slurm, submitted where `hvdbench` is on the PATH and from a folder that all nodes see:
#   sbatch --nodes=2 --ntasks-per-node=4 suites/cluster/slurm.sh [SUITE [OPTIONS OF hvdbench run]]
# It runs on the first node and starts a launch for each cell on the job's nodes, by ssh, or with --controller mpi by
# srun as well. Ended early, by scancel or the time limit, the same command goes on.
#SBATCH --job-name=hvdbench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --output=hvdbench-%j.log
exec hvdbench run "${@:-suites/cluster.yaml}"
