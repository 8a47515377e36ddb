/*
 * wire.h -- wire contract, version 1 (docs/protocol.md): records and headers <-> core types. No I/O.
 */
#ifndef BATON_WIRE_H
#define BATON_WIRE_H

#include <baton/bus.h>
#include <baton/filter.h>
#include <baton/gate.h>
#include <baton/json.h>
#include <baton/saga.h>

/* --- names --- */
#define WIRE_MESSAGE_ID_MAX 320 /* <saga>/<step>/<x or c>/<attempt>/<tag>, and its NUL */
#define WIRE_TAG_LEN 32         /* hex digits of a tag */

/** Writes `<saga>/<step>/<x|c>/<attempt>`; returns its length. */
size_t wire_message_id(char out[WIRE_MESSAGE_ID_MAX], const char *saga_id, const char *step, enum saga_action action, int attempt);
/** `<saga>/<step>/<x|c>`: the idempotency key. */
size_t wire_idempotency_key(char out[WIRE_MESSAGE_ID_MAX], const char *saga_id, const char *step, enum saga_action action);

struct wire_message_id {
    char saga_id[SAGA_ID_MAX + 1];
    char step[SAGA_PLACE_NAME_MAX];
    enum saga_action action;
    int attempt;
};
/** The form alone, with a tag or without: whether the tag is right is wire_signer_believes's. */
bool wire_message_id_parse(const void *text, size_t len, struct wire_message_id *ret_id);
/** Does a text that wire_message_id_parse took end in a tag? */
bool wire_message_id_tagged(const char *id, size_t len);

/* --- reply keys: who cannot read a command cannot make up its reply --- */
#define WIRE_REPLY_KEY_MIN 32 /* characters of a key */
#define WIRE_REPLY_KEYS_MAX 8 /* lines of a key file */
struct wire_signer; /* holds the keys; one thread's */
/**
 * @keys  Text of the key file: a key a line, the first signs, all are believed. The line `unsigned` stands for no tag. Not kept.
 * BATON_OK; BATON_E_INVALID: a line is no key, or there is none (err names the line, never the key); BATON_E_NOMEM.
 */
enum baton_err wire_signer_new(const char *keys, size_t len, struct wire_signer **ret_signer, struct baton_error *err);
void wire_signer_free(struct wire_signer *signer); /* NULL is fine */
/** Appends `/<tag>` to a message id: the first 128 bits of HMAC-SHA-256(first key, id). Returns the new length; 0 if memory ran out.
 * signer NULL, or its first line is `unsigned`: the id stays as it is. */
size_t wire_signer_sign(struct wire_signer *signer, char id[WIRE_MESSAGE_ID_MAX], size_t len);
/** Is the tag of id, which wire_message_id_parse took, that of one of the keys? Takes the same time wherever it differs. signer NULL: true, whatever the tag. */
bool wire_signer_believes(struct wire_signer *signer, const char *id, size_t len);

/** The partition of a key as the Java clients choose it: (murmur2(key) & 0x7fffffff) % partitions. */
int32_t wire_partition_of(const void *key, size_t len, int32_t partitions);

/* Why a message goes to the dead letters: the fixed list of `dlq-reason`. */
enum dlq_reason {
    DLQ_INVALID_JSON, DLQ_TOO_LARGE, DLQ_TOO_DEEP, DLQ_TOO_MANY_HEADERS, DLQ_MISSING_ID, DLQ_INVALID_ID, DLQ_MISSING_TYPE,
    DLQ_UNKNOWN_DEFINITION, DLQ_CONFLICTING_START, DLQ_NOT_AN_OBJECT, DLQ_MISSING_CORRELATION, DLQ_INVALID_CORRELATION,
    DLQ_ORPHAN_REPLY, DLQ_WRONG_STEP, DLQ_WRONG_SERVICE, DLQ_INVALID_CLOUDEVENT, DLQ_INVALID_OUTCOME, DLQ_BAD_SIGNATURE,
    DLQ_WRONG_PARTITION, DLQ_UNKNOWN_VERB, DLQ_INVALID_CONTROL, DLQ_UNKNOWN_SAGA, DLQ_REPLY_TOPIC_NOT_ALLOWED, DLQ_UNDELIVERABLE, DLQ_KILLS_WORKER,
    DLQ_SCHEMA, DLQ_DUPLICATE_START, DLQ_REASON_COUNT,
};
const char *dlq_reason_name(enum dlq_reason reason); /* "invalid-json", ... */

