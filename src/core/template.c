/*
 * template.c -- a JSON document with ${...} in its strings.
 *
 * Owns:     struct template: a tree of the same shape; subtrees without expressions are kept as one value.
 * Tests:    tests/core/test_template.c
 */
#include <baton/expr.h>
#include <baton/json.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_DEPTH_MAX 32

enum node_kind { NODE_CONSTANT, NODE_EXPR, NODE_TEXT, NODE_ARRAY, NODE_OBJECT };

struct part { /* of a mixed text */
    char *text; /* NULL = expr */
    struct expr *expr;
    int column; /* of the expression's inside, 1-based code points in the string */
};

struct template {
    enum node_kind kind;
    json_t *constant;
    struct expr *expr;
    struct part *parts;
    size_t parts_len;
    char **keys;
    struct template **children;
    size_t children_len;
};

struct compiling {
    struct expr_vm *vm;
    struct buffer pointer;
    struct expr_error_place *place;
    struct baton_error *err;
};

static enum baton_err no_memory(struct compiling *compiling)
{
    return baton_fail(compiling->err, BATON_E_NOMEM, "out of memory for a template");
}

static void note_place(struct compiling *compiling, int column)
{
    const char *pointer = buffer_cstr(&compiling->pointer);

    if (compiling->place == NULL)
        return;
    (void)snprintf(compiling->place->pointer, sizeof compiling->place->pointer, "%s", pointer == NULL ? "" : pointer);
    compiling->place->column = column;
}

