/*
 * partition.c -- the partition of a key, as the Java clients choose it.
 *
 * Owns:     murmur2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2; also librdkafka's murmur2_random).
 * Tests:    tests/wire/test_ids.c, with the vectors of Kafka's own UtilsTest
 */
#include <baton/wire.h>

#define MURMUR2_SEED UINT32_C(0x9747b28c)
#define MURMUR2_M UINT32_C(0x5bd1e995)
#define MURMUR2_R 24

static uint32_t murmur2(const unsigned char *bytes, size_t len)
{
    uint32_t h = MURMUR2_SEED ^ (uint32_t)len;

    for (; len >= 4; len -= 4, bytes += 4) {
        uint32_t k = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;

        k *= MURMUR2_M;
        k ^= k >> MURMUR2_R;
        h = h * MURMUR2_M ^ k * MURMUR2_M;
    }
    if (len >= 3)
        h ^= (uint32_t)bytes[2] << 16;
    if (len >= 2)
        h ^= (uint32_t)bytes[1] << 8;
    if (len >= 1)
        h = (h ^ bytes[0]) * MURMUR2_M;
    h ^= h >> 13;
    h *= MURMUR2_M;
    return h ^ h >> 15;
}

int32_t wire_partition_of(const void *key, size_t len, int32_t partitions)
{
    return (int32_t)((murmur2(key, len) & UINT32_C(0x7fffffff)) % (uint32_t)partitions);
}
