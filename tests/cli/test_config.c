/*
 * test_config.c -- what the configuration becomes: which value wins and whose it is; what is refused, where and why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <baton/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "baton.json"
#define ROWS(rows) (sizeof(rows) / sizeof *(rows))
#define OVERRIDES_MAX 4

#define ENV(path, value) {(path), (value), "environment X"}
#define FLAG(path, value) {(path), (value), "flag -x"}

static void write_file(const char *text)
{
    FILE *file = fopen(FILE_NAME, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum baton_err load(const char *file, const struct config_override *overrides, struct config **ret_config, struct baton_error *err)
{
    size_t n = 0;

    while (n < OVERRIDES_MAX && overrides[n].path != NULL)
        n++;
    if (file != NULL)
        write_file(file);
    return config_load(file != NULL ? FILE_NAME : NULL, overrides, n, ret_config, err);
}

/* --- what a setting is in the end --- */

static const struct shown {
    const char *name;
    const char *file;
    struct config_override overrides[OVERRIDES_MAX];
    const char *path, *value, *origin; /* value NULL = none */
} shown[] = {
    {"without a word the default holds", NULL, {{0}}, "engine.viewLag", "100ms", "default"},
    {"the file goes over the default", "{\"engine\":{\"viewLag\":\"1s\"}}", {{0}}, "engine.viewLag", "1s", FILE_NAME},
    {"what the file does not say stays as it was", "{\"engine\":{\"viewLag\":\"1s\"}}", {{0}}, "engine.threads", "1", "default"},
    {"the environment goes over the file", "{\"redis\":{\"url\":\"redis://file\"}}", {ENV("redis.url", "redis://env")}, "redis.url",
     "redis://env", "environment X"},
    {"a flag goes over the environment", "{\"redis\":{\"url\":\"redis://file\"}}", {ENV("redis.url", "redis://env"), FLAG("redis.url", "redis://flag")},
     "redis.url", "redis://flag", "flag -x"},
    {"brokers have a default", NULL, {{0}}, "kafka.bootstrap.servers", "127.0.0.1:9092", "default"},
    {"brokers come from the file", "{\"kafka\":{\"bootstrap.servers\":\"file:1\"}}", {{0}}, "kafka.bootstrap.servers", "file:1", FILE_NAME},
    {"brokers come from the environment", "{\"kafka\":{\"bootstrap.servers\":\"file:1\"}}", {ENV("kafka.bootstrap.servers", "env:1")},
     "kafka.bootstrap.servers", "env:1", "environment X"},
    {"brokers come from the flag", "{\"kafka\":{\"bootstrap.servers\":\"file:1\"}}",
     {ENV("kafka.bootstrap.servers", "env:1"), FLAG("kafka.bootstrap.servers", "flag:1")}, "kafka.bootstrap.servers", "flag:1", "flag -x"},
    {"a kafka property may be a number", "{\"kafka\":{\"linger.ms\":0.5}}", {{0}}, "kafka.linger.ms", "0.5", FILE_NAME},
    {"a kafka property may be a boolean", "{\"kafka\":{\"socket.keepalive.enable\":true}}", {{0}}, "kafka.socket.keepalive.enable", "true", FILE_NAME},
    {"a kafka property may be of consumers only", "{\"kafka\":{\"consumer\":{\"session.timeout.ms\":6000}}}", {{0}},
     "kafka.consumer.session.timeout.ms", "6000", FILE_NAME},
    {"a kafka property may be of producers only", "{\"kafka\":{\"producer\":{\"compression.type\":\"lz4\"}}}", {{0}},
     "kafka.producer.compression.type", "lz4", FILE_NAME},
    {"group.id is baton", NULL, {{0}}, "kafka.group.id", "baton", "default"},
    {"group.id comes from the file", "{\"kafka\":{\"group.id\":\"shop\"}}", {{0}}, "kafka.group.id", "shop", FILE_NAME},
    {"group.id comes from a flag", "{\"kafka\":{\"group.id\":\"shop\"}}", {FLAG("kafka.group.id", "flag")}, "kafka.group.id", "flag", "flag -x"},
    {"orders.commands starts sagas of any type", NULL, {{0}}, "topics.start.orders.commands", NULL, "default"},
    {"a start topic is bound to a definition", "{\"topics\":{\"start\":{\"pay\":{\"saga\":\"payment\"}}}}", {{0}}, "topics.start.pay", "payment", FILE_NAME},
    {"a service's reply topic is shown", "{\"services\":{\"card\":{\"replyTopic\":\"card.replies\"}}}", {{0}}, "services.card.replyTopic",
     "card.replies", FILE_NAME},
    {"a service's rate is shown", "{\"services\":{\"card\":{\"rate\":\"5/s\"}}}", {{0}}, "services.card.rate", "5/s", FILE_NAME},
    {"a breaker's part is shown", "{\"services\":{\"card\":{\"breaker\":{\"failureRate\":0.25}}}}", {{0}}, "services.card.breaker.failureRate", "0.25", FILE_NAME},
    {"an allowed reply topic is shown", "{\"topics\":{\"allowReplyTo\":[\"web\"]}}", {{0}}, "topics.allowReplyTo", "web", FILE_NAME},
    {"a password of kafka is masked", "{\"kafka\":{\"sasl.password\":\"s3cret\"}}", {{0}}, "kafka.sasl.password", "********", FILE_NAME},
    {"a password of kafka from a flag is masked", NULL, {FLAG("kafka.sasl.password", "s3cret")}, "kafka.sasl.password", "********", "flag -x"},
    {"a key of kafka's is masked", "{\"kafka\":{\"ssl.key.password\":\"s3cret\"}}", {{0}}, "kafka.ssl.key.password", "********", FILE_NAME},
    {"a password in a url is masked", NULL, {FLAG("redis.url", "redis://u:s3cret@cache:1/2")}, "redis.url", "redis://********@cache:1/2", "flag -x"},
    {"a password with an @ in a url is masked whole", NULL, {FLAG("redis.url", "redis://u:s3@cret@cache")}, "redis.url", "redis://********@cache", "flag -x"},
    {"the name of a password's file is no secret", "{\"redis\":{\"passwordFile\":\"/run/pw\"}}", {{0}}, "redis.passwordFile", "/run/pw", FILE_NAME},
};

