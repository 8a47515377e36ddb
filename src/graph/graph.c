/*
 * graph.c -- from the document to the text of a picture.
 */
#include "graph_internal.h"
#include <string.h>

bool graph_format_parse(const char *text, enum graph_format *ret_format)
{
    static const char *const names[] = {"svg", "mermaid", "dot"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_format = (enum graph_format)i;
            return true;
        }
    }
    return false;
}

enum baton_err graph_draw(const json_t *definition, const json_t *saga, enum graph_format format, struct buffer *out, struct baton_error *err)
{
    struct tree tree = {.saga = NULL};
    struct layout layout = {.width = 0};

    if (tree_read(&tree, definition, saga)) {
        switch (format) {
        case GRAPH_SVG:
            layout_place(&tree, &layout);
            if (!tree.arena.failed)
                svg_write(&tree, &layout, out);
            break;
        case GRAPH_MERMAID: mermaid_write(&tree, out); break;
        case GRAPH_DOT: dot_write(&tree, out); break;
        }
    }
    if (tree.arena.failed || out->failed) {
        tree_free(&tree);
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a picture");
    }
    tree_free(&tree);
    return BATON_OK;
}
