#!/bin/bash
# A suite as a job of LSF, submitted where `hvdbench` is on the PATH and from a folder that all nodes see:
#   SUITE=suites/cluster.yaml bsub -n 8 -R 'span[ptile=4]' < suites/cluster/lsf.sh
# It runs on the first host and starts a launch for each cell on the hosts of LSB_DJOB_HOSTFILE or LSB_MCPU_HOSTS, by
# ssh. Ended early, by bkill or the time limit, the same command goes on.
#BSUB -J hvdbench
#BSUB -n 8
#BSUB -R "span[ptile=4]"
#BSUB -x
#BSUB -W 04:00
#BSUB -o hvdbench-%J.log
exec hvdbench run "${SUITE:-suites/cluster.yaml}"