static void check_shown(void **state)
{
    const struct shown *row = *state;
    struct config *config = NULL;
    struct baton_error err = {0};
    json_t *dump = NULL, *one = NULL;
    size_t i = 0, found = 0;

    if (load(row->file, row->overrides, &config, &err) != BATON_OK)
        fail_msg("%s", err.text);
    dump = config_dump(config);
    json_array_foreach(dump, i, one) {
        const char *value = json_string_value(json_object_get(one, "value"));

        if (value != NULL)
            assert_null(strstr(value, "cret")); /* no secret, wherever it stands */
        if (strcmp(json_string_value(json_object_get(one, "path")), row->path) != 0)
            continue;
        found++;
        if (row->value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, row->value);
        assert_string_equal(json_string_value(json_object_get(one, "origin")), row->origin);
    }
    assert_int_equal(found, 1);
    json_decref(dump);
    config_free(config);
}

/* --- what is refused --- */

static const struct refused {
    const char *name;
    const char *file;
    struct config_override overrides[OVERRIDES_MAX];
    const char *says; /* a part of it */
} refused[] = {
    {"an unknown key is named with its place, its pointer and the nearest name", "{\n  \"engine\": {\n    \"viewlag\": \"1s\" } }", {{0}},
     FILE_NAME ":3:5: /engine/viewlag: \"engine.viewlag\" is no setting; did you mean \"engine.viewLag\"?"},
    {"an unknown section too", "{\"kafak\":{}}", {{0}}, FILE_NAME ":1:2: /kafak: \"kafak\" is no setting; did you mean \"kafka\"?"},
    {"an unknown key in a part of a section", "{\"engine\":{\"batch\":{\"maxcount\":5}}}", {{0}}, "did you mean \"engine.batch.maxCount\"?"},
    {"a key like no other is sent to the docs", "{\"qqqqqqqqqqqqqqqqqqq\":1}", {{0}}, "is no setting; see docs/configuration.md"},
    {"dots do not nest", "{\"engine.viewLag\":\"1s\"}", {{0}}, "names between dots are sections, write \"engine\": {...}"},
    {"a section of a later version says so", "{\"http\":{\"listen\":\":80\"}}", {{0}}, "\"http\" is not supported by this version"},
    {"broken JSON has line and column", "{\n  \"redis\": {\n", {{0}}, FILE_NAME ":2:13: "},
    {"a key given twice has line and column", "{\"redis\":{},\n\"redis\":{}}", {{0}}, FILE_NAME ":2:"},
    {"a byte order mark is named", "\xef\xbb\xbf{}", {{0}}, "byte order mark"},
    {"an empty file is not JSON", "", {{0}}, FILE_NAME ":1:1: empty"},
    {"a list is no configuration", "[]", {{0}}, "expected a JSON object"},
    {"a section must be an object", "{\"engine\":5}", {{0}}, FILE_NAME ":1:11: /engine: expected an object"},
    {"a whole number is no text", "{\"engine\":{\"threads\":\"2\"}}", {{0}}, "/engine/threads: expected a whole number"},
    {"a whole number is no fraction", "{\"engine\":{\"threads\":1.5}}", {{0}}, "/engine/threads: expected a whole number"},
    {"a duration is no number", "{\"engine\":{\"viewLag\":100}}", {{0}}, "/engine/viewLag: expected a duration such as"},
    {"a text is no number", "{\"redis\":{\"url\":6379}}", {{0}}, "/redis/url: expected a string"},
    {"a number has its range", "{\"engine\":{\"threads\":65}}", {{0}}, "/engine/threads: \"65\" is out of its range, 1 to 64"},
    {"a duration has its range", "{\"engine\":{\"viewLag\":\"11s\"}}", {{0}}, "is out of its range, 0 to 10000 ms"},
    {"a duration has a unit", "{\"engine\":{\"viewLag\":\"100\"}}", {{0}}, "\"100\" is not a duration such as"},
    {"a level is one of four", "{\"log\":{\"level\":\"loud\"}}", {{0}}, "/log/level: \"loud\" is not error, warn, info or debug"},
    {"a flag's value is checked, and the flag named", NULL, {FLAG("topics.partitions", "many")}, "flag -x: topics.partitions \"many\" is not a whole number"},
    {"an override must name a setting", NULL, {FLAG("engine.speed", "1")}, "flag -x: unknown setting \"engine.speed\""},
    {"a refused property is named with reason and advice", "{\"kafka\":{\"enable.idempotence\":false}}", {{0}},
     "kafka property \"enable.idempotence\" cannot be set: transactions need it; remove it"},
    {"so it is among the consumer's", "{\"kafka\":{\"consumer\":{\"isolation.level\":\"read_uncommitted\"}}}", {{0}}, "\"isolation.level\" cannot be set: "},
    {"so it is among the producer's", "{\"kafka\":{\"producer\":{\"acks\":\"1\"}}}", {{0}}, "\"acks\" cannot be set: "},
    {"so it is in a flag", NULL, {FLAG("kafka.transactional.id", "mine")}, "\"transactional.id\" cannot be set: "},
    {"so it is in capitals", NULL, {FLAG("kafka.Acks", "1")}, "\"Acks\" cannot be set: "},
    {"what runs code is refused", NULL, {FLAG("kafka.plugin.library.paths", "x.so")}, "it loads code into the worker"},
    {"an unknown property has the nearest name", "{\"kafka\":{\"bootstrap.server\":\"x\"}}", {{0}}, "did you mean \"bootstrap.servers\"?"},
    {"a property's value is librdkafka's to check", "{\"kafka\":{\"compression.type\":\"best\"}}", {{0}}, "kafka property \"compression.type\": "},
    {"a property is a scalar", "{\"kafka\":{\"client.id\":[]}}", {{0}}, "/kafka/client.id: expected a string, a number or a boolean"},
    {"a group has a name", "{\"kafka\":{\"group.id\":\"\"}}", {{0}}, "kafka.group.id is empty"},
    {"the consumer's group.id is not Baton's", "{\"kafka\":{\"consumer\":{\"group.id\":\"x\"}}}", {{0}}, "set group.id of Baton's configuration"},
    {"brokers are needed", NULL, {FLAG("kafka.bootstrap.servers", "")}, "\"bootstrap.servers\" is missing"},
    {"replication 0 is none", "{\"topics\":{\"replication\":0}}", {{0}}, "topics.replication is 0"},
    {"a topic name is one", "{\"topics\":{\"journal\":\"a/b\"}}", {{0}}, "\"a/b\" is not a topic name"},
    {"so it is with the prefix", NULL, {FLAG("topics.prefix", "shop:")}, "is not a topic name: 1 to 249 of A-Za-z0-9._- with topics.prefix"},
    {"two topics of Baton's are two", "{\"topics\":{\"journal\":\"x\",\"state\":\"x\"}}", {{0}}, "topics.journal and topics.state are both \"x\""},
    {"an input is named once", "{\"topics\":{\"start\":{\"baton.replies\":{}}}}", {{0}}, "topic \"baton.replies\" is named twice among the inputs"},
    {"a binding is an object", "{\"topics\":{\"start\":{\"x\":\"order\"}}}", {{0}}, "/topics/start/x: expected an object with \"saga\""},
    {"a binding names a definition", "{\"topics\":{\"start\":{\"x\":{\"saga\":7}}}}", {{0}}, "/topics/start/x/saga: expected a string"},
    {"a binding of a later version says so", "{\"topics\":{\"start\":{\"x\":{\"id\":\"${body.id}\"}}}}", {{0}}, "\"id\" is not supported by this version"},
    {"a service has some setting", "{\"services\":{\"x\":{}}}", {{0}}, "/services/x: expected at least one of \"replyTopic\""},
    {"a service has no other", "{\"services\":{\"x\":{\"maxInflight\":5}}}", {{0}}, "/services/x/maxInflight: \"maxInflight\" is no setting of a service; did you mean \"maxInFlight\"?"},
    {"nor has a breaker", "{\"services\":{\"x\":{\"breaker\":{\"probe\":5}}}}", {{0}}, "/services/x/breaker/probe: \"probe\" is no setting of a service; did you mean \"probes\"?"},
    {"a rate is of a second or a minute", "{\"services\":{\"x\":{\"rate\":\"5/h\"}}}", {{0}}, "/services/x/rate: expected commands a second or a minute, such as \"50/s\""},
    {"a rate is not zero", "{\"services\":{\"x\":{\"rate\":\"0/s\"}}}", {{0}}, "/services/x/rate: expected"},
    {"nothing in flight is no service", "{\"services\":{\"x\":{\"maxInFlight\":0}}}", {{0}}, "/services/x/maxInFlight: expected a whole number from 1 to 1000000"},
    {"a failure rate is a part", "{\"services\":{\"x\":{\"breaker\":{\"failureRate\":50}}}}", {{0}}, "/services/x/breaker/failureRate: expected a number from 0.01 to 1"},
    {"a window has bounds", "{\"services\":{\"x\":{\"breaker\":{\"window\":\"2h\"}}}}", {{0}}, "/services/x/breaker/window: \"2h\" is out of its range, 1000 to 3600000 ms"},
    {"a time has a unit", "{\"services\":{\"x\":{\"breaker\":{\"open\":30}}}}", {{0}}, "/services/x/breaker/open: expected a duration"},
    {"reply topics are a list", "{\"topics\":{\"allowReplyTo\":\"web\"}}", {{0}}, "/topics/allowReplyTo: expected a list"},
    {"reply topics are names", "{\"topics\":{\"allowReplyTo\":[\"a b\"]}}", {{0}}, "/topics/allowReplyTo: item 0 is no topic name"},
};