/* --- headers --- */
/** The first header of that name, compared without case; NULL = none. A header with a null value counts as absent. */
const struct bus_header *wire_header(const struct bus_message *message, const char *name);

/* --- input: start --- */
struct wire_start {
    char id[SAGA_ID_MAX + 1];
    char type[DEFINITION_NAME_MAX + 1];
    int64_t version;   /* 0 = newest */
    json_t *input;     /* owned; an object */
    json_t *dataref;   /* owned; a text: where the input lies; NULL = nowhere else. Then an empty value is the input {} */
    json_t *parent;    /* owned; {"saga","step","attempt","depth","detached"?}; NULL = it has none */
    char *traceparent; /* owned; NULL = none (or not a valid traceparent) */
    char *tracestate;
    char *reply_topic;       /* owned; NULL = none */
    char *reply_correlation; /* owned; text, or "b64:" + base64 when it is not printable ASCII */
    int64_t at_ms;           /* the record's timestamp, else 0 */
};
/**
 * Read a start command: CloudEvents binary (ce_*), structured (content-type application/cloudevents+json: data, or data_base64), or plain JSON.
 * Saga id: the key, else header saga-id, else ce_id (of the structured event: sagaid extension, id). Type: header saga-type
 * (ce_sagatype / sagatype), else binding. Version: saga-version.
 * @binding  Definition name of the topic, or NULL.
 * BATON_OK; BATON_E_POISON with *ret_reason and err.
 */
enum baton_err wire_start_read(const struct bus_message *message, const char *binding, const struct json_limits *limits,
                               struct wire_start *ret_start, enum dlq_reason *ret_reason, struct baton_error *err);
void wire_start_clear(struct wire_start *start);
/** Only the saga id of a start record, for routing: false if it has none that is valid. */
bool wire_start_id(const struct bus_message *message, const struct json_limits *limits, char ret_id[SAGA_ID_MAX + 1]);

/* --- input: reply --- */
struct wire_reply {
    struct wire_message_id id; /* from kafka_correlationId, else ce_causationid */
    enum reply_header_outcome outcome;
    bool problem;
    int64_t retry_after_ms;
    char *compensation; /* owned; header saga-compensation; NULL = none; empty where it is longer than UNDO_BYTES_MAX or no text */
    json_t *body;    /* owned; NULL = null or empty value */
    json_t *dataref; /* owned; a text: where the body lies; NULL = nowhere else */
    json_t *headers; /* owned; all text headers as an object, first of each name; NULL unless wanted */
};
/** The correlation only (cheap: no body parse), for routing and loading; with a signer, only a correlation that it believes. BATON_E_POISON with
 * reason. */
enum baton_err wire_reply_id(const struct bus_message *message, struct wire_signer *signer, struct wire_message_id *ret_id,
                             enum dlq_reason *ret_reason, struct baton_error *err);
/** The whole of a reply whose wire_reply_id was taken. A body that is not JSON is poison, unless the header kafka_nest-err is there (its text becomes {"error":{...}}). Structured CloudEvents: body = data,
 * correlation from the event's causationid when there is no header. want_headers: build `headers`. */
enum baton_err wire_reply_read(const struct bus_message *message, const struct json_limits *limits, bool want_headers,
                               struct wire_reply *ret_reply, enum dlq_reason *ret_reason, struct baton_error *err);
void wire_reply_clear(struct wire_reply *reply);

/* --- input: control --- */
/* The same asked of every saga of a partition that a filter names: worked off a page at a time, each page's message written in the transaction of the page
 * before, so that no page is lost or done twice. */
#define WIRE_JOB_SHOWN_MAX 20 /* sagas that its answer names, and different reasons; all sagas are counted */
struct wire_job {
    struct saga_filter where;
    bool preview;     /* only see what would become of them */
    int64_t since_ms; /* when it began: sagas that started later are none of its business; 0 = this is its first page */
    int64_t after_ms; /* the last saga looked at: its last change, and ... */
    char after_id[SAGA_ID_MAX + 1];
    int64_t found, accepted, refused;
    json_t *sagas; /* owned; [{"id","definition","version","status","outcome","reason"}], the first of them */
    json_t *reasons; /* owned; {"<why refused>": how many} */
};
struct wire_control { /* what an operator, or a program, asks of a saga */
    json_t *doc; /* owned; the texts below are borrowed from it */
    json_t *parent; /* owned; {"saga","step","attempt"}: the parent compensates its child; NULL = somebody else */
    const char *signal; /* its name; NULL = it is a verb */
    enum saga_verb verb;
    const char *who, *why, *step; /* why, step: NULL = none; who too, of a signal */
    int64_t version;              /* of migrate: the version to go on by; else 0 */
    json_t *value;                /* borrowed: the input of retry, the output of skip and complete, the data of a signal; NULL = none */
    struct { const char *saga, *key; bool leave, queue; } lock; /* a saga of ours tells a lock; saga NULL = it is not that */
    struct wire_job *job;         /* owned; NULL = it asks it of one saga */
    char *message_id;             /* owned; ce_id; NULL = none */
    char *reply_topic, *reply_correlation; /* owned; as in a start; the correlation is the message's id if it gave no other */
};
/** Saga id: the key, else header saga-id or ce_sagaid. BATON_E_POISON with reason. */
enum baton_err wire_control_read(const struct bus_message *message, const struct json_limits *limits, char ret_id[SAGA_ID_MAX + 1],
                                 struct wire_control *ret_control, enum dlq_reason *ret_reason, struct baton_error *err);