static int code_points(const char *text, size_t len)
{
    int n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* The `}` that closes an expression: brackets inside it and strings are skipped. NULL = none. */
static const char *closing(const char *at)
{
    int depth = 0;

    for (; *at != '\0'; at++) {
        if (*at == '"' || *at == '\'') {
            char quote = *at;

            for (at++; *at != '\0' && *at != quote; at++)
                at += *at == '\\' && at[1] != '\0';
            if (*at == '\0')
                return NULL;
        } else if (*at == '{') {
            depth++;
        } else if (*at == '}' && depth-- == 0) {
            return at;
        }
    }
    return NULL;
}

static struct part *add_part(struct template *node)
{
    struct part *parts = realloc(node->parts, (node->parts_len + 1) * sizeof *parts);

    if (parts == NULL)
        return NULL;
    node->parts = parts;
    parts[node->parts_len] = (struct part){0};
    return &parts[node->parts_len++];
}

static enum baton_err add_text(struct compiling *compiling, struct template *node, struct buffer *text)
{
    struct part *part = NULL;

    if (text->failed)
        return no_memory(compiling);
    if (text->len == 0)
        return BATON_OK;
    part = add_part(node);
    if (part == NULL || (part->text = strndup(text->data, text->len)) == NULL)
        return no_memory(compiling);
    buffer_clear(text);
    return BATON_OK;
}

static enum baton_err add_expr(struct compiling *compiling, struct template *node, const char *whole, const char *from, size_t len)
{
    struct part *part = add_part(node);
    int column = code_points(whole, (size_t)(from - whole)) + 1;
    struct expr_error_place inner = {.column = 1};
    enum baton_err rc = BATON_OK;

    if (part == NULL)
        return no_memory(compiling);
    part->column = column;
    rc = expr_compile(compiling->vm, from, len, &part->expr, &inner, compiling->err);
    if (rc == BATON_E_INVALID)
        note_place(compiling, column + inner.column - 1);
    return rc;
}

static enum baton_err compile_text(struct compiling *compiling, struct template *node, const char *whole)
{
    struct buffer text = {0};
    enum baton_err rc = BATON_OK;

    for (const char *at = whole; rc == BATON_OK && *at != '\0';) {
        if (strncmp(at, "$${", 3) == 0) {
            buffer_text(&text, "${");
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            const char *end = closing(at + 2);

            if (end == NULL) {
                note_place(compiling, code_points(whole, (size_t)(at - whole)) + 1);
                rc = baton_fail(compiling->err, BATON_E_INVALID, "\"${\" without its \"}\" (write $${ for the two characters)");
                break;
            }
            rc = add_text(compiling, node, &text);
            if (rc == BATON_OK)
                rc = add_expr(compiling, node, whole, at + 2, (size_t)(end - at) - 2);
            at = end + 1;
        } else {
            buffer_char(&text, *at++);
        }
    }
    if (rc == BATON_OK)
        rc = add_text(compiling, node, &text);
    buffer_free(&text);
    if (rc != BATON_OK)
        return rc;
    node->kind = NODE_TEXT;
    if (node->parts_len == 1 && node->parts[0].expr != NULL) {
        node->kind = NODE_EXPR;
        node->expr = node->parts[0].expr;
    }
    return BATON_OK;
}

static bool has_expr(const struct template *node)
{
    switch (node->kind) {
    case NODE_CONSTANT: return false;
    case NODE_EXPR: return true;
    case NODE_TEXT:
        for (size_t i = 0; i < node->parts_len; i++) {
            if (node->parts[i].expr != NULL)
                return true;
        }
        return false;
    case NODE_ARRAY:
    case NODE_OBJECT:
        for (size_t i = 0; i < node->children_len; i++) {
            if (has_expr(node->children[i]))
                return true;
        }
        return false;
    }
    return false;
}

static enum baton_err compile_node(struct compiling *compiling, const json_t *doc, int depth, struct template **ret_node);

static enum baton_err compile_child(struct compiling *compiling, struct template *node, const char *key, const char *token,
                                    const json_t *value, int depth)
{
    size_t pointer_len = compiling->pointer.len;
    enum baton_err rc = BATON_OK;

    json_pointer_push(&compiling->pointer, token);
    if (key != NULL && (node->keys[node->children_len] = strdup(key)) == NULL)
        return no_memory(compiling);
    rc = compile_node(compiling, value, depth + 1, &node->children[node->children_len]);
    node->children_len++;
    compiling->pointer.len = pointer_len;
    return rc;
}

static enum baton_err compile_inner(struct compiling *compiling, struct template *node, const json_t *doc, int depth)
{
    bool object = json_is_object(doc);
    size_t n = object ? json_object_size(doc) : json_array_size(doc);
    enum baton_err rc = BATON_OK;

    node->kind = object ? NODE_OBJECT : NODE_ARRAY;
    node->children = calloc(n + 1, sizeof(struct template *));
    node->keys = object ? calloc(n + 1, sizeof(char *)) : NULL;
    if (node->children == NULL || (object && node->keys == NULL))
        return no_memory(compiling);
    if (object) {
        json_t *members = (json_t *)(uintptr_t)doc;

        for (void *at = json_object_iter(members); at != NULL && rc == BATON_OK; at = json_object_iter_next(members, at))
            rc = compile_child(compiling, node, json_object_iter_key(at), json_object_iter_key(at), json_object_iter_value(at), depth);
        return rc;
    }
    for (size_t i = 0; i < n && rc == BATON_OK; i++) {
        char token[24];

        (void)snprintf(token, sizeof token, "%zu", i);
        rc = compile_child(compiling, node, NULL, token, json_array_get(doc, i), depth);
    }
    return rc;
}

static enum baton_err compile_node(struct compiling *compiling, const json_t *doc, int depth, struct template **ret_node)
{
    struct template *node = calloc(1, sizeof *node);
    enum baton_err rc = BATON_OK;

    if (node == NULL)
        return no_memory(compiling);
    *ret_node = node;
    if (depth > TEMPLATE_DEPTH_MAX) {
        note_place(compiling, 0);
        return baton_fail(compiling->err, BATON_E_INVALID, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
    }
    if (json_is_object(doc) || json_is_array(doc))
        rc = compile_inner(compiling, node, doc, depth);
    else if (json_is_string(doc) && strstr(json_string_value(doc), "${") != NULL)
        rc = compile_text(compiling, node, json_string_value(doc));
    else
        node->constant = json_incref((json_t *)(uintptr_t)doc);
    if (rc == BATON_OK && (node->kind == NODE_ARRAY || node->kind == NODE_OBJECT) && !has_expr(node)) {
        struct expr_scope nothing = {.index = -1};

        /* Nothing in it changes: keep the value (escapes resolved). */
        rc = template_eval(compiling->vm, node, &nothing, &node->constant, compiling->err);
        if (rc == BATON_OK)
            node->kind = NODE_CONSTANT;
    }
    return rc;
}

enum baton_err template_compile(struct expr_vm *vm, const json_t *doc, struct template **ret_template,
                                struct expr_error_place *place, struct baton_error *err)
{
    struct compiling compiling = {.vm = vm, .place = place, .err = err};
    struct template *node = NULL;
    enum baton_err rc = BATON_OK;

    if (place != NULL)
        *place = (struct expr_error_place){.column = 0};
    rc = compile_node(&compiling, doc, 0, &node);
    buffer_free(&compiling.pointer);
    if (rc != BATON_OK) {
        template_free(vm, node);
        return rc;
    }
    *ret_template = node;
    return BATON_OK;
}

void template_free(struct expr_vm *vm, struct template *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->children_len; i++)
        template_free(vm, template->children[i]);
    for (size_t i = 0; template->keys != NULL && template->keys[i] != NULL; i++)
        free(template->keys[i]);
    for (size_t i = 0; i < template->parts_len; i++) {
        free(template->parts[i].text);
        expr_free(vm, template->parts[i].expr);
    }
    json_decref(template->constant);
    free(template->parts);
    free(template->keys);
    free(template->children);
    free(template);
}

static enum baton_err too_large(struct baton_error *err)
{
    return baton_fail(err, BATON_E_INVALID, "the result is larger or deeper than a message may be");
}

/* One evaluation: what the parts made so far leave of the limits, so that many parts, each within them, are not all made first. */
struct evaluating {
    struct expr_vm *vm;
    const struct expr_scope *scope;
    struct baton_error *err;
    struct json_limits left;
};

static enum baton_err eval_node(struct evaluating *evaluating, const struct template *node, json_t **ret_value);

static enum baton_err eval_text(struct evaluating *evaluating, const struct template *node, json_t **ret_value)
{
    struct buffer text = {0};
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < node->parts_len && rc == BATON_OK; i++) {
        json_t *value = NULL;

        if (node->parts[i].text != NULL) {
            buffer_text(&text, node->parts[i].text);
            continue;
        }
        rc = expr_eval(evaluating->vm, node->parts[i].expr, evaluating->scope, &value, evaluating->err);
        if (json_is_string(value))
            buffer_append(&text, json_string_value(value), json_string_length(value));
        else if (value != NULL && !json_is_null(value))
            json_write(&text, value);
        json_decref(value);
        if (rc == BATON_OK && text.len > evaluating->left.bytes_max)
            rc = too_large(evaluating->err);
    }
    if (rc == BATON_OK) {
        *ret_value = text.failed ? NULL : json_stringn(text.len == 0 ? "" : text.data, text.len);
        if (*ret_value == NULL)
            rc = baton_fail(evaluating->err, BATON_E_NOMEM, "out of memory for a text");
    }
    buffer_free(&text);
    return rc;
}

