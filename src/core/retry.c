/*
 * retry.c -- when the next attempt is due.
 *
 * Owns:     exponential back-off with a jitter that every worker computes alike.
 * Why:      jitter spreads a herd (Brooker, "Exponential Backoff and Jitter", AWS 2015); drawn from saga, step and attempt
 *           instead of a generator, a replay gives the same times.
 * Tests:    tests/core/test_retry.c
 */
#include <baton/apply.h>

/* FNV-1a (Fowler, Noll, Vo) over the text, then splitmix64's finalizer (Steele et al., OOPSLA 2014). */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static double unit_interval(const char *saga_id, const char *step, int attempt)
{
    uint64_t hash = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), saga_id), step) + (uint64_t)attempt;

    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    return (double)(hash >> 11) / 9007199254740992.0;
}

int64_t retry_delay_ms(const struct retry_policy *policy, const char *saga_id, const char *step, int next_attempt)
{
    double delay = (double)policy->interval_ms, most = (double)policy->max_interval_ms;

    for (int i = 2; i < next_attempt && delay < most; i++)
        delay *= policy->backoff;
    if (delay > most)
        delay = most;
    delay *= 1 + policy->jitter * (2 * unit_interval(saga_id, step, next_attempt) - 1);
    return (int64_t)delay;
}
