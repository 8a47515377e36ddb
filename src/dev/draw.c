/*
 * draw.c -- chances that one seed fixes: the same seed, the same faults, however threads are scheduled.
 */
#include "dev_internal.h"

/* FNV-1a (Fowler, Noll, Vo) over the text, then splitmix64's finalizer (Steele et al., OOPSLA 2014). */
uint64_t draw_hash(uint64_t seed, const char *text, uint64_t salt)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    hash += salt * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

double draw(uint64_t seed, const char *text, uint64_t salt)
{
    return (double)(draw_hash(seed, text, salt) >> 11) / 9007199254740992.0;
}
