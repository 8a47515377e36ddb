/*
 * keyed_hash.h -- uthash with a hash function that is keyed per process.
 *
 * Saga ids come from outside: with a known hash anyone could make them collide and turn every look-up into a list walk.
 */
#ifndef BATON_KEYED_HASH_H
#define BATON_KEYED_HASH_H

#include <stdint.h>
#include <string.h>

extern uint64_t keyed_hash_key; /* random, set by the first worker_start before any table exists */

static inline uint64_t keyed_hash_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * (wide)b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded multiplication over 8-byte words, as wyhash does. */
static inline uint64_t keyed_hash(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t seed = keyed_hash_key ^ (uint64_t)len;
    uint64_t word = 0;

    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&word, at, 8);
        seed = keyed_hash_mix(seed ^ word, keyed_hash_key ^ UINT64_C(0xa0761d6478bd642f));
    }
    word = 0;
    memcpy(&word, at, len);
    return keyed_hash_mix(seed ^ word, UINT64_C(0xe7037ed1a0b428db));
}

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)keyed_hash((keyptr), (keylen)))
#define uthash_fatal(text) __builtin_trap() /* out of memory inside a table: die, another worker takes over */
#include <uthash.h>
#include <utlist.h>

#endif