void wire_control_clear(struct wire_control *control);
/** "signal", "cancel", ... */
const char *wire_control_word(const struct wire_control *control);
/** Of a lock's message; borrows. saga_id and input are the caller's to add where it starts the lock. */
struct saga_event wire_lock_event(const struct wire_control *control, int64_t at_ms);
/** As an event; borrows from control. */
struct saga_event wire_control_event(const struct wire_control *control, int64_t at_ms);

/* --- input: from a parent, on the control topic --- */
/** Is it the start of a child, and no control message? */
bool wire_child_is_start(const struct bus_message *message);
/** As wire_start_read, with the parent. A start topic's messages have none, whatever they say. */
enum baton_err wire_child_start_read(const struct bus_message *message, const struct json_limits *limits, struct wire_start *ret_start,
                                     enum dlq_reason *ret_reason, struct baton_error *err);
/** Whose child it is, and which attempt of that action asks. New reference. */
enum baton_err wire_child_parent_read(const struct bus_message *message, enum saga_action action, json_t **ret_parent,
                                      enum dlq_reason *ret_reason, struct baton_error *err);
/** Which command of a parent waits for an answer to this message? False: none. For a message that is refused, of which nothing else may have been read. */
bool wire_child_asker(const struct bus_message *message, struct wire_message_id *ret_id);

/* --- output: a record under construction; memory is reused from record to record --- */
#define WIRE_OUT_HEADERS_MAX (BUS_HEADERS_MAX + 16)
struct wire_out {
    struct bus_record record;
    struct buffer value, text; /* text holds the header values */
    struct bus_header headers[WIRE_OUT_HEADERS_MAX];
    size_t offsets[WIRE_OUT_HEADERS_MAX]; /* of the header values in text while it grows */
    char topic[256];
    char key[SAGA_ID_MAX + 1];
};
void wire_out_free(struct wire_out *out);

struct wire_names {
    const char *replies;             /* default reply topic of commands */
    const char *control;             /* where children are started and undone */
    const char *const *service_replies; /* pairs service, topic; NULL-terminated; services with a reply topic of their own */
    const char *command_prefix;      /* topics prefix, "" */
    const char *source_prefix;       /* "" */
    struct wire_signer *signer;      /* of commands' ids; NULL = they carry no tag */
};

/** A command record on `<prefix><service>.commands`: headers of docs/protocol.md, value = the input. now_ms for ce_time.
 * The traceparent is a child of the saga's (same trace id; span id derived from the message id without its tag, so that every worker
 * computes the same); none if the saga has none. BATON_E_NOMEM. */
enum baton_err wire_command_write(const struct saga *saga, const struct effect *effect, int64_t now_ms,
                                  const struct wire_names *names, struct wire_out *out, struct baton_error *err);
/** EFFECT_CHILD: the start of the step's child, or its undoing, on the control topic; key = the child's id. */
enum baton_err wire_child_write(const struct saga *saga, const struct effect *effect, const struct wire_names *names, struct wire_out *out,
                                struct baton_error *err);
struct wire_child_answer {
    const char *parent_id, *step;
    enum saga_action action;
    int attempt;
    const char *child_id;
    enum reply_header_outcome outcome; /* success or failure */
    const json_t *body;                /* NULL = null */
    const json_t *dataref;             /* a text: where it lies; NULL = nowhere else */
};
/** A child's answer to its parent: a reply like any other, on the reply topic. */
enum baton_err wire_child_answer_write(const struct wire_child_answer *answer, const struct wire_names *names, struct wire_out *out,
                                       struct baton_error *err);
