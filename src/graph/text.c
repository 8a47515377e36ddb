/*
 * text.c -- the same tree for other programs to lay out: Mermaid and Graphviz. They differ in how a node, a group and an edge are written.
 *
 * Tests:    tests/graph/test_graph.py
 */
#include "graph_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ID_BYTES 24

struct dialect {
    const char *begin, *end;
    void (*node)(struct buffer *out, const char *id, const struct node *node);
    void (*fork)(struct buffer *out, const char *id); /* where a group's ways part and meet */
    void (*group)(struct buffer *out, const char *id, const struct node *node);
    const char *group_end;
    void (*edge)(struct buffer *out, const char *from, const char *to, const char *label); /* NULL = none */
    void (*last)(struct buffer *out, const char *id, const char *text, enum tone tone);
};

struct writing {
    const struct dialect *dialect;
    struct buffer *out;
    int next; /* number of the next step */
};

static const char *const tone_names[TONES] = {"plain", "ahead", "active", "good", "bad", "undone", "skipped"};

static void put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *out, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
}

/* --- the walk --- */

/* Its steps, one after the other, from the node called `from` on, which becomes the last one. */
static void write_list(struct writing *writing, const struct node *first, char *from, const char *label)
{
    const struct dialect *dialect = writing->dialect;

    for (const struct node *node = first; node != NULL; node = node->next, label = NULL) {
        char id[ID_BYTES], inside[ID_BYTES], join[ID_BYTES];

        (void)snprintf(id, sizeof id, "s%d", writing->next++);
        if (!layout_is_frame(node)) {
            dialect->node(writing->out, id, node);
            dialect->edge(writing->out, from, id, label);
            (void)snprintf(from, ID_BYTES, "%s", id);
            continue;
        }
        (void)snprintf(inside, sizeof inside, "%.18sin", id);
        (void)snprintf(join, sizeof join, "%.18sout", id);
        dialect->group(writing->out, id, node);
        dialect->fork(writing->out, inside);
        dialect->fork(writing->out, join);
        for (const struct lane *lane = node->lanes; lane != NULL; lane = lane->next) {
            char at[ID_BYTES];
            const char *when = lane->label == NULL ? NULL : lane->label->text;

            (void)snprintf(at, sizeof at, "%s", inside);
            write_list(writing, lane->first, at, when);
            dialect->edge(writing->out, at, join, lane->first == NULL ? when : NULL);
        }
        buffer_text(writing->out, dialect->group_end);
        dialect->edge(writing->out, from, inside, label);
        (void)snprintf(from, ID_BYTES, "%s", join);
    }
}

static void write_all(const struct dialect *dialect, const struct tree *tree, struct buffer *out)
{
    struct writing writing = {dialect, out, 0};
    char at[ID_BYTES] = "start";

    buffer_text(out, dialect->begin);
    dialect->fork(out, at);
    write_list(&writing, tree->lane.first, at, NULL);
    dialect->last(out, "stop", tree->end, tree->end_tone);
    dialect->edge(out, at, "stop", NULL);
    buffer_text(out, dialect->end);
}

/* --- Mermaid --- */

/* Inside quotes Mermaid knows entities; what is not plain becomes one. */
static void mermaid_text(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x80 || c == ' ' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("_-.,:/+()", (int)c) != NULL)
            buffer_char(out, *text);
        else
            put(out, "#%d;", c < 0x20 ? '?' : c);
    }
}

static void mermaid_rows(struct buffer *out, const struct node *node)
{
    buffer_char(out, '"');
    for (const struct row *row = node->rows; row != NULL; row = row->next) {
        mermaid_text(out, row->text);
        if (row->next != NULL)
            buffer_text(out, "<br/>");
    }
    buffer_char(out, '"');
}

static void mermaid_node(struct buffer *out, const char *id, const struct node *node)
{
    static const struct {
        const char *open, *close;
    } shapes[] = {
        [SHAPE_CARD] = {"[", "]"},        [SHAPE_BAR] = {"[[", "]]"}, [SHAPE_DOUBLE] = {"[[", "]]"},
        [SHAPE_POINTED] = {"{{", "}}"}, [SHAPE_ROUND] = {"([", "])"}, [SHAPE_FRAME] = {"[", "]"}, [SHAPE_STACK] = {"[", "]"},
    };

    put(out, "  %s%s", id, shapes[node->shape].open);
    mermaid_rows(out, node);
    put(out, "%s:::%s\n", shapes[node->shape].close, tone_names[node->tone]);
}

static void mermaid_fork(struct buffer *out, const char *id)
{
    put(out, "  %s((\" \"))\n", id);
}

static void mermaid_group(struct buffer *out, const char *id, const struct node *node)
{
    put(out, "  subgraph %s[", id);
    mermaid_rows(out, node);
    buffer_text(out, "]\n");
}

