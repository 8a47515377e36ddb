/*
 * test_migrate.c -- when a saga may go on by another version, and why not.
 */
#include "rows.h"
#include <baton/apply.h>
#include <baton/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "{'name':'a','service':'s','command':'A','compensation':{'command':'UA'}}"
#define B "{'name':'b','service':'s','command':'B','compensation':{'command':'UB'}}"
#define TRIED "{'name':'a','service':'s','tcc':{'try':{'command':'A'},'confirm':{'command':'CA'},'cancel':{'command':'UA'}}}"
#define C "{'name':'c','service':'s','command':'C'}"
#define NEW "{'name':'new','service':'s','command':'New'}"
#define GROUP "{'name':'g','sequence':[" A "," B "]}"
#define LOCK(key) "],'lock':{'key':'" key "'},'output':["
#define CHOICE(one, two) "{'name':'way','switch':[{'when':'${true}','steps':[" one "]},{'when':'${false}','steps':[" two "]}]}"

/* The saga has had so many successes when it is asked to go on by `to`. */
static const struct row {
    const char *name, *from;
    int done;
    const char *to, *then;
} rows[] = {
    {"what is still to come may be anything", A "," B, 1, A "," B "," NEW, "fine"},
    {"what is under way stays", A "," B, 0, A "," NEW, "fine"},
    {"the same steps", A "," B "," C, 1, A "," B "," C, "fine"},
    {"inputs, timeouts and retries may differ", A "," C, 0, "{'name':'a','service':'s','command':'A','input':{'x':1},'timeout':'9s','retry':{'attempts':9},'compensation':{'command':'Other'}}," C, "fine"},
    {"a step that has been reached is gone", A "," B, 1, A, "step b is not there, and has been reached"},
    {"a step that has not is gone", A "," B, 0, A, "fine"},
    {"what was tried is confirmed there as well", TRIED "," B, 1, TRIED "," B "," C, "fine"},
    {"what was tried would not be confirmed there", TRIED "," B, 1, A "," B, "step a is tried and confirmed in one of the versions only"},
    {"what was done would be confirmed there", A "," B, 1, TRIED "," B, "step a is tried and confirmed in one of the versions only"},
    {"another command", A "," B, 1, "{'name':'a','service':'s','command':'Z','compensation':{'command':'UA'}}," B, "step a is another command there, or to another service"},
    {"another service", A "," B, 1, "{'name':'a','service':'z','command':'A','compensation':{'command':'UA'}}," B, "step a is another command there, or to another service"},
    {"another kind", A "," B, 1, "{'name':'a','sleep':'5m'}," B, "step a is of another kind there, or of one that cannot be moved"},
    {"a step before what was reached", A "," B, 1, NEW "," A "," B, "step new stands there before what has been reached: it would never run"},
    {"a step between what was reached", A "," B, 1, A "," NEW "," B, "step new stands there before what has been reached: it would never run"},
    {"a step between done and to come", A "," B, 0, A "," NEW "," B, "fine"},
    {"another order", A "," B, 1, B "," A, "steps a and b stand the other way round there"},
    {"no compensation any more", A "," B, 1, "{'name':'a','service':'s','command':'A'}," B, "step a has no compensation there"},
    {"a pivot that was none", A "," B, 1, "{'name':'a','service':'s','command':'A','pivot':true,'compensation':{'command':'UA'}}," B, "step a is the pivot in one of the versions only"},
    {"a pivot still to come", A "," B, 0, A ",{'name':'b','service':'s','command':'B','pivot':true}", "fine"},
    {"in a group", GROUP "," C, 1, GROUP "," NEW, "fine"},
    {"out of its group", GROUP "," C, 1, A "," B "," C, "step g is not there, and has been reached"},
    {"into a group of the same name", A "," B, 1, "{'name':'g','sequence':[" A "," B "]}", "step a stands in another group there"},
    {"a step more in the group that is under way", GROUP, 1, "{'name':'g','sequence':[" A "," B "," NEW "]}", "fine"},
    {"a step more in a group that is done", GROUP "," C, 2, "{'name':'g','sequence':[" A "," B "," NEW "]}," C, "step new stands there before what has been reached: it would never run"},
    {"a step more in the case that was taken and done", CHOICE(A, B) "," C, 1, CHOICE(A "," NEW, B) "," C, "step new stands there before what has been reached: it would never run"},
    {"a step more in a case that was not taken", CHOICE(A, B) "," C, 1, CHOICE(A, B "," NEW) "," C, "fine"},
    {"the cases the other way round", CHOICE(A, B) "," C, 0, CHOICE(B, A) "," C, "step a stands in another group there"},
    {"a wait for the same signal", "{'name':'w','wait':{'signal':'x','timeout':'1h'}}", 0, "{'name':'w','wait':{'signal':'x','timeout':'2h'}}", "fine"},
    {"a wait for another signal", "{'name':'w','wait':{'signal':'x','timeout':'1h'}}", 0, "{'name':'w','wait':{'signal':'y','timeout':'1h'}}", "step w waits for another signal there"},
    {"a lock on another key", A LOCK("k"), 0, A LOCK("j"), "its lock has another key there"},
    {"its lock is gone", A LOCK("k"), 0, A, "step :lock is not there, and has been reached"},
    {"a lock that it has not asked for", A, 0, A LOCK("k"), "step :lock stands there before what has been reached: it would never run"},
};