/** The result CloudEvent (EFFECT_RESULT: on `topic`, ce_type baton.saga.<status>.v1) or announcement (EFFECT_PARKED/RESUMED:
 * baton.saga.parked.v1 / resumed). correlation: the starter's, or NULL; "b64:" is decoded to raw bytes. */
enum baton_err wire_result_write(const struct saga *saga, enum effect_kind kind, int64_t now_ms, const char *topic,
                                 const char *correlation, struct wire_out *out, struct baton_error *err);
/** The CloudEvent of a service's circuit breaker: baton.service.<state>.v1, key = the service. It borrows name. */
enum baton_err wire_service_write(const char *name, const struct service_breaker *breaker, const char *topic, struct wire_out *out, struct baton_error *err);
/* What became of a control message. */
enum wire_answer_outcome { ANSWER_ACCEPTED, ANSWER_REFUSED, ANSWER_UNKNOWN_SAGA };
struct wire_answer {
    enum wire_answer_outcome outcome;
    const char *saga_id;
    const struct saga *saga; /* after it; NULL = there is none */
    const char *reason;      /* NULL = accepted */
    int32_t partition;       /* of the control message */
    int64_t offset;
};
/** The answer to a control message that named a topic for it. */
enum baton_err wire_answer_write(const struct wire_answer *answer, const struct wire_control *control, int64_t now_ms, struct wire_out *out,
                                 struct baton_error *err);
/** Id of the lock on a business key: "lock:<key>", or "lock::<hash>" where the key cannot stand in an id. False if memory ran out. */
#define WIRE_LOCK_PREFIX "lock:"
bool wire_lock_id(const char *key, char ret_id[SAGA_ID_MAX + 1]);
/** EFFECT_LOCK, EFFECT_SIGNAL: a control message to a lock, or to the saga that it tells. */
enum baton_err wire_tell_write(const struct effect *effect, const char *control_topic, struct wire_out *out, struct baton_error *err);
/** The next page of a job, on the control topic: its message with control->job as it is now. */
enum baton_err wire_job_write(const struct wire_control *control, const char *id, const char *control_topic, int32_t partition, struct wire_out *out,
                              struct baton_error *err);
/** The answer of a job that is done with its partition. complete = false: sagas kept moving ahead of it, some may be missed. */
enum baton_err wire_job_answer_write(const struct wire_control *control, const char *id, int32_t partition, int64_t offset, bool complete,
                                     int64_t now_ms, struct wire_out *out, struct baton_error *err);
/** The dead letter: original key, value, headers and the dlq-* headers (older dlq-* headers are replaced). It borrows from message, as a
 * forwarded record does: produce it before the message is released. */
enum baton_err wire_dead_letter_write(const struct bus_message *message, const char *origin_topic, enum dlq_reason reason,
                                      const char *explanation, const char *dlq_topic, struct wire_out *out, struct baton_error *err);
/** The same record for the right partition: key = saga id, one more header baton-forwarded: <topic>/<partition>/<offset> it came from.
 * @partition  Where it belongs; -1 = murmur2 of the key. */
enum baton_err wire_forward_write(const struct bus_message *message, const char *topic, int32_t partition, const char *saga_id,
                                  struct wire_out *out, struct baton_error *err);
bool wire_was_forwarded(const struct bus_message *message);

/* --- state --- */
/** Limits for reading what Baton itself has written (state documents, journal records): a state nests deeper than the payloads in it. */
#define WIRE_OWN_DEPTH_MAX 1024
extern const struct json_limits wire_own_limits;
/** The state document, compact, members in a fixed order (schemas/saga-state.schema.json): equal states give equal bytes. */
void wire_state_write(struct buffer *out, const struct saga *saga);
/** The definition a state document names, without building it: for finding the definition before wire_state_read. */
bool wire_state_definition(const json_t *doc, const char **ret_name, int64_t *ret_version, const char **ret_hash);
/** BATON_E_INVALID: not a state document of this definition. */
enum baton_err wire_state_read(const json_t *doc, const struct definition *definition, struct saga **ret_saga, struct baton_error *err);
/** What the last apply changed: {"set":{...},"steps":{<name>:<whole entry>},"history":[...],"cut":n}; apply it to the previous state document with
 * wire_patch_apply and the result's text equals wire_state_write's, byte for byte. */
