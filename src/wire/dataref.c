/*
 * dataref.c -- reading and writing references to values that lie elsewhere.
 *
 * Owns:     their bound. What they mean is the participants' own: nothing here ever follows one.
 * Tests:    tests/wire/test_start.c, test_reply.c, test_command.c
 */
#include "dataref.h"
#include "payload.h"
#include <baton/saga.h>

enum baton_err dataref_read(const struct bus_message *message, const struct cloudevent *event, json_t **ret_dataref, enum dlq_reason *ret_reason,
                            struct baton_error *err)
{
    struct text_view view = header_text(message, "ce_dataref");

    if (view.text == NULL && event != NULL && event->doc != NULL)
        view = cloudevent_text(event, "dataref");
    if (view.text == NULL)
        return BATON_OK;
    if (view.len > DATAREF_MAX)
        return poison(ret_reason, DLQ_TOO_LARGE, err, "ce_dataref of %zu bytes, at most %d", view.len, DATAREF_MAX);
    if (view.len == 0 || !text_printable(view))
        return poison(ret_reason, DLQ_INVALID_CLOUDEVENT, err, "ce_dataref is not a URI: visible ASCII expected");
    *ret_dataref = json_stringn(view.text, view.len);
    return *ret_dataref == NULL ? baton_fail(err, BATON_E_NOMEM, "ce_dataref: out of memory") : BATON_OK;
}

void dataref_write(struct wire_out *out, const json_t *dataref)
{
    if (dataref != NULL)
        record_header_text(out, "ce_dataref", json_string_value(dataref));
}
