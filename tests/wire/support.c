/*
 * support.c -- messages out of text, and a small saga to write about.
 */
#include "support.h"
#include <stdio.h>

/* --- messages --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c - 'A' + 10;
}

static void *decode(struct given *given, const char *text, size_t text_len, size_t *ret_len)
{
    char *bytes = malloc(text_len + 1);
    char *exact;
    size_t len = 0;

    assert_non_null(bytes);
    for (size_t i = 0; i < text_len; i++) {
        if (text[i] == '%' && i + 1 < text_len && text[i + 1] == '%') {
            bytes[len++] = '%';
            i++;
        } else if (text[i] == '%') {
            bytes[len++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            bytes[len++] = text[i];
        }
    }
    exact = malloc(len == 0 ? 1 : len);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    free(bytes);
    given->blocks[given->blocks_len++] = exact;
    *ret_len = len;
    return exact;
}

static void add_header(struct given *given, char *line)
{
    struct bus_header *header = &given->message.headers[given->message.headers_len++];
    char *colon = strstr(line, ": ");

    header->name = line;
    header->value = NULL;
    if (colon != NULL) {
        *colon = '\0';
        header->value = decode(given, colon + 2, strlen(colon + 2), &header->len);
    }
    given->message.headers_total = given->message.headers_len;
}

void given_message(struct given *given, const char *key, const char *headers, const char *value)
{
    memset(given, 0, sizeof *given);
    given->message.partition = 3;
    given->message.offset = 18231;
    given->message.timestamp_ms = 1769860800123;
    if (key != NULL)
        given->message.key = decode(given, key, strlen(key), &given->message.key_len);
    if (value != NULL)
        given->message.value = decode(given, value, strlen(value), &given->message.value_len);
    given->names = strdup(headers == NULL ? "" : headers);
    assert_non_null(given->names);
    for (char *rest = NULL, *line = strtok_r(given->names, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        add_header(given, line);
}

void given_clear(struct given *given)
{
    for (size_t i = 0; i < given->blocks_len; i++)
        free(given->blocks[i]);
    free(given->names);
    memset(given, 0, sizeof *given);
}

const char *record_header_value(const struct bus_record *record, const char *name)
{
    static char text[1024];

    for (size_t i = 0; i < record->headers_len; i++) {
        const struct bus_header *header = &record->headers[i];

        if (strcmp(header->name, name) == 0 && header->value != NULL) {
            (void)snprintf(text, sizeof text, "%.*s", (int)header->len, (const char *)header->value);
            return text;
        }
    }
    return "-";
}

void say_record(struct buffer *out, const struct bus_record *record)
{
    say(out, "topic %s partition %d\nkey ", record->topic, record->partition);
    buffer_append(out, record->key, record->key_len);
    for (size_t i = 0; i < record->headers_len; i++) {
        say(out, "\n%s", record->headers[i].name);
        if (record->headers[i].value != NULL) {
            buffer_text(out, ": ");
            buffer_append(out, record->headers[i].value, record->headers[i].len);
        }
    }
    buffer_text(out, "\n");
    if (record->value == NULL)
        buffer_text(out, "(null)");
    else
        buffer_append(out, record->value, record->value_len);
}

/* --- a saga --- */

static struct definition_step order_steps[] = {
    {.name = (char *)"reserve", .parent = -1, .each = -1, .service = (char *)"inventory", .command = (char *)"ReserveStock", .timeout_ms = 10000},
    {.name = (char *)"authorize", .parent = -1, .each = -1, .service = (char *)"payments", .command = (char *)"Authorize", .timeout_ms = 10000},
    {.name = (char *)"settle",
     .parent = -1,
     .each = -1,
     .service = (char *)"payments",
     .command = (char *)"Settle",
     .timeout_ms = 10000,
     .pivot = true},
    {.name = (char *)"ship", .parent = -1, .each = -1, .service = (char *)"shipping", .command = (char *)"Ship", .timeout_ms = 10000},
    {.name = (char *)"parcels", .kind = STEP_FOREACH, .parent = -1, .each = -1},
    {.name = (char *)"parcel", .parent = 4, .each = 4, .service = (char *)"shipping", .command = (char *)"Pack", .timeout_ms = 10000},
};

const struct definition order_definition = {
    .name = (char *)"order",
    .version = 3,
    .hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    .timeout_ms = 900000,
    .steps = order_steps,
    .steps_len = 6,
    .pivot = 2,
};

static struct saga_step *add_step(struct saga *saga, int index, enum step_status status)
{
    struct saga_step *step = saga_step_add(saga, AT(index));

    assert_non_null(step);
    step->status = status;
    step->attempts = 1;
    step->first_at_ms = step->sent_at_ms = saga->started_at_ms;
    return step;
}

struct saga *order_saga(void)
{
    static const struct saga_history history[] = {
        {0, HISTORY_STARTED, {-1, -1}, 0, NULL}, {0, HISTORY_SENT, {0, -1}, 1, NULL}, {120, HISTORY_DONE, {0, -1}, 1, NULL}, {120, HISTORY_SENT, {1, -1}, 1, NULL}};
    struct saga *saga = saga_new();
    struct saga_step *step;

    assert_non_null(saga);
    strcpy(saga->id, "o-1001");
    saga->definition = &order_definition;
    saga->status = SAGA_RUNNING;
    saga->seq = 2;
    saga->started_at_ms = 1769860800000;
    saga->updated_at_ms = saga->started_at_ms + 120;
    saga->deadline_at_ms = saga->started_at_ms + 900000;
    saga->due_at_ms = saga->started_at_ms + 10120;
    saga->input = parse("{\"total\":19.99,\"items\":[{\"sku\":\"A-1\",\"count\":2}]}");
    saga->traceparent = strdup("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    saga->tracestate = strdup("vendor=1");
    saga->reply_to.topic = strdup("shop.replies");
    saga->reply_to.correlation = strdup("cart-7");
    saga->history = calloc(SAGA_HISTORY_MAX, sizeof *saga->history);
    saga->history_cap = SAGA_HISTORY_MAX;
    assert_non_null(saga->history);
    step = add_step(saga, 0, STEP_DONE);
    step->done_order = 1;
    step->settled_at_ms = saga->updated_at_ms;
    step->output = parse("{\"reservation\":\"r-17\"}");
    step = add_step(saga, 1, STEP_RUNNING);
    step->first_at_ms = step->sent_at_ms = saga->updated_at_ms;
    step->due_at_ms = saga->due_at_ms;
    memcpy(saga->history, history, sizeof history);
    saga->history_len = sizeof history / sizeof history[0];
    return saga;
}
