/*
 * regex.c -- regular expressions without backtracking: parsed to a tree, compiled to a program, run over all alternatives at once.
 *
 * Owns:     which part of ECMA 262 a pattern may use.
 * Why:      a backtracking matcher takes exponential time for (a+)+$ and a stack as deep as the text (libstdc++'s dies of 200,000
 *           characters); this one is linear in the text (Thompson, CACM 1968; Cox, "Regular Expression Matching: the Virtual Machine
 *           Approach", 2009).
 * Tests:    tests/core/test_regex.c
 */
#include "regex.h"
#include "utf8.h"
#include <stdlib.h>
#include <string.h>

#define CODE_MAX 0x10ffff
#define UNBOUNDED -1
#define COUNT_MAX 1000 /* in {n,m} */
#define WORK_MAX 100000 /* trees visited while the program is made: (){1000} nested makes no states, but takes its time */

/* --- the tree --- */

enum kind { EMPTY, RANGES, SEQUENCE, EITHER, REPEAT, START, END, BOUNDARY, NO_BOUNDARY };

struct range {
    uint32_t from, to;
};

struct tree {
    enum kind kind;
    int left, right;   /* indexes; -1 = none */
    int least, most;   /* REPEAT */
    size_t first, len; /* RANGES, in parser->ranges */
};

enum op { OP_RANGES, OP_SPLIT, OP_JUMP, OP_START, OP_END, OP_BOUNDARY, OP_NO_BOUNDARY, OP_MATCH };

struct state {
    enum op op;
    int to, other;     /* SPLIT: both; JUMP: to */
    size_t first, len; /* RANGES */
};

struct set { /* of states, in order of entry: Briggs and Torczon's sparse set */
    int *dense, *sparse, len;
};

struct regex {
    struct state *states;
    int len;
    struct range *ranges;
    size_t ranges_len;
    struct set now, next;
    int *stack;
};

struct parser {
    const char *text, *at, *end;
    struct tree *trees;
    int trees_len, trees_cap;
    struct range *ranges;
    size_t ranges_len, ranges_cap;
    int depth, work;
    struct baton_error *err;
    enum baton_err rc;
};

static int wrong(struct parser *parser, const char *why)
{
    if (parser->rc == BATON_OK)
        parser->rc = baton_fail(parser->err, BATON_E_INVALID, "pattern: character %td: %s", parser->at - parser->text + 1, why);
    return -1;
}

static int no_memory(struct parser *parser)
{
    parser->rc = baton_fail(parser->err, BATON_E_NOMEM, "out of memory");
    return -1;
}

static int add_tree(struct parser *parser, struct tree tree)
{
    if (parser->trees_len == parser->trees_cap) {
        int cap = parser->trees_cap == 0 ? 32 : parser->trees_cap * 2;
        struct tree *trees = realloc(parser->trees, (size_t)cap * sizeof *trees);

        if (trees == NULL)
            return no_memory(parser);
        parser->trees = trees;
        parser->trees_cap = cap;
    }
    parser->trees[parser->trees_len] = tree;
    return parser->trees_len++;
}

static void add_range(struct parser *parser, uint32_t from, uint32_t to)
{
    if (parser->ranges_len == parser->ranges_cap) {
        size_t cap = parser->ranges_cap == 0 ? 32 : parser->ranges_cap * 2;
        struct range *ranges = realloc(parser->ranges, cap * sizeof *ranges);

        if (ranges == NULL) {
            (void)no_memory(parser);
            return;
        }
        parser->ranges = ranges;
        parser->ranges_cap = cap;
    }
    parser->ranges[parser->ranges_len++] = (struct range){from, to};
}