static void mermaid_edge(struct buffer *out, const char *from, const char *to, const char *label)
{
    put(out, "  %s -->", from);
    if (label != NULL) {
        buffer_text(out, "|\"");
        mermaid_text(out, label);
        buffer_text(out, "\"|");
    }
    put(out, " %s\n", to);
}

static void mermaid_last(struct buffer *out, const char *id, const char *text, enum tone tone)
{
    put(out, "  %s([\"", id);
    mermaid_text(out, text);
    put(out, "\"]):::%s\n", tone_names[tone]);
}

static const struct dialect mermaid = {
    "flowchart TD\n",
    "  classDef plain fill:#fff,stroke:#59636e,color:#1f2328\n"
    "  classDef ahead fill:#fff,stroke:#c8ced5,color:#59636e\n"
    "  classDef active fill:#ddf4ff,stroke:#0969da,color:#1f2328\n"
    "  classDef good fill:#dafbe1,stroke:#1a7f37,color:#1f2328\n"
    "  classDef bad fill:#ffebe9,stroke:#cf222e,color:#1f2328\n"
    "  classDef undone fill:#fff1e5,stroke:#bc4c00,color:#1f2328\n"
    "  classDef skipped fill:#f6f8fa,stroke:#818b98,color:#1f2328,stroke-dasharray:4 3\n",
    mermaid_node, mermaid_fork, mermaid_group, "  end\n", mermaid_edge, mermaid_last};

void mermaid_write(const struct tree *tree, struct buffer *out)
{
    write_all(&mermaid, tree, out);
}

/* --- Graphviz --- */

static void dot_text(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buffer_char(out, '\\');
        buffer_char(out, (unsigned char)*text < 0x20 ? '?' : *text);
    }
}

static void dot_rows(struct buffer *out, const struct node *node)
{
    buffer_text(out, "label=\"");
    for (const struct row *row = node->rows; row != NULL; row = row->next) {
        dot_text(out, row->text);
        if (row->next != NULL)
            buffer_text(out, "\\n");
    }
    buffer_char(out, '"');
}

static const char *const dot_fills[TONES] = {"#ffffff", "#ffffff", "#ddf4ff", "#dafbe1", "#ffebe9", "#fff1e5", "#f6f8fa"};
static const char *const dot_strokes[TONES] = {"#59636e", "#c8ced5", "#0969da", "#1a7f37", "#cf222e", "#bc4c00", "#818b98"};

static void dot_node(struct buffer *out, const char *id, const struct node *node)
{
    static const char *const shapes[] = {
        [SHAPE_CARD] = "box", [SHAPE_BAR] = "box", [SHAPE_DOUBLE] = "box", [SHAPE_POINTED] = "hexagon", [SHAPE_ROUND] = "box", [SHAPE_FRAME] = "box", [SHAPE_STACK] = "box",
    };

    put(out, "  %s [shape=%s,peripheries=%d,style=\"%s\",fillcolor=\"%s\",color=\"%s\",", id, shapes[node->shape],
        node->shape == SHAPE_DOUBLE || node->shape == SHAPE_BAR ? 2 : 1, node->shape == SHAPE_ROUND || node->shape == SHAPE_CARD ? "filled,rounded" : "filled",
        dot_fills[node->tone], dot_strokes[node->tone]);
    dot_rows(out, node);
    buffer_text(out, "];\n");
}

static void dot_fork(struct buffer *out, const char *id)
{
    put(out, "  %s [shape=point,width=0.12];\n", id);
}

static void dot_group(struct buffer *out, const char *id, const struct node *node)
{
    put(out, "  subgraph cluster_%s {\n  ", id);
    dot_rows(out, node);
    buffer_text(out, ";\n");
}

static void dot_edge(struct buffer *out, const char *from, const char *to, const char *label)
{
    put(out, "  %s -> %s", from, to);
    if (label != NULL) {
        buffer_text(out, " [label=\"");
        dot_text(out, label);
        buffer_text(out, "\"]");
    }
    buffer_text(out, ";\n");
}

static void dot_last(struct buffer *out, const char *id, const char *text, enum tone tone)
{
    put(out, "  %s [shape=box,style=\"filled,rounded\",fillcolor=\"%s\",color=\"%s\",label=\"", id, dot_fills[tone], dot_strokes[tone]);
    dot_text(out, text);
    buffer_text(out, "\"];\n");
}

static const struct dialect dot = {
    "digraph saga {\n  node [fontname=\"Helvetica\",fontsize=11];\n  edge [fontname=\"Helvetica\",fontsize=10];\n", "}\n",
    dot_node, dot_fork, dot_group, "  }\n", dot_edge, dot_last};

void dot_write(const struct tree *tree, struct buffer *out)
{
    write_all(&dot, tree, out);
}