static enum baton_err eval_inner(struct evaluating *evaluating, const struct template *node, json_t **ret_value)
{
    json_t *value = node->kind == NODE_OBJECT ? json_object() : json_array();
    enum baton_err rc = value == NULL ? baton_fail(evaluating->err, BATON_E_NOMEM, "out of memory for a template") : BATON_OK;

    evaluating->left.depth_max--; /* a template is not as deep as that: TEMPLATE_DEPTH_MAX */
    for (size_t i = 0; i < node->children_len && rc == BATON_OK; i++) {
        json_t *child = NULL;
        int failed = 0;

        rc = eval_node(evaluating, node->children[i], &child);
        if (rc != BATON_OK)
            break;
        failed = node->kind == NODE_OBJECT ? json_object_set_new(value, node->keys[i], child) : json_array_append_new(value, child);
        if (failed != 0)
            rc = baton_fail(evaluating->err, BATON_E_NOMEM, "out of memory for a template");
    }
    evaluating->left.depth_max++;
    if (rc == BATON_OK)
        *ret_value = value;
    else
        json_decref(value);
    return rc;
}

static enum baton_err eval_node(struct evaluating *evaluating, const struct template *node, json_t **ret_value)
{
    json_t *value = NULL;
    enum baton_err rc = BATON_OK;

    switch (node->kind) {
    case NODE_CONSTANT: value = json_incref(node->constant); break;
    case NODE_EXPR: rc = expr_eval(evaluating->vm, node->expr, evaluating->scope, &value, evaluating->err); break;
    case NODE_TEXT: rc = eval_text(evaluating, node, &value); break;
    case NODE_ARRAY:
    case NODE_OBJECT: return eval_inner(evaluating, node, ret_value);
    }
    if (rc == BATON_OK && !json_take(value, &evaluating->left)) {
        json_decref(value);
        return too_large(evaluating->err);
    }
    if (rc == BATON_OK)
        *ret_value = value;
    return rc;
}

enum baton_err template_eval(struct expr_vm *vm, const struct template *template, const struct expr_scope *scope,
                             json_t **ret_value, struct baton_error *err)
{
    struct evaluating evaluating = {.vm = vm, .scope = scope, .err = err, .left = expr_result_limits};

    return eval_node(&evaluating, template, ret_value);
}

static void visit_node(const struct template *node, struct buffer *pointer,
                       void (*visit)(void *context, const struct expr *expr, const char *pointer, int column_offset), void *context)
{
    size_t len = pointer->len;

    for (size_t i = 0; i < node->parts_len; i++) {
        const char *text = node->parts[i].expr == NULL ? NULL : buffer_cstr(pointer);

        if (text != NULL)
            visit(context, node->parts[i].expr, text, node->parts[i].column - 1);
    }
    for (size_t i = 0; i < node->children_len; i++) {
        char token[24];

        (void)snprintf(token, sizeof token, "%zu", i);
        json_pointer_push(pointer, node->keys != NULL ? node->keys[i] : token);
        visit_node(node->children[i], pointer, visit, context);
        pointer->len = len;
    }
}

void template_visit(const struct template *template,
                    void (*visit)(void *context, const struct expr *expr, const char *pointer, int column_offset), void *context)
{
    struct buffer pointer = {0};

    visit_node(template, &pointer, visit, context);
    buffer_free(&pointer);
}

enum template_source template_copies(const struct template *template, const char **ret_step)
{
    return template == NULL || template->kind != NODE_EXPR ? TEMPLATE_OTHER : expr_copies(template->expr, ret_step);
}
