/*
 * fonts.c -- how wide a text is, and where it may be broken.
 *
 * Owns:     the widths of DejaVu Sans, in thousandths of the size. Verdana has about the same, all other usual fonts have less.
 */
#include "graph_internal.h"
#include <stdint.h>
#include <string.h>

#define MONO 602   /* every character of DejaVu Sans Mono; Menlo, Consolas and Courier have less or the same */
#define NARROW 720 /* beyond ASCII: a guess, which the picture then holds the text to */
#define WIDE 1000  /* East Asian, symbols */

static const uint16_t sans[95] = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838};
static const uint16_t bold[95] = {
    348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 580,
    1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 500,
    500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838};

static const struct font {
    int size, line;
    const uint16_t *widths; /* NULL = all the same */
} fonts[INKS] = {
    [INK_TAG] = {11, 15, bold},   [INK_TITLE] = {14, 20, bold}, [INK_TEXT] = {12, 17, sans},   [INK_CODE] = {12, 17, NULL},
    [INK_UNDO] = {12, 17, sans}, [INK_STATUS] = {12, 17, bold}, [INK_ERROR] = {12, 17, sans},
};

int font_size(enum ink ink)
{
    return fonts[ink].size;
}

int font_line(enum ink ink)
{
    return fonts[ink].line;
}

static bool is_tail(char c) /* not the first byte of a character */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static int width_at(enum ink ink, const char *text)
{
    unsigned char c = (unsigned char)text[0];

    if (is_tail(text[0]))
        return 0;
    if (c < 0x80 && fonts[ink].widths == NULL)
        return MONO;
    if (c < 0x80)
        return c < 0x20 || c == 0x7f ? NARROW : fonts[ink].widths[c - 0x20];
    return c < 0xe1 ? NARROW : WIDE; /* from U+1000 on */
}

int font_width(enum ink ink, const char *text, size_t len)
{
    int64_t width = 0;

    for (size_t i = 0; i < len; i++)
        width += width_at(ink, text + i);
    return (int)((width * fonts[ink].size + 999) / 1000);
}

bool font_guessed(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return true;
    }
    return false;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* May a line end before text[at]? */
static bool breakable(const char *text, size_t at)
{
    char before = text[at - 1], after = text[at];

    return before == ' ' || strchr("-_./:,&|", before) != NULL || (is_upper(after) && !is_upper(before));
}

/* Bytes of the next line. */
static size_t fitting(enum ink ink, const char *text, int width)
{
    size_t best = 0, at = 0, next = 0;
    int64_t used = 0, most = (int64_t)width * 1000 / fonts[ink].size;

    for (; text[at] != '\0'; at = next) {
        for (next = at + 1; is_tail(text[next]); next++) {
        }
        if (at > 0 && breakable(text, at))
            best = at;
        used += width_at(ink, text + at);
        if (at > 0 && used > most && text[at] != ' ')
            return best > 0 ? best : at;
    }
    return at;
}

void font_break(struct arena *arena, struct row *row, int width)
{
    size_t most = strlen(row->text) + 1;
    const char *at = row->text;

    row->lines = arena_take(arena, most * sizeof *row->lines);
    row->lines_len = 0;
    while (row->lines != NULL && *at != '\0') {
        size_t len = fitting(row->ink, at, width), shown = len;

        while (shown > 0 && at[shown - 1] == ' ')
            shown--;
        row->lines[row->lines_len++] = arena_text(arena, at, shown);
        at += len;
    }
}
