/*
 * offsets.c -- the metadata of committed offsets: `1;seq=<seq>;c=<checkpoint>`.
 *
 * Owns:     its form. A form that is not ours reads as "none": the group may have been used by something else.
 * Tests:    tests/wire/test_text.c
 */
#include "ids.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "1;seq="
#define CHECKPOINT ";c="

size_t wire_offset_metadata(char out[64], int64_t seq, int64_t checkpoint)
{
    int len = snprintf(out, 64, PREFIX "%" PRId64 CHECKPOINT "%" PRId64, seq, checkpoint);

    return len < 0 ? 0 : (size_t)len;
}

bool wire_offset_metadata_parse(const char *text, size_t len, int64_t *ret_seq, int64_t *ret_checkpoint)
{
    const char *semicolon;
    const char *number;
    size_t rest;
    int64_t seq, checkpoint;

    if (text == NULL || len < strlen(PREFIX) || memcmp(text, PREFIX, strlen(PREFIX)) != 0)
        return false;
    number = text + strlen(PREFIX);
    rest = len - strlen(PREFIX);
    semicolon = memchr(number, ';', rest);
    if (semicolon == NULL || !number_parse(number, (size_t)(semicolon - number), &seq))
        return false;
    rest -= (size_t)(semicolon - number);
    if (rest < strlen(CHECKPOINT) || memcmp(semicolon, CHECKPOINT, strlen(CHECKPOINT)) != 0 ||
        !number_parse(semicolon + strlen(CHECKPOINT), rest - strlen(CHECKPOINT), &checkpoint))
        return false;
    *ret_seq = seq;
    *ret_checkpoint = checkpoint;
    return true;
}
