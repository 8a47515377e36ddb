/*
 * reply.h -- what a reply means for its step.
 */
#ifndef BATON_CORE_REPLY_H
#define BATON_CORE_REPLY_H

#include <baton/saga.h>

struct reply_meaning {
    enum reply_header_outcome outcome; /* never REPLY_UNSAID */
    json_t *output; /* owned; of a success; may be JSON null */
    json_t *dataref; /* borrowed from the event; of an output that is the body as it came; NULL = none */
    json_t *error;  /* owned; {"code","message","details"?}; of a failure or retry */
    bool output_failed; /* against the step's schema, or its output template failed: it succeeded out there, the saga cannot use it; error is set too */
};

/**
 * The first rule that fits: header saga-outcome; problem+json or kafka_nest-err; the step's reply mapping; a body member
 * `error`; else success with output = body (docs/protocol.md, "Outcome of a reply"). A success is then held against the step's schema.
 *
 * @scope  Borrowed: what expressions see; its body and headers are set here.
 * False if memory ran out.
 */
bool reply_classify(const struct definition *definition, const struct saga_event *event, struct expr_scope *scope,
                    struct reply_meaning *ret_meaning);
void reply_meaning_clear(struct reply_meaning *meaning);
/** {"code","message"}; NULL if memory ran out. */
json_t *reply_error(const char *code, const char *message);

#endif
