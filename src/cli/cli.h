/*
 * cli.h -- what the commands share: the settings of this call, exit codes, output.
 */
#ifndef BATON_CLI_H
#define BATON_CLI_H

#include <baton/config.h>
#include <baton/definition.h>
#include <jansson.h>

enum exit_code {
    EXIT_OK = 0, EXIT_UNEXPECTED = 1, EXIT_USAGE = 2, EXIT_INVALID = 3, EXIT_MISSING = 4, EXIT_UNREACHABLE = 5,
    EXIT_CONFLICT = 6, EXIT_TIMED_OUT = 7, EXIT_COMPENSATED = 10, EXIT_PARKED = 11, EXIT_CANCELLED = 12,
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JSONL };

struct cli;

struct cli_flag {
    const char *name;  /* "--input", "-b" */
    const char *value; /* "FILE"; NULL = takes none */
    const char *what;
};

struct command {
    const char *name;
    int (*run)(struct cli *cli);
    bool plain;                   /* needs no configuration */
    const char *arguments;        /* "FILE..."; "" = none */
    const char *what;
    const struct cli_flag *flags; /* ended by a NULL name */
    const char *more;             /* the end of its help; "" = nothing */
};

struct cli {
    const struct command *command;
    struct config *config;
    enum output output;
    struct logger logger;
    struct kafka_options kafka; /* the configuration's, with our log */
    /* How topics come to be where the broker has no request for it (dev's mock cluster); NULL = kafka_topics_create. */
    enum baton_err (*create_topics)(void *context, const struct kafka_topic_spec *specs, size_t n, size_t *ret_created,
                                    struct baton_error *err);
    void *create_context;
    char **args;                /* after the command's name, options taken out as they are read */
    int args_len;
};

/* args.c */
/** Take option `--name VALUE` or `--name=VALUE` out of the arguments: NULL if it is not there. Exits with usage if VALUE is missing. */
const char *cli_option(struct cli *cli, const char *name);
/** Take `--name` out. */
bool cli_flag(struct cli *cli, const char *name);
/** Take `--name [VALUE]` out: VALUE only if it is a whole number; `otherwise` if none stands there, -1 if the option is not there. */
int64_t cli_option_number(struct cli *cli, const char *name, int64_t otherwise);
/** Exit with EXIT_USAGE unless exactly least..most arguments are left, none of them an option ("--" ends the options). */
void cli_expect(struct cli *cli, int least, int most);
/** A whole number and nothing else, from least to most. */
bool cli_number(const char *text, int64_t least, int64_t most, int64_t *ret_number);
/** Say what is wrong with the command line, and how this command is called: EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_help(const struct cli *cli);

/* main.c */
/** Read the configuration and the options that set it; brokers and redis, where not NULL, go over everything. Exits with usage on a bad -X. */
enum baton_err cli_configure(struct cli *cli, const char *brokers, const char *redis, struct baton_error *err);

/* output.c */
/** Say err on stderr; the exit code that goes with it. */
int cli_fail(const struct baton_error *err);
/** Is fd a terminal that wants colours? */
bool cli_colored(int fd);
/** One JSON value on a line of its own. */
void cli_print_json(const json_t *value);
/** What a command found: in text form one call of print a row, with json one array, with jsonl one line a row. Takes rows over. */
/** The text of a member, "-" where there is none. */
const char *cli_text_at(const json_t *doc, const char *name);
void cli_print_rows(const struct cli *cli, json_t *rows, void (*print)(const json_t *row));

/* setup.c: what must be in Kafka before a worker can run */
struct setup {
    char epoch[VIEW_EPOCH_MAX];
    struct definition_store *store;
    int64_t next_offset; /* of the definitions topic */
};
/** Create missing topics (if asked to), check partition counts, read or write the cluster's record, read the definitions. */
enum baton_err setup_run(struct cli *cli, bool create, size_t *ret_created, struct setup *ret_setup, struct baton_error *err);
void setup_clear(struct setup *setup);
/** The command topics of all services that the definitions name. */
enum baton_err setup_command_topics(struct cli *cli, struct definition_store *store, const char *const *services, size_t services_len,
                                    size_t *ret_created, struct baton_error *err);
