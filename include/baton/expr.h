/*
 * expr.h -- expressions and templates of a definition: Lua 5.4 in a sandbox over read-only JSON.
 *
 * A plain path (`input.items`, `steps.reserve.output.id`, `input.lines[1].sku`) is compiled to a list of segments and copies the subtree
 * by reference; anything else runs in Lua, without io, os, load, require, random or clock, within an instruction and a
 * memory budget. Pure: equal scope gives equal result on every worker (iteration is ordered by key).
 */
#ifndef BATON_EXPR_H
#define BATON_EXPR_H

#include <baton/json.h>
#include <stdbool.h>
#include <stdint.h>

struct expr_vm;  /* one Lua state; one per thread; compiled expressions live in it */
struct expr;     /* one compiled expression */
struct template; /* one compiled JSON document with ${...} in its strings */

#define EXPR_TEXT_MAX 4096           /* bytes of one expression */
#define EXPR_INSTRUCTIONS_MAX 200000 /* of one evaluation: Lua VM instructions, and as many again for what calls do in C */
#define EXPR_EVENT_INSTRUCTIONS_MAX 5000000 /* of all evaluations for one event together */
#define EXPR_STRING_MAX (256 * 1024) /* bytes of one text inside Lua; a plain path carries any */
#define EXPR_MEMORY_MAX (8 * 1024 * 1024) /* bytes of the whole Lua heap of a vm above what its compiled code needs */

/* What an expression or a template gives stays within these: four times what a message from outside may have. */
extern const struct json_limits expr_result_limits;

enum expr_step_field { EXPR_STEP_OUTPUT, EXPR_STEP_ERROR, EXPR_STEP_STATUS, EXPR_STEP_FALLBACK, EXPR_STEP_FIELDS };
extern const char *const expr_step_fields[EXPR_STEP_FIELDS]; /* "output", "error", "status", "fallback" */

/* What an expression can see. All borrowed; NULL reads as nil. */
struct expr_scope {
    json_t *input;       /* `input` */
    json_t *item;        /* `item` */
    int64_t index;       /* `index`; negative = nil */
    json_t *body;        /* `body`: of a reply */
    json_t *headers;     /* `headers`: of a reply, an object of strings */
    const char *saga_id; /* `saga.id` */
    const char *saga_type;
    int64_t saga_version;
    /* `steps.<name>.output|error|status`: a new reference, NULL = nil. Unknown name: NULL. */
    json_t *(*step)(const void *context, const char *name, enum expr_step_field field);
    const void *step_context;
};

/** A vm, or NULL if memory ran out. */
struct expr_vm *expr_vm_new(void);
/** A new event: what its expressions spend together is counted from here. */
void expr_vm_begin(struct expr_vm *vm);
void expr_vm_free(struct expr_vm *vm); /* NULL is fine; its expressions must have been freed before */

/* Where a compile error stands: pointer into the compiled document ("" for a bare expression), and column (1-based, code
 * points) inside that string. text in err already holds the expression and a caret line is made by the caller from these. */
struct expr_error_place {
    char pointer[256];
    int column;
};

/**
 * Compile the inside of `${...}`. BATON_E_INVALID with the reason: Lua syntax, unknown global name (with the nearest
 * one), too long. place may be NULL.
 */
enum baton_err expr_compile(struct expr_vm *vm, const char *text, size_t len, struct expr **ret_expr,
                            struct expr_error_place *place, struct baton_error *err);

/**
 * Compile a definition field such as `when`: a string that must be exactly "${...}"; its inside is compiled.
 */
enum baton_err expr_compile_field(struct expr_vm *vm, const char *text, struct expr **ret_expr,
                                  struct expr_error_place *place, struct baton_error *err);
void expr_free(struct expr_vm *vm, struct expr *expr); /* NULL is fine */

/**
 * Evaluate. A missing path is nil all the way and gives JSON null.
 * BATON_E_INVALID: the expression failed (arithmetic on nil, NaN result, budget, not representable in JSON, too large); the saga's
 * step fails with code EXPRESSION. BATON_E_NOMEM: memory ran out in this process (not the budget).
 * @ret_value  Out, new reference (may be json_null()).
 */
enum baton_err expr_eval(struct expr_vm *vm, const struct expr *expr, const struct expr_scope *scope, json_t **ret_value,
                         struct baton_error *err);

/** Lua's truth of the value: everything but nil (JSON null) and false. */
enum baton_err expr_eval_bool(struct expr_vm *vm, const struct expr *expr, const struct expr_scope *scope, bool *ret_value,
                              struct baton_error *err);

/* A reference `steps.<name>` found in an expression, for the static checker. */
struct expr_reference {
    char step[72];
    int column;    /* of `steps`, 1-based in code points, inside the expression text */
    char field[16]; /* one of expr_step_fields, or what stands there, or "" */
    bool guarded;  /* stands under `or`, `and`, `if`, comparison with nil, or is the whole of a template's value */
};
/* No expression has more: each takes `steps.a` and what parts it from the next. */
#define EXPR_REFERENCES_MAX (EXPR_TEXT_MAX / 8 + 1)
/** Number of references; fills at most max of them. */
size_t expr_references(const struct expr *expr, struct expr_reference *out, size_t max);

/**
 * Compile a JSON document: a string that is exactly "${expr}" keeps the type of its value, mixed text interpolates (strings as they
 * are, other values as JSON text, null as nothing), `$${` is a literal `${`. Keys are not templates. doc is borrowed and copied as needed.
 */
enum baton_err template_compile(struct expr_vm *vm, const json_t *doc, struct template **ret_template,
                                struct expr_error_place *place, struct baton_error *err);
void template_free(struct expr_vm *vm, struct template *template);
enum baton_err template_eval(struct expr_vm *vm, const struct template *template, const struct expr_scope *scope,
                             json_t **ret_value, struct baton_error *err);
/** The value that a template copies whole, by the plain path `input` or `steps.<name>.output` (*ret_step, borrowed). NULL copies nothing. */
enum template_source { TEMPLATE_OTHER, TEMPLATE_INPUT, TEMPLATE_OUTPUT };
enum template_source template_copies(const struct template *template, const char **ret_step);
/** Is the expression this path: `input` (NULL), or `steps.<*ret_step>.output`? Borrowed. */
enum template_source expr_copies(const struct expr *expr, const char **ret_step);
/** Is it a plain path into `input`? What it gives never changes, and costs nothing. */
bool expr_is_of_input(const struct expr *expr);
/** Does it look at `item` or `index`? */
bool expr_uses_item(const struct expr *expr);
/** Calls visit for each expression in document order with its pointer and its column offset in the string. */
void template_visit(const struct template *template, void (*visit)(void *context, const struct expr *expr, const char *pointer, int column_offset), void *context);

#endif
