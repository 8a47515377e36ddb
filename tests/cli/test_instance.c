/*
 * test_instance.c -- a worker's name: no two processes of a host share one, and a freed one is found again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_SIZE 160
#define ROWS(rows) (sizeof(rows) / sizeof *(rows))

static char runtime[] = "/tmp/baton-instance.XXXXXX";

/* A process that holds a name until it is ended. */
struct holder {
    pid_t pid;
    char name[NAME_SIZE];
};

static struct holder hold(void)
{
    struct holder holder = {0};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    holder.pid = fork();
    if (holder.pid == 0) {
        char got[NAME_SIZE] = "";

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        (void)instance_name(NULL, got, sizeof got, NULL);
        if (write(ends[1], got, strlen(got) + 1) > 0)
            (void)pause();
        _exit(0);
    }
    (void)close(ends[1]);
    assert_true(read(ends[0], holder.name, sizeof holder.name) > 1);
    (void)close(ends[0]);
    return holder;
}

/* As a crash does: no code of the process runs any more. */
static void end(const struct holder *holder)
{
    assert_int_equal(kill(holder->pid, SIGKILL), 0);
    assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
}

static const char *slot_of(const char *name)
{
    const char *dash = strrchr(name, '-');

    assert_non_null(dash);
    return dash + 1;
}

static void lowest_free_slot(void **state)
{
    char host[NAME_SIZE] = "";
    struct holder first = hold(), second = hold(), third;

    (void)state;
    (void)gethostname(host, sizeof host - 1);
    assert_memory_equal(first.name, host, strlen(host));
    assert_string_equal(slot_of(first.name), "0");
    assert_string_equal(slot_of(second.name), "1");
    end(&first);
    third = hold(); /* what comes after a crash finds its name again */
    assert_string_equal(third.name, first.name);
    end(&second);
    end(&third);
}

static const struct given {
    const char *name, *given;
    bool fine;
} given[] = {
    {"a name as given", "payments-1.eu_west", true},
    {"a name is not empty", "", false},
    {"a name has no blank", "a b", false},
    {"a name has no slash", "a/b", false},
    {"a name of 159 characters fits", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
    {"a name of 160 does not", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

static void check_given(void **state)
{
    const struct given *row = *state;
    struct baton_error err = {0};
    char name[NAME_SIZE] = "untouched";

    assert_int_equal(instance_name(row->given, name, sizeof name, &err), row->fine ? BATON_OK : BATON_E_INVALID);
    assert_string_equal(name, row->fine ? row->given : "untouched");
    if (!row->fine)
        assert_non_null(strstr(err.text, "A-Za-z0-9._-"));
}

/* Whoever may write there may hold every slot, or hand out one twice. */
static void folder_of_others_is_refused(void **state)
{
    struct baton_error err = {0};
    char folder[64], name[NAME_SIZE];

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/baton", runtime);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(instance_name(NULL, name, sizeof name, &err), BATON_E_INVALID);
    assert_non_null(strstr(err.text, "only its owner"));
    assert_int_equal(chmod(folder, 0700), 0);
}

static void clean(void)
{
    char path[96];

    for (int slot = 0; slot < 4; slot++) {
        (void)snprintf(path, sizeof path, "%s/baton/slot-%d.lock", runtime, slot);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/baton", runtime);
    (void)rmdir(path);
    (void)rmdir(runtime);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(lowest_free_slot),
        cmocka_unit_test(folder_of_others_is_refused),
    };
    struct CMUnitTest tests[ROWS(given) + ROWS(others)];
    size_t n = 0;
    int failed = 0;

    if (mkdtemp(runtime) == NULL || setenv("XDG_RUNTIME_DIR", runtime, 1) != 0)
        return EXIT_FAILURE;
    memcpy(&tests[n], others, sizeof others);
    n += ROWS(others);
    for (size_t i = 0; i < ROWS(given); i++)
        tests[n++] = (struct CMUnitTest){.name = given[i].name, .test_func = check_given, .initial_state = (void *)(uintptr_t)&given[i]};
    failed = cmocka_run_group_tests_name("instance", tests, NULL, NULL);
    clean();
    return failed;
}
