#!/bin/sh
# The core's purity, proved by the build: its archive needs nothing but jansson, Lua and an allowed few of the C library.
# Usage: is_pure.sh ARCHIVE
set -eu
allowed='^(json_[a-z_0-9]+|lua_[a-z_]+|luaL_[a-zA-Z_]+|luaopen_[a-z0-9]+|calloc|malloc|realloc|free|mem(chr|cmp|cpy|mem|move|set)|__memcpy_chk|__memset_chk|str(chr|rchr|cmp|dup|len|ncmp|ndup|pbrk|spn|cspn|str|cpy)|__strcpy_chk|__strcat_chk|__strncpy_chk|strto(d|ul|l|ll|ull|imax)|__isoc23_strto[a-z]+|v?snprintf|__v?snprintf_chk|qsort|bsearch|__assert_fail|abort|__ctype_(b|tolower|toupper)_loc|floor|ceil|fmod|pow|round|llround|isnan|__errno_location|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan)_.*|__sanitizer_.*|__tls_get_addr)$'
defined=$(nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u)
needed=$(nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u)
foreign=$(printf '%s\n' "$needed" | grep -vxF "$defined" | grep -vE "$allowed" || true)
if [ -n "$foreign" ]; then
    echo "the core needs what it must not:"
    echo "$foreign"
    exit 1
fi
