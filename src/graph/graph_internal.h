/*
 * graph_internal.h -- what is drawn, between the document and the picture. tree.c fills it, layout.c gives it places, svg.c and text.c write it.
 */
#ifndef BATON_GRAPH_INTERNAL_H
#define BATON_GRAPH_INTERNAL_H

#include <baton/graph.h>
#include <stddef.h>

/* --- memory of one drawing, given back at once --- */
struct chunk;
struct arena {
    struct chunk *chunks;
    bool failed; /* sticks: what was drawn is not to be used */
};
void *arena_take(struct arena *arena, size_t bytes); /* zeroed; NULL if memory ran out */
const char *arena_text(struct arena *arena, const char *text, size_t len); /* "" if memory ran out */
const char *arena_say(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);

/* --- the tree --- */
enum ink { INK_TAG, INK_TITLE, INK_TEXT, INK_CODE, INK_UNDO, INK_STATUS, INK_ERROR, INKS };

/* What became of a step: how it looks. Said in words beside. */
enum tone {
    TONE_PLAIN,  /* no run is drawn */
    TONE_AHEAD,  /* not reached */
    TONE_ACTIVE,
    TONE_GOOD,
    TONE_BAD,
    TONE_UNDONE,
    TONE_SKIPPED,
    TONES,
};

enum shape {
    SHAPE_CARD,
    SHAPE_BAR,     /* a card of two bars: another saga */
    SHAPE_DOUBLE,  /* a card in a card */
    SHAPE_POINTED, /* waits for somebody */
    SHAPE_ROUND,   /* waits for a time */
    SHAPE_FRAME,   /* around the steps in it */
    SHAPE_STACK,   /* a frame of many */
};

struct row {
    enum ink ink;
    const char *text; /* one line, not escaped */
    struct row *next;
    const char **lines; /* layout: as it is broken */
    int lines_len;
};

struct place {
    int x, y, w, h;
};

struct lane { /* of a group: steps one after the other */
    struct row *label; /* NULL = none */
    bool taken;        /* by the run */
    struct node *first;
    struct lane *next;
    int left, right, height; /* layout: of what it takes, from its axis */
    int axis, label_y;
};

struct node {
    const char *name;
    const char *tag; /* of its kind; "" = a command */
    enum shape shape;
    enum tone tone;
    bool reached; /* by the run */
    bool undone;  /* it, or a step in it, is or was compensated */
    struct row *rows, *rows_last;
    struct lane *lanes;
    struct node *next;
    int left, right, head; /* layout: from its axis; height of a frame's rows */
    int axis;
    struct place at;
};

struct tree {
    struct arena arena;
    const json_t *saga, *steps; /* NULL = no run */
    int64_t started_ms;
    bool turned_back;
    int parallels; /* read so far: one without a name is called by its number */
    struct row *head, *head_last; /* of the whole picture */
    const char *end;              /* how it ends: the run's status */
    enum tone end_tone;
    struct lane lane;
};

/** False if memory ran out. */
bool tree_read(struct tree *tree, const json_t *definition, const json_t *saga);
void tree_free(struct tree *tree);

/* --- fonts.c: texts have the widths of DejaVu Sans, the widest of the usual fonts: with another one they are shorter --- */
int font_size(enum ink ink);        /* px */
int font_line(enum ink ink);        /* px from line to line */
int font_width(enum ink ink, const char *text, size_t len);
bool font_guessed(const char *text); /* it holds characters whose width is a guess */
/** Break a text into lines of at most so many px, at blanks, hyphens, humps, or anywhere. */
void font_break(struct arena *arena, struct row *row, int width);

/* --- layout.c --- */
#define GAP 30       /* between steps, for the arrow */
#define FRAME_PAD 16
#define BUS 16       /* from a frame's fork down to its lanes */
#define MARGIN 24
#define PAD 12
#define PAD_POINTED 24 /* of shapes whose corners are cut */
int layout_pad(const struct node *node);
bool layout_is_frame(const struct node *node);
struct layout {
    int width, height;
    int axis;
    int start_y, end_y; /* of the dot, of the pill */
    struct place end;
};
void layout_place(struct tree *tree, struct layout *layout);

/* --- svg.c, text.c --- */
void svg_write(const struct tree *tree, const struct layout *layout, struct buffer *out);
void mermaid_write(const struct tree *tree, struct buffer *out);
void dot_write(const struct tree *tree, struct buffer *out);

#endif
