/*
 * svg.c -- the picture as SVG: frames, then arrows, then cards, then words.
 *
 * Owns:     colours, for light and for dark; how a text from outside becomes XML.
 * Tests:    tests/graph/test_graph.py
 */
#include "graph_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const tone_names[TONES] = {"plain", "ahead", "active", "good", "bad", "undone", "skipped"};
static const char *const ink_names[INKS] = {"tag", "title", "text", "code", "undo", "status", "error"};

static const char style[] =
    "<style>\n"
    "text{font-family:-apple-system,\"Segoe UI\",Helvetica,Arial,\"DejaVu Sans\",sans-serif;font-size:12px;fill:#1f2328}\n"
    ".tag{font-size:11px;font-weight:bold;fill:#59636e}.title{font-size:14px;font-weight:bold}.text,.undo{fill:#424a53}\n"
    ".code{font-family:ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#424a53}\n"
    ".status{font-weight:bold}.error{fill:#a40e26}\n"
    ".back{fill:#fff}.frame{fill:#818b98;fill-opacity:.06;stroke:#818b98}.line{fill:none;stroke:#59636e;stroke-width:1.5}.head,.dot{fill:#59636e}\n"
    ".idle{stroke:#c8ced5;fill:none}.head.idle,.dot.idle{fill:#c8ced5}.turn{fill:none;stroke:#bc4c00;stroke-width:1.5;stroke-dasharray:4 3}\n"
    ".head.turn{fill:#bc4c00;stroke:none}\n"
    ".card{stroke-width:1.5}.plain{fill:#fff;stroke:#59636e}.ahead{fill:#fff;stroke:#c8ced5}.active{fill:#ddf4ff;stroke:#0969da}\n"
    ".good{fill:#dafbe1;stroke:#1a7f37}.bad{fill:#ffebe9;stroke:#cf222e}.undone{fill:#fff1e5;stroke:#bc4c00}\n"
    ".skipped{fill:#f6f8fa;stroke:#818b98;stroke-dasharray:4 3}.inner{fill:none}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#f0f6fc}.tag{fill:#9198a1}.text,.undo,.code{fill:#c9d1d9}.error{fill:#ffa198}\n"
    ".back{fill:#0d1117}.frame{fill:#b1bac4;stroke:#656c76}.line{stroke:#9198a1}.head,.dot{fill:#9198a1}\n"
    ".idle{stroke:#3d444d}.head.idle,.dot.idle{fill:#3d444d}.turn{stroke:#f0883e}.head.turn{fill:#f0883e}\n"
    ".plain{fill:#151b23;stroke:#9198a1}.ahead{fill:#0d1117;stroke:#3d444d}.active{fill:#10233d;stroke:#4493f8}\n"
    ".good{fill:#12281a;stroke:#3fb950}.bad{fill:#34191b;stroke:#f85149}.undone{fill:#33210f;stroke:#f0883e}\n"
    ".skipped{fill:#151b23;stroke:#656c76}.inner{fill:none}}\n"
    "</style>\n";

/* Numbers and words of ours. */
static void put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *out, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
}

/* XML 1.0 has no place for U+FFFE and U+FFFF; what turns the direction of writing would turn what a reader believes. */
static bool is_barred(const char *text)
{
    static const char *const barred[] = {"\xef\xbf\xbe", "\xef\xbf\xbf", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
                                         "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9"};

    for (size_t i = 0; i < sizeof barred / sizeof *barred; i++) {
        if (strncmp(text, barred[i], 3) == 0)
            return true;
    }
    return false;
}

static void put_escaped(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': buffer_text(out, "&amp;"); break;
        case '<': buffer_text(out, "&lt;"); break;
        case '>': buffer_text(out, "&gt;"); break;
        case '"': buffer_text(out, "&quot;"); break;
        default:
            if (((unsigned char)*text < 0x20) || *text == 0x7f) {
                buffer_char(out, '?');
            } else if (is_barred(text)) {
                buffer_char(out, '?');
                text += 2;
            } else {
                buffer_char(out, *text);
            }
        }
    }
}