static void check_refused(void **state)
{
    const struct refused *row = *state;
    struct config *config = NULL;
    struct baton_error err = {0};

    assert_int_equal(load(row->file, row->overrides, &config, &err), BATON_E_INVALID);
    if (strstr(err.text, row->says) == NULL)
        fail_msg("said: %s\nwanted: %s", err.text, row->says);
}

static void missing_file(void **state)
{
    struct config *config = NULL;
    struct baton_error err = {0};

    (void)state;
    assert_int_equal(config_load("nowhere.json", NULL, 0, &config, &err), BATON_E_INVALID);
    assert_string_equal(err.text, "configuration \"nowhere.json\": No such file or directory");
}

/* --- what the rooms get --- */

static void topics_with_prefix(void **state)
{
    static const char *const inputs[] = {"shop.orders", "shop.pay", "shop.baton.replies", "shop.card.replies", "shop.baton.control"};
    const struct config_override none[OVERRIDES_MAX] = {{0}};
    const struct config_topics *topics = NULL;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(load("{\"topics\":{\"prefix\":\"shop.\",\"start\":{\"orders\":{},\"pay\":{\"saga\":\"payment\"}},\"allowReplyTo\":[\"web\"]},"
                          "\"services\":{\"card\":{\"replyTopic\":\"card.replies\"}}}", none, &config, NULL), BATON_OK);
    topics = config_topics(config);
    assert_int_equal(topics->inputs_len, ROWS(inputs));
    for (size_t i = 0; i < ROWS(inputs); i++)
        assert_string_equal(topics->inputs[i].topic, inputs[i]);
    assert_int_equal(topics->inputs[0].kind, INPUT_START);
    assert_null(topics->inputs[0].binding);
    assert_string_equal(topics->inputs[1].binding, "payment");
    assert_int_equal(topics->inputs[3].kind, INPUT_REPLIES);
    assert_string_equal(topics->inputs[3].binding, "card");
    assert_int_equal(topics->inputs[4].kind, INPUT_CONTROL);
    assert_string_equal(topics->journal, "shop.baton.journal");
    assert_string_equal(topics->allow_reply_to[0], "web"); /* somebody else's topic: no prefix */
    assert_null(topics->allow_reply_to[1]);
    assert_string_equal(topics->service_replies[0], "card");
    assert_string_equal(topics->service_replies[1], "shop.card.replies");
    assert_null(topics->service_replies[2]);
    config_free(config);
}

