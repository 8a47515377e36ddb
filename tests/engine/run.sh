#!/bin/sh
# Runs a test built with the thread sanitizer. gcc 12's cannot place its shadow where the kernel randomizes mappings by more than
# 28 bits ("unexpected memory mapping"): there, no randomization, if it may be switched off.
set -eu
if setarch -R true 2>/dev/null; then
    exec setarch -R "$@"
fi
exec "$@"
