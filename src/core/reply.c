/*
 * reply.c -- what a reply means for its step.
 *
 * Owns:     the outcome rules of docs/protocol.md, in their order.
 * Tests:    tests/core/test_reply.c
 */
#include "reply.h"
#include <string.h>

json_t *reply_error(const char *code, const char *message)
{
    return json_pack("{s:s, s:s}", "code", code, "message", message);
}

void reply_meaning_clear(struct reply_meaning *meaning)
{
    json_decref(meaning->output);
    json_decref(meaning->error);
    memset(meaning, 0, sizeof *meaning);
}

static const char *text_member(const json_t *object, const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *text = json_string_value(json_object_get(object, *names));

        if (text != NULL)
            return text;
    }
    return NULL;
}

/* The error that a body tells: its member `error` (object or text), else the body itself; problem+json's words count too. */
static json_t *error_of(const json_t *body, const char *fallback_code)
{
    static const char *const codes[] = {"code", "type", "title", NULL};
    static const char *const messages[] = {"message", "detail", "title", NULL};
    const json_t *inner = json_object_get(body, "error"), *from = json_is_object(inner) ? inner : body;
    const char *code = text_member(from, codes), *message = text_member(from, messages);
    json_t *details = json_object_get(from, "details"), *error = NULL;

    if (json_is_string(inner))
        message = json_string_value(inner);
    if (json_is_string(body))
        message = json_string_value(body);
    error = reply_error(code == NULL ? fallback_code : code, message == NULL ? "" : message);
    if (error != NULL && details != NULL && json_object_set(error, "details", details) != 0) {
        json_decref(error);
        return NULL;
    }
    return error;
}

/* An expression of the mapping failed: the reply cannot be understood, which is a failure. */
static bool expression_failed(struct reply_meaning *meaning, const struct baton_error *err)
{
    meaning->outcome = REPLY_FAILURE;
    meaning->error = reply_error("EXPRESSION", err->text);
    return meaning->error != NULL;
}

static bool map(const struct definition *definition, const struct reply_mapping *mapping, const struct expr_scope *scope,
                json_t *body, struct reply_meaning *meaning)
{
    struct baton_error err = {0};
    struct expr_vm *vm = definition->vm;
    bool retry = false, success = true;
    json_t *code = NULL;
    enum baton_err rc = BATON_OK;

    if (mapping->retry != NULL)
        rc = expr_eval_bool(vm, mapping->retry, scope, &retry, &err);
    if (rc == BATON_OK && !retry && mapping->success != NULL)
        rc = expr_eval_bool(vm, mapping->success, scope, &success, &err);
    if (rc == BATON_OK && !retry && success) {
        meaning->outcome = REPLY_SUCCESS;
        if (mapping->output != NULL)
            rc = expr_eval(vm, mapping->output, scope, &meaning->output, &err);
        else
            meaning->output = json_incref(body == NULL ? json_null() : body);
        return rc == BATON_OK ? true : rc == BATON_E_NOMEM ? false : expression_failed(meaning, &err);
    }
    if (rc == BATON_OK && mapping->code != NULL)
        rc = expr_eval(vm, mapping->code, scope, &code, &err);
    if (rc != BATON_OK)
        return rc == BATON_E_NOMEM ? false : expression_failed(meaning, &err);
    meaning->outcome = retry ? REPLY_RETRY : REPLY_FAILURE;
    meaning->error = error_of(body, retry ? "TRANSIENT" : "REFUSED");
    if (meaning->error != NULL && json_is_string(code) && json_object_set(meaning->error, "code", code) != 0) {
        json_decref(meaning->error);
        meaning->error = NULL;
    }
    json_decref(code);
    return meaning->error != NULL;
}

static bool body_says(json_t *body, struct reply_meaning *meaning)
{
    json_t *inner = json_object_get(body, "error");

    if (inner == NULL || json_is_null(inner)) {
        meaning->outcome = REPLY_SUCCESS;
        meaning->output = json_incref(body == NULL ? json_null() : body);
        return true;
    }
    meaning->outcome = json_is_true(json_object_get(inner, "retryable")) ? REPLY_RETRY : REPLY_FAILURE;
    meaning->error = error_of(body, meaning->outcome == REPLY_RETRY ? "TRANSIENT" : "REFUSED");
    return meaning->error != NULL;
}

/* The step's own `output` reshapes what came. */
static bool reshape(const struct definition *definition, const struct definition_step *step, const struct expr_scope *scope,
                    struct reply_meaning *meaning)
{
    struct baton_error err = {0};
    json_t *shaped = NULL;
    enum baton_err rc = BATON_OK;

    if (step->output == NULL)
        return true;
    rc = template_eval(definition->vm, step->output, scope, &shaped, &err);
    if (rc == BATON_E_NOMEM)
        return false;
    if (rc != BATON_OK) {
        meaning->output_failed = true;
        meaning->error = reply_error("EXPRESSION", err.text);
        return meaning->error != NULL;
    }
    json_decref(meaning->output);
    meaning->output = shaped;
    return true;
}

/* A success whose body the step's schema does not allow: as above, it cannot be used. */
static bool check_body(const struct definition_step *step, json_t *body, struct reply_meaning *meaning)
{
    struct baton_error err = {0};
    enum baton_err rc = step->reply_schema == NULL ? BATON_OK : schema_check(step->reply_schema, body, &err);

    if (rc == BATON_E_INVALID) {
        meaning->output_failed = true;
        meaning->error = reply_error("SCHEMA", err.text);
        rc = meaning->error != NULL ? BATON_OK : BATON_E_NOMEM;
    }
    return rc == BATON_OK;
}

bool reply_classify(const struct definition *definition, const struct saga_event *event, struct expr_scope *scope,
                    struct reply_meaning *ret_meaning)
{
    const struct definition_step *step = &definition->steps[event->place.index];
    struct reply_meaning meaning = {.outcome = event->outcome};
    json_t *body = event->body;
    bool fine = true;

    scope->body = body;
    scope->headers = event->headers;
    if (event->outcome == REPLY_UNSAID && event->problem)
        meaning.outcome = REPLY_FAILURE;
    if (meaning.outcome == REPLY_SUCCESS)
        meaning.output = json_incref(body == NULL ? json_null() : body);
    else if (meaning.outcome == REPLY_FAILURE || meaning.outcome == REPLY_RETRY)
        fine = (meaning.error = error_of(body, meaning.outcome == REPLY_RETRY ? "TRANSIENT" : "REFUSED")) != NULL;
    else if (meaning.outcome == REPLY_UNSAID && step->reply != NULL && event->action == ACTION_EXECUTE)
        fine = map(definition, step->reply, scope, body, &meaning);
    else if (meaning.outcome == REPLY_UNSAID)
        fine = body_says(body, &meaning);
    if (fine && meaning.outcome == REPLY_SUCCESS && event->action == ACTION_EXECUTE)
        fine = check_body(step, body, &meaning);
    if (fine && meaning.outcome == REPLY_SUCCESS && event->action == ACTION_EXECUTE && !meaning.output_failed)
        fine = reshape(definition, step, scope, &meaning);
    if (!fine) {
        reply_meaning_clear(&meaning);
        return false;
    }
    if (meaning.outcome == REPLY_SUCCESS && meaning.output == (body == NULL ? json_null() : body))
        meaning.dataref = event->dataref;
    *ret_meaning = meaning;
    return true;
}