static void rules_of_services(void **state)
{
    const struct config_override none[OVERRIDES_MAX] = {{0}};
    const struct service_rules *rules = NULL;
    struct config *config = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(load("{\"services\":{\"card\":{\"replyTopic\":\"card.replies\"},\"bank\":{\"maxInFlight\":7,\"rate\":\"90/m\",\"breaker\":{}},"
                          "\"ship\":{\"breaker\":{\"window\":\"1m\",\"failureRate\":0.25,\"minimumCalls\":5,\"open\":\"500ms\",\"probes\":2}}}}", none, &config, NULL), BATON_OK);
    rules = config_services(config, &n);
    assert_int_equal(n, 2); /* a reply topic is no rule */
    assert_string_equal(rules[0].name, "bank");
    assert_int_equal(rules[0].max_in_flight, 7);
    assert_int_equal(rules[0].rate_permille, 1500);
    assert_true(rules[0].breaker);
    assert_int_equal(rules[0].window_ms, 10000);
    assert_int_equal(rules[0].failure_permille, 500);
    assert_int_equal(rules[0].minimum_calls, 20);
    assert_int_equal(rules[0].open_ms, 30000);
    assert_int_equal(rules[0].probes, 1);
    assert_int_equal(rules[1].max_in_flight, 0);
    assert_int_equal(rules[1].rate_permille, 0);
    assert_int_equal(rules[1].window_ms, 60000);
    assert_int_equal(rules[1].failure_permille, 250);
    assert_int_equal(rules[1].minimum_calls, 5);
    assert_int_equal(rules[1].open_ms, 500);
    assert_int_equal(rules[1].probes, 2);
    config_free(config);
}