/** How many partitions this cluster has, by its journal. */
enum baton_err setup_partitions(struct cli *cli, int32_t *ret_partitions, struct baton_error *err);

/* check.c */
struct checked; /* a definition's file, and what was found in it */
/** Read, parse and check a file ("-" = standard input); schema files that it names become part of the document. NULL only if memory ran out. */
struct checked *checked_file(const char *path);
/* Says into findings what is wrong with a document of another kind. */
typedef void (*checked_by)(void *context, const json_t *document, struct findings *findings);
/** The same for a file of another kind. */
struct checked *checked_other_file(const char *path, size_t bytes_max, checked_by check, void *context);
void checked_free(struct checked *checked);
/** The definition; NULL if it is not one. Borrowed. */
const json_t *checked_document(const struct checked *checked);
/** What was found, to say more; borrowed. */
struct findings *checked_findings(struct checked *checked);
/** The definition, while checked lives; NULL: there is an error. */
const struct definition *checked_definition(const struct checked *checked);
/** children.c: adds to the findings of each file what its child sagas bring with them, as these files have them, or the store (NULL = none). False: no memory. */
bool children_check(struct checked *const *files, size_t len, struct definition_store *store);
/** For people, on stderr: file:line:column, the line, a caret. */
void checked_show(const struct checked *checked);
/** {"file","valid","name"?,"version"?,"findings":[{"level","line","column","pointer","text"}...]}; new reference. */
json_t *checked_json(const struct checked *checked);
/** The files that the arguments name, directories as their *.json in order of name; free the names and the list. BATON_E_INVALID. */
enum baton_err checked_expand(char *const *args, int args_len, char ***ret_files, size_t *ret_len, struct baton_error *err);
void checked_files_free(char **files, size_t len);

/* wiring.c: Kafka and Redis as the engine's bus and view, by this call's configuration */
struct wiring;
struct wiring_needs { /* all borrowed until close */
    const struct setup *setup;
    const char *instance;
    const char *reply_keys;
    size_t reply_keys_len;
    bool mock; /* the broker is librdkafka's mock cluster */
};
enum baton_err wiring_open(struct cli *cli, const struct wiring_needs *needs, struct wiring **ret_wiring, struct baton_error *err);
const struct worker_options *wiring_options(const struct wiring *wiring);
void wiring_close(struct wiring *wiring); /* after worker_free; NULL is fine */

/* deploy.c */
/** Publish a document that is known to be a definition; path is for errors. `said` as below. */
enum baton_err deploy_document(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const json_t *doc,
                               const char *path, const char **ret_said, char *ret_name, struct baton_error *err);
/** Read, check and publish one definition. `said` is what happened: "deployed", "unchanged". */
enum baton_err deploy_file(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const char *path,
                           const char **ret_said, char *ret_name, struct baton_error *err);
/** Publish every *.json of a directory, in order of name. */
enum baton_err deploy_directory(struct cli *cli, struct definition_store *store, const char *path, struct baton_error *err);

/* file.c */
/** A whole file (path "-" = standard input), malloc'ed, NUL-terminated. */
enum baton_err file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len, struct baton_error *err);

/**
 * The JSON object of --input JSON|@FILE|-, {} if given is NULL. BATON_E_INVALID says what is wrong with it.
 * Its text (malloc'ed) and its value (new reference), either of them only if asked for.
 */
enum baton_err input_read(const char *given, char **ret_text, size_t *ret_len, json_t **ret_input, struct baton_error *err);

