/*
 * participants.c -- the services of the examples as threads: each with a consumer and a producer of its own.
 *
 * Owns:     their start and their end.
 * Tests:    tests/dev/test_dev.py
 */
#include "participants.h"
#include <stdlib.h>
#include <string.h>

#define SERVICES_MAX 16
#define POLL_MS 50
#define FLUSH_MS 1000

static int wait_ms(const struct crew *crew)
{
    int64_t now = client_now_ms(), wait = POLL_MS;

    for (const struct job *job = crew->jobs; job != NULL; job = job->next) {
        if (job->at_ms != 0 && job->at_ms - now < wait)
            wait = job->at_ms - now;
    }
    return wait < 0 ? 0 : (int)wait;
}

static void *crew_run(void *argument)
{
    struct crew *crew = argument;

    while (!atomic_load(&crew->all->stopping)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(crew->consumer, wait_ms(crew));
        struct command command = {0};

        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR && command_read(crew->all->options.prefix, message, &command))
            work_handle(crew, &command);
        if (message != NULL)
            rd_kafka_message_destroy(message);
        work_due(crew, client_now_ms());
        (void)rd_kafka_poll(crew->producer, 0);
    }
    (void)rd_kafka_flush(crew->producer, FLUSH_MS);
    return NULL;
}

static size_t list_services(const char *prefix, char (*topics)[256], size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < DEV_EXAMPLES; i++) {
        for (size_t k = 0; k < examples[i].steps_len; k++) {
            char topic[256];
            bool known = false;

            (void)snprintf(topic, sizeof topic, "%.150s%.90s.commands", prefix, examples[i].steps[k].service);
            for (size_t j = 0; j < n; j++)
                known = known || strcmp(topics[j], topic) == 0;
            if (!known && n < cap)
                (void)strcpy(topics[n++], topic);
        }
    }
    return n;
}

static enum baton_err start_crew(struct crew *crew, const char *const *topics, size_t topics_len, struct baton_error *err)
{
    const struct dev_participants_options *options = &crew->all->options;
    enum baton_err rc = client_producer(options->brokers, options->replies_topic, &crew->producer, err);

    if (rc == BATON_OK)
        rc = client_consumer(options->brokers, topics, topics_len, options->partitions, &crew->consumer, err);
    if (rc == BATON_OK) {
        crew->started = pthread_create(&crew->thread, NULL, crew_run, crew) == 0;
        rc = crew->started ? BATON_OK : baton_fail(err, BATON_E_FATAL, "cannot start the participants' thread");
    }
    return rc;
}

enum baton_err dev_participants_start(const struct dev_participants_options *options, struct dev_participants **ret_participants,
                                      struct baton_error *err)
{
    struct dev_participants *all = calloc(1, sizeof *all);
    char topics[SERVICES_MAX][256];
    size_t n = list_services(options->prefix, topics, SERVICES_MAX);
    enum baton_err rc = BATON_OK;

    if (all == NULL)
        return baton_fail(err, BATON_E_NOMEM, "out of memory for participants");
    all->options = *options;
    for (size_t i = 0; i < CREWS && rc == BATON_OK; i++) {
        const char *own[SERVICES_MAX];
        size_t own_len = 0;

        for (size_t k = i; k < n; k += CREWS)
            own[own_len++] = topics[k];
        all->crews[i].all = all;
        rc = start_crew(&all->crews[i], own, own_len, err);
    }
    if (rc == BATON_OK)
        *ret_participants = all;
    else
        dev_participants_stop(all);
    return rc;
}

size_t dev_participants_pending(struct dev_participants *participants)
{
    return atomic_load(&participants->pending);
}

static void crew_clear(struct crew *crew)
{
    struct deed *deed = NULL, *next = NULL;

    if (crew->started)
        (void)pthread_join(crew->thread, NULL);
    client_close(crew->consumer);
    client_close(crew->producer);
    HASH_ITER(hh, crew->deeds, deed, next) {
        HASH_DEL(crew->deeds, deed);
        free(deed);
    }
    while (crew->jobs != NULL) {
        struct job *job = crew->jobs;

        crew->jobs = job->next;
        free(job);
    }
}

void dev_participants_stop(struct dev_participants *participants)
{
    if (participants == NULL)
        return;
    atomic_store(&participants->stopping, true);
    for (size_t i = 0; i < CREWS; i++)
        crew_clear(&participants->crews[i]);
    free(participants);
}
