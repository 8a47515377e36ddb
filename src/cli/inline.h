/*
 * inline.h -- the schema files that a definition's file names, put into it.
 */
#ifndef BATON_CLI_INLINE_H
#define BATON_CLI_INLINE_H

#include "cli.h"

struct inlined {
    char *pointer; /* of the name in the definition, where the schema is now */
    char *path, *text;
    size_t len;
    struct baton_error error; /* why there is none */
};

struct inlines {
    struct inlined *items;
    size_t len;
    bool too_large; /* the definition, with all of them */
};

/** Put the content of each file that document names in its place. False if memory ran out; what else is wrong inlines_tell tells. */
bool inline_schemas(json_t *document, const char *path, struct inlines *ret_inlines);
void inlines_tell(const struct inlines *inlines, struct findings *findings);
void inlines_free(struct inlines *inlines);
/** The file in which pointer stands, and the pointer inside of it; NULL: in the definition itself. */
const struct inlined *inlined_at(const struct inlines *inlines, const char *pointer, const char **ret_inside);

#endif
