/*
 * test_examples.c -- the hand-written account of the examples against the definitions themselves, and orders that a seed fixes.
 */
#include "dev_internal.h"
#include <baton/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *document(size_t i)
{
    json_t *doc = NULL;
    struct baton_error err = {0};

    if (json_parse(dev_documents[i].text, dev_documents[i].len, &json_default_limits, &doc, &err) != BATON_OK)
        fail_msg("example %zu: %s", i, err.text);
    return doc;
}

static void a_compiled_in_definition_is_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEV_EXAMPLES; i++) {
        json_t *doc = document(i);
        struct expr_vm *vm = expr_vm_new();
        struct findings findings = {0};
        struct definition *definition = NULL;

        assert_int_equal(definition_parse(doc, vm, &findings, &definition), BATON_OK);
        assert_int_equal(findings.len, 0);
        definition_free(definition);
        expr_vm_free(vm);
        json_decref(doc);
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void the_account_names_each_step_as_the_definition_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEV_EXAMPLES; i++) {
        json_t *doc = document(i), *steps = json_object_get(doc, "steps");

        assert_string_equal(examples[i].name, text_of(doc, "name"));
        assert_int_equal(examples[i].steps_len, json_array_size(steps));
        for (size_t k = 0; k < examples[i].steps_len; k++) {
            const struct example_step *step = &examples[i].steps[k];
            const json_t *given = json_array_get(steps, k), *undo = json_object_get(given, "compensation");

            assert_string_equal(step->name, text_of(given, "name"));
            assert_string_equal(step->service, text_of(given, "service"));
            assert_string_equal(step->command, text_of(given, "command"));
            assert_int_equal(step->undo != NULL, undo != NULL);
            if (undo != NULL)
                assert_string_equal(step->undo, text_of(undo, "command"));
            assert_int_equal((int)k == examples[i].pivot, json_is_true(json_object_get(given, "pivot")));
        }
        json_decref(doc);
    }
}

static void a_step_is_steadfast_exactly_if_its_attempts_are_unlimited(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEV_EXAMPLES; i++) {
        json_t *doc = document(i);
        struct expr_vm *vm = expr_vm_new();
        struct findings findings = {0};
        struct definition *definition = NULL;

        assert_int_equal(definition_parse(doc, vm, &findings, &definition), BATON_OK);
        for (size_t k = 0; k < examples[i].steps_len; k++)
            assert_int_equal(definition->steps[k].retry.attempts, examples[i].steps[k].steadfast ? RETRY_UNLIMITED : EXAMPLE_ATTEMPTS);
        definition_free(definition);
        expr_vm_free(vm);
        json_decref(doc);
    }
}

static void the_same_seed_places_the_same_orders(void **state)
{
    struct buffer first = {0}, second = {0}, other = {0};

    (void)state;
    for (int n = 0; n < 100; n++) {
        struct order_plan one, two, three;

        order_plan(7, n, &one, &first);
        order_plan(7, n, &two, &second);
        order_plan(8, n, &three, &other);
        assert_string_equal(one.id, two.id);
        assert_string_not_equal(one.id, three.id);
        assert_memory_equal(one.due, two.due, sizeof one.due);
    }
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    assert_true(other.len != first.len || memcmp(first.data, other.data, first.len) != 0);
    buffer_free(&first);
    buffer_free(&second);
    buffer_free(&other);
}

static void an_order_needs_its_conditional_step_exactly_if_its_input_says_so(void **state)
{
    int due[DEV_EXAMPLES] = {0};

    (void)state;
    for (int n = 0; n < 200; n++) {
        struct order_plan plan;
        struct buffer text = {0};
        json_t *input = NULL;
        size_t kind = (size_t)n % DEV_EXAMPLES;

        order_plan(7, n, &plan, &text);
        assert_int_equal(json_parse(text.data, text.len, &json_default_limits, &input, NULL), BATON_OK);
        if (kind == 0)
            assert_int_equal(plan.due[1], json_number_value(json_object_get(input, "total")) > 1000);
        else
            assert_int_equal(plan.due[3], strcmp(text_of(input, "currency"), text_of(input, "settlementCurrency")) != 0);
        due[kind] += plan.due[kind == 0 ? 1 : 3];
        json_decref(input);
        buffer_free(&text);
    }
    for (size_t i = 0; i < DEV_EXAMPLES; i++)
        assert_in_range(due[i], 1, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compiled_in_definition_is_valid),
        cmocka_unit_test(the_account_names_each_step_as_the_definition_does),
        cmocka_unit_test(a_step_is_steadfast_exactly_if_its_attempts_are_unlimited),
        cmocka_unit_test(the_same_seed_places_the_same_orders),
        cmocka_unit_test(an_order_needs_its_conditional_step_exactly_if_its_input_says_so),
    };

    return cmocka_run_group_tests_name("dev.examples", tests, NULL, NULL);
}
