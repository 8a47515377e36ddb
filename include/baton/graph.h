/*
 * graph.h -- a definition as a picture, or a run over it. Pure: documents in, text out.
 */
#ifndef BATON_GRAPH_H
#define BATON_GRAPH_H

#include <baton/buffer.h>
#include <baton/error.h>
#include <jansson.h>
#include <stdbool.h>

enum graph_format { GRAPH_SVG, GRAPH_MERMAID, GRAPH_DOT };
bool graph_format_parse(const char *text, enum graph_format *ret_format); /* "svg", "mermaid", "dot" */

/**
 * Draw a definition. Equal documents give equal bytes.
 *
 * @definition  Borrowed: a document that definition_parse takes. Of another one something is drawn, and nothing breaks.
 * @saga        Borrowed: the state document of a saga of this definition, drawn over it; NULL = the definition alone.
 * @out         The text is appended. SVG stands alone: no script, nothing to load, light or dark as the reader has it.
 * Returns BATON_OK or BATON_E_NOMEM.
 */
enum baton_err graph_draw(const json_t *definition, const json_t *saga, enum graph_format format, struct buffer *out, struct baton_error *err);

#endif
