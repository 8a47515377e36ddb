/*
 * job.c -- what an operator asks of all sagas that a filter names: a page of them in each transaction.
 *
 * Owns:     which sagas a page holds, how much one transaction does of it, when the job is done with the partition.
 * Rule:     the next page's message is written in the transaction of this one: a job survives its worker, and no page is done twice. The page is read when the
 *           view shows all that is committed: this thread is the partition's only writer, so a page that is not full has everything that is left.
 *           A preview asks the same rules, of copies that are thrown away.
 * Never:    keeps anything of a job in memory from batch to batch.
 * Tests:    tests/engine/test_job.c
 */
#include "engine_internal.h"
#include <inttypes.h>
#include <stdlib.h>

#define JOB_PAGE_MAX 500     /* sagas looked at in one transaction */
#define JOB_ASK_MAX 100      /* and asked: the throttle, other inputs come in between */
#define JOB_CHASE_MS 60000   /* sagas that keep changing ahead of it are followed for so long */

/* --- before the batch is loaded: which sagas --- */

static enum baton_err read_page(struct engine *engine, struct item *item, struct baton_error *err)
{
    const struct wire_job *job = item->control.job;
    struct part *part = item->part;
    struct view_page *page = calloc(1, sizeof *page + JOB_PAGE_MAX * sizeof *page->items);
    enum baton_err rc = BATON_OK;

    if (page == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for a job");
    free(item->page);
    item->page = page;
    page->partition = part->partition;
    page->items = (struct view_timer *)(page + 1);
    page->max = JOB_PAGE_MAX;
    page->type = job->where.type;
    page->after_ms = job->after_ms;
    (void)strcpy(page->after_id, job->after_id);
    for (int status = 0; status < SAGA_STATUS_COUNT; status++)
        page->status[status] = saga_filter_status(&job->where, (enum saga_status)status);
    rc = view_checked(engine, engine->view.page(engine->view.self, page, err), err);
    if (rc == BATON_OK && page->ret_w != part->shown)
        part_stale(engine, part, "the view is not where this worker left it");
    return rc;
}

enum baton_err job_pages(struct engine *engine, struct baton_error *err)
{
    enum baton_err rc = BATON_OK;

    for (size_t i = 0; i < engine->items_len && rc == BATON_OK; i++) {
        struct item *item = &engine->items[i];

        if (item->kind != ITEM_CONTROL || item->control.job == NULL || item->part->state != PART_READY)
            continue;
        rc = show(engine, item->part, err);
        if (rc == BATON_OK && item->part->state == PART_READY)
            rc = read_page(engine, item, err);
    }
    return rc;
}

/* --- deciding --- */

static void name_saga(struct wire_job *job, const struct saga *saga, const char *outcome, const char *reason)
{
    json_t *row = NULL;

    if (json_array_size(job->sagas) >= WIRE_JOB_SHOWN_MAX)
        return;
    row = json_pack("{s:s, s:s, s:I, s:s, s:s?, s:s?}", "id", saga->id, "definition", saga->definition->name, "version",
                    (json_int_t)saga->definition->version, "status", saga_status_name(saga->status), "outcome", outcome, "reason", reason);
    (void)json_array_append_new(job->sagas, row); /* where memory runs out it is counted, not named */
}

static void count_reason(struct wire_job *job, const char *reason)
{
    json_int_t n = json_integer_value(json_object_get(job->reasons, reason));

    if (n > 0 || json_object_size(job->reasons) < WIRE_JOB_SHOWN_MAX)
        (void)json_object_set_new(job->reasons, reason, json_integer(n + 1));
}

/* The rules, on a copy that is thrown away. */
static enum baton_err foresee(struct engine *engine, const struct saga *saga, const struct saga_event *event, struct baton_error *err)
{
    struct saga *next = NULL;
    enum baton_err rc = saga_next(saga, event, &next, &engine->effects);

