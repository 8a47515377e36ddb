/*
 * forward.c -- a message that came on the wrong partition, sent to the right one.
 *
 * Owns:     the header baton-forwarded, by which the next owner knows not to forward it again.
 * Never:    copies the message: value and headers are borrowed until the record is produced.
 * Tests:    tests/wire/test_records.c
 */
#include "record.h"
#include <strings.h>

#define FORWARDED "baton-forwarded"

enum baton_err wire_forward_write(const struct bus_message *message, const char *topic, int32_t partition,
                                  const char *saga_id, struct wire_out *out, struct baton_error *err)
{
    record_begin(out);
    out->record.topic = topic;
    out->record.partition = partition;
    record_key(out, saga_id);
    out->record.value = message->value;
    out->record.value_len = message->value_len;
    for (size_t i = 0; i < message->headers_len; i++) {
        const struct bus_header *header = &message->headers[i];

        if (header->name != NULL && strcasecmp(header->name, FORWARDED) != 0)
            record_header_borrowed(out, header->name, header->value, header->len);
    }
    record_header_text(out, FORWARDED, topic);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, message->partition);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, message->offset);
    return record_end(out, "forwarded message", err);
}

bool wire_was_forwarded(const struct bus_message *message)
{
    return wire_header(message, FORWARDED) != NULL;
}
