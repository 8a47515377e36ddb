/*
 * arena.c -- the memory of one drawing.
 */
#include "graph_internal.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 16384

struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t bytes[];
};

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t want = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct chunk *chunk = arena->chunks;

    if (chunk == NULL || chunk->size - chunk->used < want) {
        size_t size = want > CHUNK_BYTES ? want : CHUNK_BYTES;

        chunk = calloc(1, sizeof *chunk + size);
        if (chunk == NULL) {
            arena->failed = true;
            return NULL;
        }
        chunk->size = size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    chunk->used += want;
    return (char *)chunk->bytes + chunk->used - want;
}

const char *arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_take(arena, len + 1);

    if (copy == NULL)
        return "";
    memcpy(copy, text, len);
    return copy;
}

const char *arena_say(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    char *text = NULL;
    int len = 0;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    text = len < 0 ? NULL : arena_take(arena, (size_t)len + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text == NULL ? "" : text;
}

void arena_free(struct arena *arena)
{
    for (struct chunk *chunk = arena->chunks, *next = NULL; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    arena->chunks = NULL;
}
