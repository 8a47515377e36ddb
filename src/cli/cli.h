/*
 * cli.h -- what the commands share: the settings of this call, exit codes, output.
 */
#ifndef BATON_CLI_H
#define BATON_CLI_H

#include <baton/config.h>
#include <jansson.h>

enum exit_code {
    EXIT_OK = 0, EXIT_UNEXPECTED = 1, EXIT_USAGE = 2, EXIT_INVALID = 3, EXIT_MISSING = 4, EXIT_UNREACHABLE = 5,
    EXIT_CONFLICT = 6, EXIT_TIMED_OUT = 7, EXIT_COMPENSATED = 10, EXIT_PARKED = 11, EXIT_CANCELLED = 12,
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JSONL };

struct cli {
    struct config *config;
    enum output output;
    struct logger logger;
    struct kafka_options kafka; /* the configuration's, with our log */
    char **args;                /* after the command's name, options of all commands taken out */
    int args_len;
};

/** Take option `--name VALUE` or `--name=VALUE` out of the arguments: NULL if it is not there. Exits with usage if VALUE is missing. */
const char *cli_option(struct cli *cli, const char *name);
/** Take `--name` out. */
bool cli_flag(struct cli *cli, const char *name);
/** Exit with EXIT_USAGE unless exactly least..most arguments, none of them an option, are left. */
void cli_expect(struct cli *cli, int least, int most, const char *usage);
/** Say err on stderr; the exit code that goes with it. */
int cli_fail(const struct baton_error *err);
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** One JSON value: a line with jsonl, indented with json. */
void cli_print_json(const struct cli *cli, const json_t *value);

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

/* deploy.c */
/** Read, check and publish one definition. `said` is what happened: "deployed", "unchanged". */
enum baton_err deploy_file(struct cli *cli, struct definition_store *store, struct kafka_sender *sender, const char *path,
                           const char **ret_said, char *ret_name, struct baton_error *err);
/** Publish every *.json of a directory, in order of name. */
enum baton_err deploy_directory(struct cli *cli, struct definition_store *store, const char *path, struct baton_error *err);

/* file.c */
/** A whole file (path "-" = standard input), malloc'ed, NUL-terminated. */
enum baton_err file_read(const char *path, size_t bytes_max, char **ret_text, size_t *ret_len, struct baton_error *err);

/* instance.c */
/** The worker's name: as given, or <hostname>-<lowest free slot>, held by a lock for the life of the process. */
enum baton_err instance_name(const char *given, char *ret_name, size_t size, struct baton_error *err);

/* the commands */
int command_worker(struct cli *cli);
int command_topics(struct cli *cli);
int command_deploy(struct cli *cli);
int command_validate(struct cli *cli);
int command_definitions(struct cli *cli);
int command_start(struct cli *cli);
int command_status(struct cli *cli);
int command_history(struct cli *cli);
int command_list(struct cli *cli);
int command_config(struct cli *cli);
int command_version(struct cli *cli);

#endif