/* control.c: asking through the control topic, and waiting for the answer */
struct control;
/** BATON_E_NOT_FOUND: the topics are not there; BATON_E_RETRY: Kafka is away. */
enum baton_err control_open(struct cli *cli, struct control **ret_control, struct baton_error *err);
#define CONTROL_ID_MAX SAGA_ID_MAX
struct control_question {
    char id[CONTROL_ID_MAX + 1]; /* whom it is asked */
    char tag[33];                /* names it; set by control_ask */
    json_t *answer;              /* the answer's value, owned by whoever asked; NULL = not yet */
};
int32_t control_partitions(const struct control *control); /* of the control topic */
/**
 * Ask the same of each and wait for what became of it.
 *
 * @message  Borrowed: the control message's value.
 * Returns BATON_OK with all answers; BATON_E_STALE: sent, but not all were answered within seconds; BATON_E_RETRY: Kafka is away.
 */
enum baton_err control_ask(struct control *control, struct control_question *questions, size_t n, const json_t *message, int64_t seconds,
                           struct baton_error *err);
void control_close(struct control *control); /* NULL is fine */

/* verb_job.c */
struct verb_job {
    const char *where; /* the filter */
    bool yes;          /* else only count */
    json_t *message;   /* borrowed: of the verb; "where" and "preview" are put into it */
    int64_t seconds;   /* to wait for */
};
/** Exit code. */
int verb_job(struct cli *cli, const struct verb_job *job);

/* saga_command.c */
/** The state document of one saga, as Redis has it; new reference. BATON_E_NOT_FOUND, BATON_E_RETRY; BATON_E_INVALID: not an id. */
enum baton_err saga_find(struct cli *cli, const char *id, json_t **ret_doc, struct baton_error *err);

/* iterations.c: the steps of a forEach to people */
struct iterations;
struct iterations *iterations_new(json_t *steps); /* borrowed; NULL if memory ran out, then every one is shown */
/** Is this entry told by itself? Of a step of which there are many, the first time, how they stand is printed. */
bool iterations_show(struct iterations *iterations, const char *name, const json_t *entry);
void iterations_free(struct iterations *iterations); /* NULL is fine */

/* masked.c: what the definition calls sensitive, out of a document that people see; in place */
/** A state, or a trial's report, of this definition and input. */
enum baton_err masked(const struct definition *definition, const json_t *input, json_t *doc, struct baton_error *err);
/** A state, of a definition that is there as a document. */
enum baton_err masked_by(const json_t *definition, json_t *doc, struct baton_error *err);
/** A state whose definition is read from Kafka. Where that is not to be had no payload is left, and stderr says so. */
void masked_saga(struct cli *cli, json_t *doc);

/* instance.c */
/** The worker's name: as given, or <hostname>-<lowest free slot>, held by a lock for the life of the process. */
enum baton_err instance_name(const char *given, char *ret_name, size_t size, struct baton_error *err);

/* reply_keys.c */
/** The text of security.replyKeyFile, checked; nothing if it names none. A file that others may read is warned of. */
enum baton_err reply_keys_read(struct cli *cli, char **ret_keys, size_t *ret_len, struct baton_error *err);
void reply_keys_free(char *keys, size_t len); /* overwrites it first; NULL is fine */

/* verb_command.c */
/** Whoever runs this: user@host. */
void verb_whoami(char *out, size_t size);
/** Exits with usage if one of them is too long; NULL = not said. */
void verb_check_who(struct cli *cli, const char *who, const char *why);

/* the commands */
int command_dev(struct cli *cli);
int command_worker(struct cli *cli);
int command_topics(struct cli *cli);
int command_deploy(struct cli *cli);
int command_validate(struct cli *cli);
int command_try(struct cli *cli);
int command_graph(struct cli *cli);
int command_definitions(struct cli *cli);
int command_start(struct cli *cli);
int command_status(struct cli *cli);
int command_history(struct cli *cli);
int command_list(struct cli *cli);
int command_verb(struct cli *cli); /* signal, cancel, terminate, pause ...: by its name */
int command_migrate(struct cli *cli);
int command_services(struct cli *cli);
int command_config(struct cli *cli);
int command_version(struct cli *cli);

#endif
