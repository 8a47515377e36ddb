/*
 * job.c -- the messages of a job: its next page, and its answer at the end.
 *
 * Owns:     the member "progress", which only Baton writes.
 * Tests:    tests/wire/test_control.c
 */
#include "job.h"
#include "record.h"
#include <stdio.h>
#include <string.h>

static bool read_number(const json_t *progress, const char *name, int64_t *ret_number)
{
    const json_t *value = json_object_get(progress, name);

    *ret_number = json_integer_value(value);
    return json_is_integer(value) && *ret_number >= 0;
}

bool job_progress_read(const json_t *progress, struct wire_job *job)
{
    json_t *sagas = json_object_get(progress, "sagas"), *reasons = json_object_get(progress, "reasons");
    const json_t *id = json_object_get(progress, "afterId");

    if (progress == NULL) {
        job->sagas = json_array();
        job->reasons = json_object();
        return job->sagas != NULL && job->reasons != NULL;
    }
    if (!read_number(progress, "since", &job->since_ms) || !read_number(progress, "after", &job->after_ms) || !read_number(progress, "found", &job->found) ||
        !read_number(progress, "accepted", &job->accepted) || !read_number(progress, "refused", &job->refused) || job->since_ms == 0 ||
        !json_is_string(id) || json_string_length(id) > SAGA_ID_MAX || !json_is_array(sagas) || json_array_size(sagas) > WIRE_JOB_SHOWN_MAX ||
        (reasons != NULL && !json_is_object(reasons)) || json_object_size(reasons) > WIRE_JOB_SHOWN_MAX)
        return false;
    (void)strcpy(job->after_id, json_string_value(id));
    job->sagas = json_copy(sagas);
    job->reasons = reasons == NULL ? json_object() : json_copy(reasons);
    return job->sagas != NULL && job->reasons != NULL;
}

static json_t *progress_of(const struct wire_job *job)
{
    return json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:O, s:O}", "since", (json_int_t)job->since_ms, "after", (json_int_t)job->after_ms, "afterId",
                     job->after_id, "found", (json_int_t)job->found, "accepted", (json_int_t)job->accepted, "refused", (json_int_t)job->refused,
                     "reasons", job->reasons, "sagas", job->sagas);
}

/* Takes doc over. */
static enum baton_err end(struct wire_out *out, json_t *doc, const char *what, struct baton_error *err)
{
    if (doc != NULL)
        json_write(&out->value, doc);
    json_decref(doc);
    return doc != NULL ? record_end(out, what, err) : baton_fail(err, BATON_E_NOMEM, "%s: out of memory", what);
}

enum baton_err wire_job_write(const struct wire_control *control, const char *id, const char *control_topic, int32_t partition, struct wire_out *out,
                              struct baton_error *err)
{
    json_t *doc = json_copy(control->doc), *progress = progress_of(control->job);

    if (doc == NULL || json_object_set_new(doc, "progress", progress) != 0) {
        json_decref(doc);
        doc = NULL;
    }
    record_begin(out);
    out->record.topic = control_topic;
    out->record.partition = partition;
    record_key(out, id);
    if (control->message_id != NULL)
        record_header_text(out, "ce_id", control->message_id);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    if (control->reply_topic != NULL) {
        record_header_text(out, "kafka_replyTopic", control->reply_topic);
        record_header_correlation(out, control->reply_correlation);
    }
    return end(out, doc, "job", err);
}

enum baton_err wire_job_answer_write(const struct wire_control *control, const char *id, int32_t partition, int64_t offset, bool complete,
                                     int64_t now_ms, struct wire_out *out, struct baton_error *err)
{
    const struct wire_job *job = control->job;
    json_t *doc = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:O, s:b, s:O}", "id", id, "verb", wire_control_word(control), "where",
                            json_string_value(json_object_get(control->doc, "where")), "preview", (int)job->preview, "found",
                            (json_int_t)job->found, "accepted", (json_int_t)job->accepted, "refused", (json_int_t)job->refused, "reasons", job->reasons,
                            "complete", (int)complete, "sagas", job->sagas);

    record_begin(out);
    (void)snprintf(out->topic, sizeof out->topic, "%s", control->reply_topic);
    out->record.topic = out->topic;
    record_key(out, id);
    record_header_text(out, "ce_id", id);
    text_put(&out->text, "/control/");
    buffer_int(&out->text, partition);
    buffer_char(&out->text, '/');
    buffer_int(&out->text, offset);
    record_header_literal(out, "ce_specversion", "1.0");
    record_header_literal(out, "ce_source", "/baton/control");
    record_header_literal(out, "ce_type", "baton.control.job.v1");
    record_header_time(out, "ce_time", now_ms);
    record_header_text(out, "ce_sagaid", id);
    record_header_literal(out, "content-type", CONTENT_TYPE_JSON);
    record_header_correlation(out, control->reply_correlation);
    return end(out, doc, "answer of a job", err);
}