    saga_free(next);
    return rc == BATON_OK ? rc : baton_fail(err, rc, "out of memory for saga %s", saga->id);
}

static enum baton_err ask(struct engine *engine, struct item *item, struct entry *entry, struct baton_error *err)
{
    struct wire_job *job = item->control.job;
    struct journal_cause cause = decide_cause(engine, item);
    struct saga_event event;
    enum baton_err rc = decide_control_event(engine, item, decide_current(entry), &event, err);

    if (rc != BATON_OK)
        return rc;
    event.job = item->id;
    rc = job->preview ? foresee(engine, decide_current(entry), &event, err) : decide_apply(engine, entry, &event, &cause, err);
    if (rc == BATON_OK && engine->effects.disposition == IGNORED_REFUSED) {
        job->refused++;
        count_reason(job, engine->effects.refusal);
        name_saga(job, decide_current(entry), "refused", engine->effects.refusal);
        return job->preview ? BATON_OK : decide_refused(engine, item, entry->id, &event, err);
    }
    if (rc == BATON_OK) {
        job->accepted++;
        name_saga(job, decide_current(entry), "accepted", NULL);
    }
    return rc;
}

/* Is this saga meant? It may have changed since its index was written, in this very batch. */
static bool is_meant(const struct engine *engine, const struct item *item, const struct entry *entry)
{
    const struct wire_job *job = item->control.job;
    const struct saga *saga = entry == NULL || entry->broken ? NULL : decide_current(entry);

    return saga != NULL && !saga->definition->is_lock && saga->started_at_ms <= job->since_ms && saga_filter_fits(&job->where, saga, engine->now_ms) &&
           !saga_asked_by(saga, item->id);
}

/* Returns whether there is more to look at. */
static enum baton_err work(struct engine *engine, struct item *item, bool *ret_more, struct baton_error *err)
{
    struct wire_job *job = item->control.job;
    const struct view_page *page = item->page;
    int64_t asked = 0;
    size_t i = 0;
    enum baton_err rc = BATON_OK;

    for (; i < page->ret_n && asked < JOB_ASK_MAX && rc == BATON_OK; i++) {
        struct entry *entry = cache_find(engine, page->items[i].id);

        job->after_ms = page->items[i].due_ms;
        (void)strcpy(job->after_id, page->items[i].id);
        if (!is_meant(engine, item, entry))
            continue;
        job->found++;
        asked++;
        rc = ask(engine, item, entry, err);
    }
    *ret_more = i < page->ret_n || page->ret_more;
    return rc;
}

static enum baton_err finish(struct engine *engine, struct item *item, bool complete, struct baton_error *err)
{
    const struct wire_job *job = item->control.job;
    enum baton_err rc = BATON_OK;

    ENGINE_LOG(engine, LOG_LEVEL_INFO, "job %s%s: %s by %s: %" PRId64 " sagas found in partition %d, %" PRId64 " accepted, %" PRId64 " refused%s", item->id,
               job->preview ? " (preview)" : "", wire_control_word(&item->control), item->control.who, job->found, item->part->partition, job->accepted,
               job->refused, complete ? "" : "; others kept changing ahead of it");
    if (!decide_may_answer(engine, item))
        return BATON_OK;
    rc = wire_job_answer_write(&item->control, item->id, item->message.partition, item->message.offset, complete, engine->now_ms, &engine->out, err);
    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}

enum baton_err job_decide(struct engine *engine, struct item *item, struct baton_error *err)
{
    struct wire_job *job = item->control.job;
    struct journal_cause cause = decide_cause(engine, item);
    struct journal_writer *writer = NULL;
    bool more = false;
    enum baton_err rc = BATON_OK;

    if (job->since_ms == 0)
        job->since_ms = engine->now_ms;
    rc = work(engine, item, &more, err);
    if (rc != BATON_OK)
        return rc;
    writer = part_writer(item->part);
    if (writer == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for the journal");
    journal_writer_note(writer, &cause, "job", item->id);
    if (!more || job->after_ms > job->since_ms + JOB_CHASE_MS)
        return finish(engine, item, !more, err);
    rc = wire_job_write(&item->control, item->id, cause.topic, item->part->partition, &engine->out, err);
    return rc == BATON_OK ? decide_produce_out(engine, TAG_CAUSE, err) : rc;
}
