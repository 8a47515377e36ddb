/*
 * test_regex.c -- the patterns of a schema, a row each; and that no pattern takes more than its time.
 *
 * then: "yes", "no", or "! " and a part of the error.
 */
#include "random.h"
#include "regex.h"

static const struct row {
    const char *name;
    const char *pattern;
    const char *text;
    const char *then;
} regex_rows[] = {
    {"a literal stands anywhere", "bc", "abcd", "yes"},
    {"a literal that is not there", "bd", "abcd", "no"},
    {"an empty pattern matches everything", "", "abc", "yes"},
    {"an empty text", "^$", "", "yes"},
    {"anchors at both ends", "^abc$", "abc", "yes"},
    {"the end is the end", "^abc$", "abcd", "no"},
    {"the beginning is the beginning", "^abc$", "xabc", "no"},
    {"a line end is no end", "^a$", "a\n", "no"},
    {"any character", "^a.c$", "a\xc3\xa9" "c", "yes"},
    {"any character but a line end", "^a.c$", "a\nc", "no"},
    {"a class", "^[a-cx]$", "b", "yes"},
    {"a class, its last member", "^[a-cx]$", "x", "yes"},
    {"outside of a class", "^[a-cx]$", "d", "no"},
    {"all but a class", "^[^a-c]$", "d", "yes"},
    {"all but a class, inside of it", "^[^a-c]$", "b", "no"},
    {"a class of a set", "^[\\d.]+$", "19.99", "yes"},
    {"a class that ends with a hyphen", "^[a-]+$", "a-", "yes"},
    {"an empty class matches nothing", "[]", "a", "no"},
    {"all but an empty class matches everything", "^[^]$", "\n", "yes"},
    {"a class over wide characters", "^[\xce\xb1-\xcf\x89]+$", "\xce\xbb\xce\xbf\xce\xb3", "yes"},
    {"overlapping ranges turned round", "^[^a-mk-z]$", "p", "no"},
    {"digits", "^\\d{3}$", "123", "yes"},
    {"no digits", "^\\D+$", "a1", "no"},
    {"words", "^\\w+$", "aZ_9", "yes"},
    {"no words", "\\W", "a-b", "yes"},
    {"blanks, the wide ones too", "^\\s\\s$", " \xe2\x80\x83", "yes"},
    {"a word's boundary", "\\bb", "a b", "yes"},
    {"no boundary there", "\\bb", "ab", "no"},
    {"inside of a word", "a\\Bb", "ab", "yes"},
    {"an escaped sign", "^a\\.b$", "axb", "no"},
    {"a code in two digits", "^\\x41$", "A", "yes"},
    {"a code in four digits", "^\\u00e9$", "\xc3\xa9", "yes"},
    {"a code in two halves", "^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", "yes"},
    {"a tabulator", "^\\t$", "\t", "yes"},
    {"either", "^(ab|cd)$", "cd", "yes"},
    {"either, neither", "^(ab|cd)$", "ad", "no"},
    {"either is wider than its anchors", "^a|b$", "ax", "yes"},
    {"an empty alternative", "^(a|)$", "", "yes"},
    {"any number of times", "^(ab)*$", "ababab", "yes"},
    {"none at all", "^(ab)*$", "", "yes"},
    {"once at least", "^(ab)+$", "", "no"},
    {"once at most", "^ab?$", "abb", "no"},
    {"lazy is the same", "^a+?$", "aaa", "yes"},
    {"so many times", "^a{3}$", "aa", "no"},
    {"so many times at least", "^a{2,}$", "aaaa", "yes"},
    {"so many times at most", "^a{1,3}$", "aaaa", "no"},
    {"not at all", "^a{0}$", "a", "no"},
    {"a group without a name", "^(?:ab)+$", "abab", "yes"},
    {"what repeats nothing ends", "^(a*)*$", "aaa", "yes"},
    {"a backtracker's nightmare", "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "no"},
    {"another", "^(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "no"},
    {"an address", "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", "a.b@example.org", "yes"},
    {"a date", "^\\d{4}-(0[1-9]|1[0-2])-([0-2]\\d|3[01])$", "2026-13-01", "no"},

    {"a backreference", "(a)\\1", "aa", "! character 5: backreferences are not supported"},
    {"lookahead", "a(?=b)", "ab", "! lookaround and named groups"},
    {"a named group", "(?<x>a)", "a", "! lookaround and named groups"},
    {"\\p", "\\p{L}", "a", "! \\p is not supported"},
    {"an unknown escape", "\\y", "y", "! character 2: an unknown escape"},
    {"a backslash at the end", "a\\", "a", "! nothing after the backslash"},
    {"a group that does not close", "(a", "a", "! a group without its \")\""},
    {"a group that does not open", "a)", "a", "! character 2: \")\" without its \"(\""},
    {"a class that does not close", "[a", "a", "! a class without its \"]\""},
    {"a range backwards", "[b-a]", "a", "! ends before it begins"},
    {"nothing to repeat", "*a", "a", "! character 1: nothing to repeat"},
    {"repeated twice", "a**", "a", "! repeats what is repeated already"},
    {"a count without an end", "a{2", "a", "! \"{\" without its \"}\""},
    {"a count backwards", "a{3,2}", "a", "! at most less than at least"},
    {"a count beyond the limit", "a{1001}", "a", "! more than 1000 times"},
    {"what grows beyond the limit", "(a{1000}){1000}", "a", "! expands to more than 4000 states"},
    {"what grows from nothing", "(((){1000}){1000}){1000}", "a", "! expand too far"},
    {"half a pair", "\\ud83d", "a", "! half a surrogate pair"},
};

static void check_regex(void **state)
{
    const struct row *row = *state;
    struct buffer said = {0};
    struct baton_error err = {0};
    struct regex *regex = NULL;
    int64_t steps = 100000;

    if (regex_compile(row->pattern, strlen(row->pattern), &regex, &err) == BATON_OK) {
        say(&said, "%s", regex_search(regex, row->text, strlen(row->text), &steps) ? "yes" : "no");
        assert_true(steps > 0);
    } else {
        say(&said, "! %s", err.text);
    }
    if (row->then[0] != '!')
        assert_text(row->pattern, &said, row->then);
    else if (buffer_cstr(&said)[0] != '!' || strstr(said.data, row->then + 2) == NULL)
        fail_msg("%s gives %s, not %s", row->pattern, said.data, row->then);
    regex_free(regex);
    buffer_free(&said);
}

static void a_search_stops_when_its_steps_are_used_up(void **state)
{
    struct regex *regex = NULL;
    struct baton_error err;
    int64_t steps = 1000;
    char text[4000];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(regex_compile("^(a|b){500}x$", 13, &regex, &err), BATON_OK);
    assert_false(regex_search(regex, text, sizeof text, &steps));
    assert_true(steps < 0 && steps > -10000);
    regex_free(regex);
}

static void steps_are_characters_times_states_at_most(void **state)
{
    struct random random = random_begin("regex");
    static const char signs[] = "ab.[](|)*+?^$\\d{1,2}x-";

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char pattern[24], text[40];
        size_t len = (size_t)random_below(&random, (int)sizeof pattern), text_len = (size_t)random_below(&random, (int)sizeof text);
        struct regex *regex = NULL;
        struct baton_error err;
        int64_t steps = 1000000;

        for (size_t k = 0; k < len; k++)
            pattern[k] = signs[random_below(&random, (int)sizeof signs - 1)];
        for (size_t k = 0; k < text_len; k++)
            text[k] = "abx1"[random_below(&random, 4)];
        if (regex_compile(pattern, len, &regex, &err) != BATON_OK)
            continue;
        (void)regex_search(regex, text, text_len, &steps);
        assert_true(1000000 - steps <= (int64_t)(text_len + 1) * 4000);
        regex_free(regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_stops_when_its_steps_are_used_up),
        cmocka_unit_test(steps_are_characters_times_states_at_most),
    };

    return RUN_ROWS(regex_rows, check_regex) + cmocka_run_group_tests(tests, NULL, NULL);
}