static struct definition *compile(struct expr_vm *vm, const char *steps, int version)
{
    char text[2048];
    struct findings *findings = calloc(1, sizeof *findings);
    struct definition *definition = NULL;
    json_t *doc = NULL;

    (void)snprintf(text, sizeof text, "{'name':'d','version':%d,'steps':[%s]}", version, steps);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_int_equal(json_parse(text, strlen(text), &json_default_limits, &doc, NULL), BATON_OK);
    assert_int_equal(definition_parse(doc, vm, findings, &definition), BATON_OK);
    json_decref(doc);
    free(findings);
    return definition;
}

/* The one command that is out succeeds. */
static void succeed(struct saga **saga, struct effects *effects)
{
    struct saga_event event = {.kind = EVENT_REPLY, .at_ms = 2000, .attempt = 1, .outcome = REPLY_SUCCESS, .place = SAGA_ITSELF};

    for (size_t i = 0; i < (*saga)->steps_len; i++) {
        const struct saga_step *step = &(*saga)->steps[i];

        if (step->status == STEP_RUNNING && (*saga)->definition->steps[step->index].kind == STEP_COMMAND)
            event.place = saga_place_of(step);
    }
    assert_true(event.place.index >= 0);
    assert_int_equal(saga_apply(saga, &event, effects), BATON_OK);
}

static char *names_of(const struct saga *saga, char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < saga->steps_len; i++)
        (void)strcat(strcat(out, saga->definition->steps[saga->steps[i].index].name), " ");
    for (size_t i = 0; i < saga->history_len && saga->history[i].kind < HISTORY_VERB; i++)
        (void)strcat(strcat(out, saga->history[i].place.index < 0 ? "-" : saga->definition->steps[saga->history[i].place.index].name), " ");
    return out;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct expr_vm *vm = expr_vm_new();
    struct definition *from = compile(vm, row->from, 1), *to = compile(vm, row->to, 2);
    struct saga *saga = NULL;
    struct effects effects = {0};
    json_t *input = json_object();
    struct saga_event start = {.kind = EVENT_START, .at_ms = 1000, .saga_id = "o-1", .input = input};
    struct saga_event migrate = {.kind = EVENT_VERB, .at_ms = 3000, .verb = VERB_MIGRATE, .who = "ann", .definition = to, .version = 2};
    char before[2048], after[2048], reason[256] = "";
    int64_t due = 0;

    assert_int_equal(saga_start(from, &start, &saga, &effects), BATON_OK);
    for (int i = 0; i < row->done; i++)
        succeed(&saga, &effects);
    due = saga->due_at_ms;
    (void)names_of(saga, before);
    assert_int_equal(saga_migratable(saga, to, reason, sizeof reason), strcmp(row->then, "fine") == 0);
    assert_int_equal(saga_apply(&saga, &migrate, &effects), BATON_OK);
    assert_string_equal(effects.disposition == APPLIED ? "fine" : effects.refusal, row->then);
    assert_ptr_equal(saga->definition, effects.disposition == APPLIED ? to : from);
    assert_string_equal(names_of(saga, after), before);
    assert_int_equal(saga->due_at_ms, due);
    assert_int_equal(effects.len, 0);
    assert_null(saga_broken_rule(saga));
    while (effects.disposition == APPLIED && saga->definition == to && saga->due_at_ms > 0 && saga->steps_len < 9 && strncmp(row->from, "{'name':'w'", 11) != 0)
        succeed(&saga, &effects); /* by the new version, to its end */
    saga_free(saga);
    effects_free(&effects);
    definition_free(from);
    definition_free(to);
    expr_vm_free(vm);
    json_decref(input);
}

static void what_else_is_refused(void **state)
{
    struct expr_vm *vm = expr_vm_new();
    struct definition *one = compile(vm, A, 1), *two = compile(vm, A, 2);
    struct saga *saga = NULL;
    struct effects effects = {0};
    json_t *input = json_object();
    struct saga_event start = {.kind = EVENT_START, .at_ms = 1000, .saga_id = "o-1", .input = input};
    struct saga_event migrate = {.kind = EVENT_VERB, .at_ms = 3000, .verb = VERB_MIGRATE, .who = "ann", .version = 9};
    char reason[256] = "";

    (void)state;
    assert_int_equal(saga_start(one, &start, &saga, &effects), BATON_OK);
    assert_int_equal(saga_apply(&saga, &migrate, &effects), BATON_OK);
    assert_string_equal(effects.refusal, "version 9 of d is not deployed");
    migrate.definition = one;
    assert_int_equal(saga_apply(&saga, &migrate, &effects), BATON_OK);
    assert_string_equal(effects.refusal, "it is of version 1 already");
    succeed(&saga, &effects);
    migrate.definition = two;
    assert_int_equal(saga_apply(&saga, &migrate, &effects), BATON_OK);
    assert_string_equal(effects.refusal, "it has ended: completed");
    assert_false(saga_migratable(saga, two, reason, sizeof reason));
    assert_string_equal(reason, "it has ended: completed");
    saga_free(saga);
    effects_free(&effects);
    definition_free(one);
    definition_free(two);
    expr_vm_free(vm);
    json_decref(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_else_is_refused)};

    return RUN_ROWS(rows, check_row) + cmocka_run_group_tests(tests, NULL, NULL);
}