static void limits_in_their_units(void **state)
{
    const struct config_override none[OVERRIDES_MAX] = {{0}};
    const struct engine_limits *limits = NULL;
    struct config *config = NULL;

    (void)state;
    assert_int_equal(load("{\"engine\":{\"threads\":3,\"batch\":{\"maxCount\":5,\"maxBytes\":2048,\"maxWait\":\"7ms\"},\"viewLag\":\"2s\","
                          "\"retention\":\"1h\",\"cacheBytes\":2097152,\"maxMessageBytes\":1234,\"definitionWait\":\"1m\"},"
                          "\"log\":{\"level\":\"debug\",\"format\":\"json\"}}", none, &config, NULL), BATON_OK);
    limits = config_limits(config);
    assert_int_equal(config_threads(config), 3);
    assert_int_equal(limits->batch_max_count, 5);
    assert_int_equal(limits->batch_max_bytes, 2048);
    assert_int_equal(limits->batch_max_wait_ms, 7);
    assert_int_equal(limits->view_lag_ms, 2000);
    assert_int_equal(limits->retention_ms, 3600000);
    assert_int_equal(limits->cache_bytes, 2097152);
    assert_int_equal(limits->max_message_bytes, 1234);
    assert_int_equal(limits->max_record_bytes, 1048588);
    assert_int_equal(limits->definition_wait_ms, 60000);
    assert_string_equal(config_log_level(config), "debug");
    assert_true(config_log_json(config));
    config_free(config);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(missing_file),
        cmocka_unit_test(topics_with_prefix),
        cmocka_unit_test(rules_of_services), cmocka_unit_test(limits_in_their_units),
    };
    struct CMUnitTest tests[ROWS(shown) + ROWS(refused) + ROWS(others)];
    char folder[] = "/tmp/baton-config.XXXXXX";
    size_t n = 0;
    int failed = 0;

    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < ROWS(shown); i++)
        tests[n++] = (struct CMUnitTest){.name = shown[i].name, .test_func = check_shown, .initial_state = (void *)(uintptr_t)&shown[i]};
    for (size_t i = 0; i < ROWS(refused); i++)
        tests[n++] = (struct CMUnitTest){.name = refused[i].name, .test_func = check_refused, .initial_state = (void *)(uintptr_t)&refused[i]};
    memcpy(&tests[n], others, sizeof others);
    failed = cmocka_run_group_tests_name("config", tests, NULL, NULL);
    (void)unlink(FILE_NAME);
    (void)rmdir(folder);
    return failed;
}
