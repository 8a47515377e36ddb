/*
 * test_fold.c -- journal steps over a state, a row each: what was, what the journal says, what comes.
 */
#include "fold.h"
#include "stage.h"

#define SET(seq) "\"status\":\"running\",\"seq\":" #seq ",\"updatedAt\":1,\"deadlineAt\":2,\"dueAt\":3"
#define STATE(seq) "{\"id\":\"o-1\"," SET(seq) ",\"steps\":{},\"history\":[],\"endedAt\":null,\"turnedBack\":false," \
    "\"duplicates\":0,\"late\":0,\"historyDropped\":0}"

static const struct fold_row {
    const char *name;
    const char *given; /* the state; NULL = none */
    int64_t as_of;     /* of it, in seqs of the partition */
    const char *steps; /* JSON array; records 5, 6, 7 ... */
    const char *then;  /* the state; "none"; "refused" */
} rows[] = {
    {"a first step brings its state", NULL, 0, "[{\"id\":\"o-1\",\"seq\":1,\"state\":" STATE(1) "}]", STATE(1)},
    {"a patch changes what it names", STATE(1), 0, "[{\"id\":\"o-1\",\"seq\":2,\"patch\":{\"set\":{" SET(2) "}}}]", STATE(2)},
    {"patches follow each other", STATE(1), 0,
     "[{\"id\":\"o-1\",\"seq\":2,\"patch\":{\"set\":{" SET(2) "}}},{\"id\":\"o-1\",\"seq\":3,\"patch\":{\"set\":{" SET(3) "}}}]", STATE(3)},
    {"what the state has already changes nothing", STATE(9), 5, "[{\"id\":\"o-1\",\"seq\":2,\"patch\":{\"set\":{" SET(2) "}}}]", STATE(9)},
    {"what comes after it does", STATE(9), 5,
     "[{\"id\":\"o-1\",\"seq\":9,\"patch\":{\"set\":{" SET(7) "}}},{\"id\":\"o-1\",\"seq\":10,\"patch\":{\"set\":{" SET(10) "}}}]", STATE(10)},
    {"a purge leaves none", STATE(9), 0, "[{\"purge\":\"o-1\",\"at\":1}]", "none"},
    {"after a purge the id starts anew", STATE(9), 0,
     "[{\"purge\":\"o-1\",\"at\":1},{\"id\":\"o-1\",\"seq\":1,\"state\":" STATE(1) "}]", STATE(1)},
    {"a tombstone that is newer than the step stays", NULL, 7, "[{\"id\":\"o-1\",\"seq\":1,\"state\":" STATE(1) "}]", "none"},
    {"a patch of nothing is refused", NULL, 0, "[{\"id\":\"o-1\",\"seq\":2,\"patch\":{\"set\":{" SET(2) "}}}]", "refused"},
    {"a state that is no JSON is refused", "{", 0, "[{\"id\":\"o-1\",\"seq\":2,\"patch\":{\"set\":{" SET(2) "}}}]", "refused"},
};

static void check_row(void **state)
{
    const struct fold_row *row = *state;
    struct fold fold = {0};
    struct folded *folded = fold_add(&fold, "o-1");
    json_t *steps = NULL, *item = NULL;
    struct baton_error err;
    enum baton_err rc = BATON_OK;
    size_t i = 0;

    assert_ptr_equal(fold_add(&fold, "o-1"), folded);
    assert_true(folded_set(&fold, folded, row->given, row->given == NULL ? 0 : strlen(row->given), row->as_of));
    assert_int_equal(json_parse(row->steps, strlen(row->steps), &json_default_limits, &steps, &err), BATON_OK);
    json_array_foreach(steps, i, item) {
        struct journal_step step;

        assert_true(journal_step_read(item, &step));
        if (rc == BATON_OK)
            rc = folded_step(&fold, folded, &step, 5 + (int64_t)i, &err);
    }
    assert_true(folded_settle(&fold, folded));
    if (rc != BATON_OK)
        assert_string_equal(row->then, "refused");
    else
        assert_string_equal(folded->text == NULL ? "none" : folded->text, row->then);
    assert_int_equal(fold.bytes, folded->text_len);
    json_decref(steps);
    fold_clear(&fold);
    assert_null(fold.all);
}

int main(void)
{
    return RUN_ROWS(rows, check_row);
}