static const struct range digits[] = {{'0', '9'}};
static const struct range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct range blanks[] = {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
                                      {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

/* All of these, or all others. They are in order. */
static void add_ranges(struct parser *parser, const struct range *ranges, size_t n, bool others)
{
    uint32_t from = 0;

    for (size_t i = 0; i < n; i++) {
        if (!others)
            add_range(parser, ranges[i].from, ranges[i].to);
        else if (ranges[i].from > from)
            add_range(parser, from, ranges[i].from - 1);
        from = ranges[i].to + 1;
    }
    if (others && from <= CODE_MAX)
        add_range(parser, from, CODE_MAX);
}

#define ADD(parser, ranges, others) add_ranges((parser), (ranges), sizeof(ranges) / sizeof *(ranges), (others))

static bool more(const struct parser *parser)
{
    return parser->rc == BATON_OK && parser->at < parser->end;
}

static bool take(struct parser *parser, char c)
{
    if (!more(parser) || *parser->at != c)
        return false;
    parser->at++;
    return true;
}

static uint32_t decode(const char *at, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)at[0] & masks[len];

    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    return code;
}

static uint32_t take_char(struct parser *parser)
{
    size_t len = utf8_char(parser->at, (size_t)(parser->end - parser->at));
    uint32_t code = 0;

    if (len == 0) {
        (void)wrong(parser, "not UTF-8");
        return 0;
    }
    code = decode(parser->at, len);
    parser->at += len;
    return code;
}

static uint32_t take_hex(struct parser *parser, int count)
{
    uint32_t code = 0;

    for (int i = 0; i < count; i++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit = NULL;
        char c = more(parser) ? *parser->at : '\0';

        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        digit = c == '\0' ? NULL : strchr(hex, c);
        if (digit == NULL) {
            (void)wrong(parser, "a hexadecimal digit expected");
            return 0;
        }
        code = code << 4 | (uint32_t)(digit - hex);
        parser->at++;
    }
    return code;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What follows a backslash: true if it is one character, else it was a set and its ranges have been added. */
static bool take_escape(struct parser *parser, uint32_t *ret_code)
{
    static const char names[] = "tnvfr0", values[] = "\t\n\v\f\r";
    char c = more(parser) ? *parser->at : '\0';
    const char *name = c == '\0' ? NULL : strchr(names, c);

    *ret_code = 0;
    if (parser->at == parser->end) {
        (void)wrong(parser, "nothing after the backslash");
        return true;
    }
    if ((c & 0x80) != 0) {
        *ret_code = take_char(parser);
        return true;
    }
    if (c == '0' && parser->at + 1 < parser->end && parser->at[1] >= '0' && parser->at[1] <= '9') {
        (void)wrong(parser, "octal escapes are not supported");
        return true;
    }
    parser->at++;
    if (name != NULL) {
        *ret_code = (unsigned char)values[name - names]; /* values ends with the NUL that 0 stands for */
        return true;
    }
    switch (c) {
    case 'd':
    case 'D': ADD(parser, digits, c == 'D'); return false;
    case 'w':
    case 'W': ADD(parser, words, c == 'W'); return false;
    case 's':
    case 'S': ADD(parser, blanks, c == 'S'); return false;
    case 'x': *ret_code = take_hex(parser, 2); return true;
    case 'u':
        *ret_code = take_hex(parser, 4);
        if (*ret_code >= 0xd800 && *ret_code < 0xdc00 && take(parser, '\\') && take(parser, 'u'))
            *ret_code = 0x10000 + ((*ret_code - 0xd800) << 10) + (take_hex(parser, 4) - 0xdc00);
        if ((*ret_code >= 0xd800 && *ret_code < 0xe000) || *ret_code > CODE_MAX)
            (void)wrong(parser, "half a surrogate pair");
        return true;
    default: break;
    }
    parser->at--;
    if (is_alnum(c)) {
        (void)wrong(parser, c >= '1' && c <= '9'    ? "backreferences are not supported: they cannot be matched in linear time"
                            : c == 'p' || c == 'P' ? "\\p is not supported: write the ranges"
                                                   : "an unknown escape");
        return true;
    }
    parser->at++;
    *ret_code = (unsigned char)c;
    return true;
}

static int by_from(const void *a, const void *b)
{
    const struct range *left = a, *right = b;

    return left->from < right->from ? -1 : left->from > right->from;
}

/* The ranges from `first` on in order, without overlaps, and turned round if so wanted. */
static void settle_ranges(struct parser *parser, size_t first, bool others)
{
    size_t n = parser->ranges_len - first, used = 0;
    struct range *ranges = n == 0 ? NULL : malloc(n * sizeof *ranges);

    if (n > 0 && ranges == NULL) {
        (void)no_memory(parser);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ranges[i] = parser->ranges[first + i];
    if (n > 0)
        qsort(ranges, n, sizeof *ranges, by_from);
    for (size_t i = 0; i < n; i++) {
        if (used > 0 && ranges[i].from <= ranges[used - 1].to) {
            if (ranges[i].to > ranges[used - 1].to)
                ranges[used - 1].to = ranges[i].to;
        } else {
            ranges[used++] = ranges[i];
        }
    }
    parser->ranges_len = first;
    add_ranges(parser, ranges, used, others);
    free(ranges);
}

static int ranges_tree(struct parser *parser, size_t first)
{
    return parser->rc != BATON_OK
               ? -1
               : add_tree(parser, (struct tree){.kind = RANGES, .left = -1, .right = -1, .first = first, .len = parser->ranges_len - first});
}

/* One member of a class: true if it is a character, false if it was a set. */
static bool take_member(struct parser *parser, uint32_t *ret_code)
{
    if (!take(parser, '\\')) {
        *ret_code = take_char(parser);
        return true;
    }
    if (take(parser, 'b')) {
        *ret_code = '\b';
        return true;
    }
    if (take(parser, '-')) {
        *ret_code = '-';
        return true;
    }
    return take_escape(parser, ret_code);
}

static int parse_class(struct parser *parser)
{
    size_t first = parser->ranges_len;
    bool others = take(parser, '^');

    while (more(parser) && *parser->at != ']') {
        uint32_t from = 0, to = 0;
        bool one = take_member(parser, &from);

        to = from;
        if (more(parser) && *parser->at == '-' && parser->at + 1 < parser->end && parser->at[1] != ']') {
            parser->at++;
            if (!one || !take_member(parser, &to))
                return wrong(parser, "a set cannot be the end of a range");
        }
        if (to < from)
            return wrong(parser, "a range that ends before it begins");
        if (one)
            add_range(parser, from, to);
    }
    if (!take(parser, ']'))
        return wrong(parser, "a class without its \"]\"");
    settle_ranges(parser, first, others);
    return ranges_tree(parser, first);
}

static int parse_either(struct parser *parser);

static int parse_group(struct parser *parser)
{
    int inner = -1;

    if (take(parser, '?') && !take(parser, ':'))
        return wrong(parser, "lookaround and named groups are not supported");
    if (++parser->depth > REGEX_DEPTH_MAX)
        return wrong(parser, "groups are nested too deep");
    inner = parse_either(parser);
    parser->depth--;
    if (parser->rc == BATON_OK && !take(parser, ')'))
        return wrong(parser, "a group without its \")\"");
    return inner;
}

static int leaf(struct parser *parser, enum kind kind)
{
    return add_tree(parser, (struct tree){.kind = kind, .left = -1, .right = -1});
}

static int parse_atom(struct parser *parser)
{
    size_t first = parser->ranges_len;
    uint32_t code = 0;

    if (take(parser, '('))
        return parse_group(parser);
    if (take(parser, '['))
        return parse_class(parser);
    if (take(parser, '^'))
        return leaf(parser, START);
    if (take(parser, '$'))
        return leaf(parser, END);
    if (take(parser, '.')) {
        ADD(parser, line_ends, true);
        return ranges_tree(parser, first);
    }
    if (strchr("*+?{", *parser->at) != NULL)
        return wrong(parser, "nothing to repeat");
    if (strchr("]}", *parser->at) != NULL)
        return wrong(parser, "closes what is not open: write it with a backslash");
    if (take(parser, '\\')) {
        if (take(parser, 'b'))
            return leaf(parser, BOUNDARY);
        if (take(parser, 'B'))
            return leaf(parser, NO_BOUNDARY);
        if (take_escape(parser, &code))
            add_range(parser, code, code);
    } else {
        code = take_char(parser);
        add_range(parser, code, code);
    }
    return ranges_tree(parser, first);
}

static int take_count(struct parser *parser, int otherwise)
{
    int count = 0;
    const char *begin = parser->at;

    while (more(parser) && *parser->at >= '0' && *parser->at <= '9' && count <= COUNT_MAX)
        count = count * 10 + (*parser->at++ - '0');
    if (count > COUNT_MAX)
        return wrong(parser, "repeats more than 1000 times");
    return parser->at == begin ? otherwise : count;
}

static int parse_repeat(struct parser *parser)
{
    int atom = parse_atom(parser);

    while (more(parser) && strchr("*+?{", *parser->at) != NULL) {
        int least = 0, most = UNBOUNDED;

        if (take(parser, '{')) {
            least = most = take_count(parser, -1);
            if (parser->rc == BATON_OK && least < 0)
                return wrong(parser, "a number expected after \"{\"");
            if (take(parser, ','))
                most = take_count(parser, UNBOUNDED);
            if (!take(parser, '}'))
                return wrong(parser, "\"{\" without its \"}\"");
            if (most != UNBOUNDED && most < least)
                return wrong(parser, "repeats at most less than at least");
        } else {
            char c = *parser->at++;

            least = c == '+';
            most = c == '?' ? 1 : UNBOUNDED;
        }
        (void)take(parser, '?'); /* lazy: the same for a yes or no */
        if (more(parser) && strchr("*+?{", *parser->at) != NULL)
            return wrong(parser, "repeats what is repeated already");
        atom = add_tree(parser, (struct tree){.kind = REPEAT, .left = atom, .right = -1, .least = least, .most = most});
    }
    return atom;
}

static int parse_sequence(struct parser *parser)
{
    int all = -1;

    while (more(parser) && *parser->at != '|' && *parser->at != ')') {
        int next = parse_repeat(parser);

        all = all < 0 ? next : add_tree(parser, (struct tree){.kind = SEQUENCE, .left = all, .right = next});
    }
    return parser->rc == BATON_OK && all < 0 ? leaf(parser, EMPTY) : all;
}

static int parse_either(struct parser *parser)
{
    int all = parse_sequence(parser);

    while (take(parser, '|')) {
        int next = parse_sequence(parser);

        all = add_tree(parser, (struct tree){.kind = EITHER, .left = all, .right = next});
    }
    return all;
}

/* --- the program --- */

static int add_state(struct parser *parser, struct regex *regex, struct state state)
{
    if (parser->rc != BATON_OK)
        return 0;
    if (regex->len == REGEX_STATES_MAX) {
        parser->rc = baton_fail(parser->err, BATON_E_INVALID, "pattern: expands to more than %d states", REGEX_STATES_MAX);
        return 0;
    }
    regex->states[regex->len] = state;
    return regex->len++;
}

static void compile(struct parser *parser, struct regex *regex, int at);

/* Zero or more, or `most` times at most. */
static void compile_optional(struct parser *parser, struct regex *regex, int at, int most)
{
    int split = 0;

    if (most == UNBOUNDED) {
        split = add_state(parser, regex, (struct state){.op = OP_SPLIT});
        regex->states[split].to = regex->len;
        compile(parser, regex, at);
        (void)add_state(parser, regex, (struct state){.op = OP_JUMP, .to = split});
        regex->states[split].other = regex->len;
        return;
    }
    for (int i = 0; i < most && parser->rc == BATON_OK; i++) { /* each may be the last one: leaving one leaves the rest */
        split = add_state(parser, regex, (struct state){.op = OP_SPLIT});
        regex->states[split].to = regex->len;
        compile(parser, regex, at);
        regex->states[split].other = regex->len;
    }
}

static void compile(struct parser *parser, struct regex *regex, int at)
{
    static const enum op ops[] = {[START] = OP_START, [END] = OP_END, [BOUNDARY] = OP_BOUNDARY, [NO_BOUNDARY] = OP_NO_BOUNDARY};
    const struct tree *tree = &parser->trees[at];
    int split = 0, jump = 0;

    if (parser->rc == BATON_OK && ++parser->work > WORK_MAX)
        parser->rc = baton_fail(parser->err, BATON_E_INVALID, "pattern: repeats of repeats expand too far");
    if (parser->rc != BATON_OK)
        return;
    switch (tree->kind) {
    case EMPTY: break;
    case RANGES: (void)add_state(parser, regex, (struct state){.op = OP_RANGES, .first = tree->first, .len = tree->len}); break;
    case SEQUENCE:
        compile(parser, regex, tree->left);
        compile(parser, regex, tree->right);
        break;
    case EITHER:
        split = add_state(parser, regex, (struct state){.op = OP_SPLIT});
        regex->states[split].to = regex->len;
        compile(parser, regex, tree->left);
        jump = add_state(parser, regex, (struct state){.op = OP_JUMP});
        regex->states[split].other = regex->len;
        compile(parser, regex, tree->right);
        regex->states[jump].to = regex->len;
        break;
    case REPEAT:
        for (int i = 0; i < tree->least && parser->rc == BATON_OK; i++)
            compile(parser, regex, tree->left);
        compile_optional(parser, regex, tree->left, tree->most == UNBOUNDED ? UNBOUNDED : tree->most - tree->least);
        break;
    case START:
    case END:
    case BOUNDARY:
    case NO_BOUNDARY: (void)add_state(parser, regex, (struct state){.op = ops[tree->kind]}); break;
    }
}

static bool set_new(struct set *set, int cap)
{
    set->dense = calloc((size_t)cap, sizeof *set->dense);
    set->sparse = calloc((size_t)cap, sizeof *set->sparse);
    return set->dense != NULL && set->sparse != NULL;
}

static enum baton_err build(struct parser *parser, int root, struct regex **ret_regex)
{
    struct regex *regex = calloc(1, sizeof *regex);
    struct state *states = NULL;

    if (regex == NULL)
        return no_memory(parser), parser->rc;
    regex->states = calloc(REGEX_STATES_MAX + 1, sizeof *regex->states); /* one more: a jump may lead behind the last */
    if (regex->states == NULL) {
        (void)no_memory(parser);
    } else {
        compile(parser, regex, root);
        (void)add_state(parser, regex, (struct state){.op = OP_MATCH});
    }
    if (parser->rc == BATON_OK) {
        states = realloc(regex->states, (size_t)regex->len * sizeof *states);
        regex->states = states != NULL ? states : regex->states;
        regex->stack = calloc((size_t)regex->len * 2 + 1, sizeof *regex->stack);
        if (regex->stack == NULL || !set_new(&regex->now, regex->len) || !set_new(&regex->next, regex->len))
            (void)no_memory(parser);
    }
    if (parser->rc != BATON_OK) {
        regex_free(regex);
        return parser->rc;
    }
    regex->ranges = parser->ranges;
    regex->ranges_len = parser->ranges_len;
    parser->ranges = NULL;
    *ret_regex = regex;
    return BATON_OK;
}

enum baton_err regex_compile(const char *text, size_t len, struct regex **ret_regex, struct baton_error *err)
{
    struct parser parser = {.text = text, .at = text, .end = text + len, .err = err};
    int root = -1;

    if (len > REGEX_TEXT_MAX)
        return baton_fail(err, BATON_E_INVALID, "pattern: longer than %d bytes", REGEX_TEXT_MAX);
    if (memchr(text, '\0', len) != NULL)
        return baton_fail(err, BATON_E_INVALID, "pattern: holds a NUL character");
    root = parse_either(&parser);
    if (more(&parser))
        (void)wrong(&parser, "\")\" without its \"(\"");
    if (parser.rc == BATON_OK)
        parser.rc = build(&parser, root, ret_regex);
    free(parser.trees);
    free(parser.ranges);
    return parser.rc;
}

void regex_free(struct regex *regex)
{
    if (regex == NULL)
        return;
    free(regex->states);
    free(regex->ranges);
    free(regex->now.dense);
    free(regex->now.sparse);
    free(regex->next.dense);
    free(regex->next.sparse);
    free(regex->stack);
    free(regex);
}

/* --- the run --- */

static bool is_word(uint32_t code)
{
    return code < 0x80 && (is_alnum((char)code) || code == '_');
}

struct place {
    bool start, end, boundary;
};

static bool has(const struct set *set, int state)
{
    return set->sparse[state] < set->len && set->dense[set->sparse[state]] == state;
}

static void enter(struct set *set, int state)
{
    set->dense[set->len] = state;
    set->sparse[state] = set->len++;
}

/* state, and all that it leads to without a character. True if that is the end. */
static bool follow(struct regex *regex, struct set *set, int state, const struct place *place, int64_t *steps)
{
    int len = 0;

    regex->stack[len++] = state;
    while (len > 0) {
        int at = regex->stack[--len];
        const struct state *now = &regex->states[at];

        if (has(set, at))
            continue;
        enter(set, at);
        (*steps)--;
        switch (now->op) {
        case OP_MATCH: return true;
        case OP_RANGES: break;
        case OP_JUMP: regex->stack[len++] = now->to; break;
        case OP_SPLIT:
            regex->stack[len++] = now->other;
            regex->stack[len++] = now->to;
            break;
        case OP_START:
            if (place->start)
                regex->stack[len++] = at + 1;
            break;
        case OP_END:
            if (place->end)
                regex->stack[len++] = at + 1;
            break;
        case OP_BOUNDARY:
        case OP_NO_BOUNDARY:
            if (place->boundary == (now->op == OP_BOUNDARY))
                regex->stack[len++] = at + 1;
            break;
        }
    }
    return false;
}

/* The ranges are in order: a class of many takes no longer than one of few. */
static bool inside(const struct range *ranges, size_t len, uint32_t code)
{
    while (len > 0) {
        size_t half = len / 2;

        if (code < ranges[half].from) {
            len = half;
        } else if (code > ranges[half].to) {
            ranges += half + 1;
            len -= half + 1;
        } else {
            return true;
        }
    }
    return false;
}

bool regex_search(struct regex *regex, const char *text, size_t len, int64_t *steps)
{
    uint32_t before = ' ';

    regex->now.len = 0;
    for (size_t at = 0;;) {
        size_t char_len = at < len ? utf8_char(text + at, len - at) : 0;
        uint32_t code = char_len > 0 ? decode(text + at, char_len) : ' ';
        const struct place place = {.start = at == 0, .end = at >= len, .boundary = is_word(before) != is_word(code)};

        /* What was reached by the character before becomes what it leads to here; a match may also begin here. */
        regex->next.len = 0;
        for (int i = 0; i < regex->now.len; i++) {
            if (follow(regex, &regex->next, regex->now.dense[i], &place, steps))
                return true;
        }
        if (follow(regex, &regex->next, 0, &place, steps))
            return true;
        if (at >= len || *steps < 0)
            return false;
        regex->now.len = 0;
        for (int i = 0; i < regex->next.len; i++) {
            int state = regex->next.dense[i];
            const struct state *now = &regex->states[state];

            if (now->op == OP_RANGES && inside(regex->ranges + now->first, now->len, code) && !has(&regex->now, state + 1))
                enter(&regex->now, state + 1);
        }
        before = code;
        at += char_len > 0 ? char_len : 1;
    }
}