/* One line of text; its left end is at x, or its middle. */
static void put_text(struct buffer *out, enum ink ink, const char *text, int x, int y, bool middle)
{
    put(out, "<text class=\"%s\" x=\"%d\" y=\"%d\"", ink_names[ink], x, y);
    if (middle)
        buffer_text(out, " text-anchor=\"middle\"");
    if (font_guessed(text))
        put(out, " textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"", font_width(ink, text, strlen(text)));
    buffer_char(out, '>');
    put_escaped(out, text);
    buffer_text(out, "</text>\n");
}

/* The base line is four fifths down its line. */
static int put_rows(struct buffer *out, const struct row *rows, int x, int y, bool middle)
{
    for (const struct row *row = rows; row != NULL; row = row->next) {
        for (int i = 0; i < row->lines_len; i++, y += font_line(row->ink))
            put_text(out, row->ink, row->lines[i], x, y + font_line(row->ink) * 4 / 5, middle);
    }
    return y;
}

static const char *line_class(bool idle)
{
    return idle ? "line idle" : "line";
}

static void put_line(struct buffer *out, bool idle, int x1, int y1, int x2, int y2)
{
    put(out, "<path class=\"%s\" d=\"M%d %dL%d %d\"/>\n", line_class(idle), x1, y1, x2, y2);
}

static void put_arrow(struct buffer *out, bool idle, int x, int from, int to)
{
    put_line(out, idle, x, from, x, to - 6);
    put(out, "<polygon class=\"%s\" points=\"%d,%d %d,%d %d,%d\"/>\n", idle ? "head idle" : "head", x - 4, to - 7, x + 4, to - 7, x, to);
}

static void put_dot(struct buffer *out, bool idle, int x, int y)
{
    put(out, "<circle class=\"%s\" cx=\"%d\" cy=\"%d\" r=\"4\"/>\n", idle ? "dot idle" : "dot", x, y);
}

/* The way back, beside the way there. */
static void put_turn(struct buffer *out, int x, int from, int to)
{
    put(out, "<path class=\"turn\" d=\"M%d %dL%d %d\"/>\n", x + 14, from - 2, x + 14, to + 9);
    put(out, "<polygon class=\"head turn\" points=\"%d,%d %d,%d %d,%d\"/>\n", x + 10, to + 9, x + 18, to + 9, x + 14, to + 2);
}

static bool has_undone(const struct node *from, const struct node *to)
{
    for (; from != to; from = from->next) {
        if (from->undone)
            return true;
    }
    return to->undone;
}

static bool has_reached(const struct node *from)
{
    for (; from != NULL; from = from->next) {
        if (from->reached)
            return true;
    }
    return false;
}

static bool passed(const struct node *node)
{
    return node->tone == TONE_PLAIN || node->tone == TONE_GOOD || node->tone == TONE_UNDONE || node->tone == TONE_SKIPPED;
}

static void put_frames(const struct tree *tree, struct buffer *out, const struct node *node);

/* The arrows of a list, from y to y; the last one without a head. Frames in it, too: what stands in a frame is drawn over it. */
static void put_list(const struct tree *tree, struct buffer *out, const struct lane *lane, int from, int to, bool idle)
{
    const struct node *last = NULL;

    for (const struct node *node = lane->first; node != NULL; last = node, node = node->next) {
        put_arrow(out, idle || node->tone == TONE_AHEAD, lane->axis, last == NULL ? from : last->at.y + last->at.h, node->at.y);
        if (tree->turned_back && last != NULL && has_undone(lane->first, last) && has_reached(node))
            put_turn(out, lane->axis, node->at.y, last->at.y + last->at.h);
        put_frames(tree, out, node);
    }
    put_line(out, idle || (last != NULL && !passed(last)), lane->axis, last == NULL ? from : last->at.y + last->at.h, lane->axis, to);
}

static void put_rect(struct buffer *out, const char *class, const char *more, int inset, const struct place *at, int radius)
{
    put(out, "<rect class=\"%s%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>\n", class, more, at->x + inset, at->y + inset, at->w - 2 * inset,
        at->h - 2 * inset, radius);
}

static void put_lanes(const struct tree *tree, struct buffer *out, const struct node *node)
{
    const bool run = tree->steps != NULL, idle = run && !node->reached;
    const int fork = node->at.y + FRAME_PAD + node->head + BUS, several = node->lanes->next != NULL;
    const int join = node->at.y + node->at.h - BUS;
    const struct lane *lane = node->lanes;

    for (int pass = 0; pass < 2; pass++) { /* the ways taken over those that were not */
        for (lane = node->lanes; lane != NULL; lane = lane->next) {
            bool other = idle || (run && !lane->taken);
            int y = lane->label_y;

            if (other == (pass == 1))
                continue;
            if (several) {
                put(out, "<path class=\"%s\" d=\"M%d %dL%d %dL%d %d\"/>\n", line_class(other), node->axis, fork, lane->axis, fork, lane->axis, y);
                for (const struct row *row = lane->label; row != NULL; row = row->next)
                    y += row->lines_len * font_line(row->ink);
            } else {
                y = fork;
            }
            put_list(tree, out, lane, y + (lane->label != NULL ? 4 : 0), join, other);
            if (several)
                put_line(out, other, lane->axis, join, node->axis, join);
        }
    }
    put_dot(out, idle, node->axis, fork);
    put_dot(out, idle || (run && !passed(node)), node->axis, join);
}

static void put_frames(const struct tree *tree, struct buffer *out, const struct node *node)
{
    if (!layout_is_frame(node))
        return;
    if (node->shape == SHAPE_STACK) {
        const struct place behind = {node->at.x + 6, node->at.y + 6, node->at.w, node->at.h};

        put_rect(out, "frame", "", 0, &behind, 10);
    }
    put_rect(out, "frame", "", 0, &node->at, 10);
    if (node->lanes != NULL)
        put_lanes(tree, out, node);
}

static void put_card(struct buffer *out, const struct node *node)
{
    const struct place *at = &node->at;
    const char *tone = tone_names[node->tone];
    int middle = at->y + at->h / 2;

    switch (node->shape) {
    case SHAPE_FRAME:
    case SHAPE_STACK: break;
    case SHAPE_POINTED:
        put(out, "<polygon class=\"card %s\" points=\"%d,%d %d,%d %d,%d %d,%d %d,%d %d,%d\"/>\n", tone, at->x, middle, at->x + 12, at->y, at->x + at->w - 12, at->y,
            at->x + at->w, middle, at->x + at->w - 12, at->y + at->h, at->x + 12, at->y + at->h);
        break;
    case SHAPE_ROUND: put_rect(out, "card ", tone, 0, at, at->h / 2 < 22 ? at->h / 2 : 22); break;
    case SHAPE_CARD: put_rect(out, "card ", tone, 0, at, 8); break;
    case SHAPE_DOUBLE:
        put_rect(out, "card ", tone, 0, at, 8);
        put(out, "<rect class=\"%s inner\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"5\"/>\n", tone, at->x + 4, at->y + 4, at->w - 8, at->h - 8);
        break;
    case SHAPE_BAR:
        put_rect(out, "card ", tone, 0, at, 3);
        put(out, "<path class=\"%s inner\" d=\"M%d %dL%d %dM%d %dL%d %d\"/>\n", tone, at->x + 10, at->y, at->x + 10, at->y + at->h, at->x + at->w - 10, at->y,
            at->x + at->w - 10, at->y + at->h);
        break;
    }
}

static void put_steps(struct buffer *out, const struct node *first)
{
    for (const struct node *node = first; node != NULL; node = node->next) {
        buffer_text(out, "<g class=\"step\" data-step=\"");
        put_escaped(out, node->name);
        buffer_text(out, "\">\n");
        put_card(out, node);
        (void)put_rows(out, node->rows, node->at.x + layout_pad(node), node->at.y + (layout_is_frame(node) ? FRAME_PAD : PAD), false);
        buffer_text(out, "</g>\n");
        for (const struct lane *lane = node->lanes; lane != NULL; lane = lane->next) {
            (void)put_rows(out, lane->label, lane->axis, lane->label_y, true);
            put_steps(out, lane->first);
        }
    }
}

void svg_write(const struct tree *tree, const struct layout *layout, struct buffer *out)
{
    const bool run = tree->steps != NULL;
    const struct place *end = &layout->end;

    put(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>", layout->width, layout->height,
        layout->width, layout->height);
    for (const struct row *row = tree->head; row != NULL; row = row->next) {
        put_escaped(out, row->text);
        if (row->next != NULL)
            buffer_text(out, "; ");
    }
    buffer_text(out, "</title>\n");
    buffer_text(out, style);
    put(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", layout->width, layout->height);
    (void)put_rows(out, tree->head, MARGIN, MARGIN, false);
    put(out, "<circle class=\"dot\" cx=\"%d\" cy=\"%d\" r=\"7\"/>\n", layout->axis, layout->start_y);
    put_list(tree, out, &tree->lane, layout->start_y, end->y, false);
    put(out, "<polygon class=\"head%s\" points=\"%d,%d %d,%d %d,%d\"/>\n", run && tree->end_tone != TONE_GOOD ? " idle" : "", layout->axis - 4, end->y - 7, layout->axis + 4,
        end->y - 7, layout->axis, end->y);
    put_steps(out, tree->lane.first);
    put_rect(out, "card ", tone_names[tree->end_tone], 0, end, end->h / 2);
    put_text(out, INK_STATUS, tree->end, end->x + end->w / 2, end->y + 19, true);
    buffer_text(out, "</svg>\n");
}
