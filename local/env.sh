# shellcheck shell=bash
# What tests need to know of a running local cloud, exported. Sourced after lib.sh.