void wire_patch_write(struct buffer *out, const struct saga *saga);
/** In place on doc (a state document). BATON_E_INVALID if patch is not one. */
enum baton_err wire_patch_apply(json_t *doc, const json_t *patch, struct baton_error *err);
/** Fields of a state document that the view's item needs. id/type are borrowed from doc. */
struct wire_summary { const char *id, *type; int64_t version, seq; enum saga_status status; int64_t due_ms, updated_ms; };
bool wire_state_summary(const json_t *doc, struct wire_summary *ret_summary);
/** The same from a text that wire_state_write made, without parsing it; false if it does not begin in that way (parse it then). */
struct wire_state_head {
    char type[DEFINITION_NAME_MAX + 1];
    int64_t version, seq, due_ms, updated_ms;
    enum saga_status status;
};
bool wire_state_head_read(const char *text, size_t len, struct wire_state_head *ret_head);

/** Header of a record of the state topic: the partition seq up to which the state is right. */
#define STATE_SEQ_HEADER "baton-seq"

/* --- journal --- */
#define JOURNAL_FORMAT 1

struct journal_cause { /* what a step answers to */
    const char *topic; /* NULL = a timer or the worker itself (purge) */
    int32_t partition;
    int64_t offset;
};

/* Builds the one record of a transaction and partition. Steps are appended as they are decided. */
struct journal_writer {
    struct buffer steps; /* JSON text of the steps so far, comma-separated */
    size_t count;
};
void journal_writer_clear(struct journal_writer *writer);
void journal_writer_free(struct journal_writer *writer);
/** A step of a saga: event (whole enough to re-derive), disposition, ids of commands, and state (seq 1) or patch. Not for
 * IGNORED_EARLY: nothing changed, and the saga's marks of the last change are older than this event. */
void journal_writer_step(struct journal_writer *writer, const struct saga *saga, const struct saga_event *event,
                         const struct journal_cause *cause, const struct effects *effects);
/** An input that touched no saga: forwarded, dead-lettered, ignored. `what` is "forwarded", "dead-letter:<reason>". */
void journal_writer_note(struct journal_writer *writer, const struct journal_cause *cause, const char *what, const char *saga_id);
/** A verb that its saga's state forbids. */
void journal_writer_refused(struct journal_writer *writer, const struct journal_cause *cause, const char *saga_id,
                            const struct saga_event *event, const char *reason);
/** A saga whose retention ended. */
void journal_writer_purge(struct journal_writer *writer, const char *saga_id, int64_t at_ms);

struct journal_head {
    int64_t seq;
    int64_t checkpoint;        /* all changes up to this seq are in the state topic */
    int64_t checkpoint_offset; /* journal offset of the first record with seq > checkpoint, or a smaller one; -1 = unknown */
    int64_t at_ms;
    const char *worker;        /* transactional id */
    const char *const *topics; /* inputs */
    const int64_t *offsets;    /* vector: next offset per input after this transaction */
    size_t inputs_len;
    int part, parts;           /* 1 of 1 unless cut */
};
/** The record's value: {"v":1,"seq",...,"vector":{...},"n":count,"crc":crc32 of all text before it and the steps' text,"steps":[...]}. */
void journal_record_write(struct buffer *out, const struct journal_head *head, const struct journal_writer *writer);

/* A record read back. */
struct journal_record {
    json_t *doc; /* owned */
    int64_t seq, checkpoint, checkpoint_offset, at_ms;
    int part, parts;
    json_t *vector; /* borrowed from doc: topic -> next offset */
    json_t *steps;  /* borrowed from doc: array */
};
/** Checks format version, n and crc. BATON_E_INVALID with the reason: unknown format, torn. */
enum baton_err journal_record_read(const void *value, size_t len, struct journal_record *ret_record, struct baton_error *err);
void journal_record_clear(struct journal_record *record);

struct journal_step {
    const char *saga_id;  /* borrowed; NULL = a note without a saga */
    int64_t seq;          /* of the saga after it; 0 = note */
    json_t *state, *patch; /* borrowed; one of them, or none for notes and purges */
    bool purge;
    bool note;
};
bool journal_step_read(const json_t *step, struct journal_step *ret_step);

/* --- the metadata of committed offsets: 1;seq=<seq>;c=<checkpoint> --- */
size_t wire_offset_metadata(char out[64], int64_t seq, int64_t checkpoint);
bool wire_offset_metadata_parse(const char *text, size_t len, int64_t *ret_seq, int64_t *ret_checkpoint);

/** SHA-256 in hex of the canonical text (sorted keys, compact, this writer's numbers) of a definition document. */
enum baton_err wire_definition_hash(const json_t *doc, char ret_hash[65], struct baton_error *err);

/** RFC 3339 UTC with ms: 2026-01-31T12:00:00.000Z; returns its length (24). */
size_t wire_time_text(char out[32], int64_t at_ms);

#endif
