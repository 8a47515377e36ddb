/*
 * dataref.c -- references to values that lie elsewhere (claim checks), and where they go on.
 *
 * Rule:     a reference belongs to its data (CloudEvents, extension dataref: where both are there they are the same). So it goes on with a value that
 *           is passed on whole, and with no other: a part, or a mixture, is other data.
 * Tests:    tests/core/test_dataref.c
 */
#include <baton/saga.h>
#include <string.h>

const json_t *saga_dataref(const struct saga *saga, const struct template *template, int own)
{
    const char *name = NULL;
    const struct saga_step *step = NULL;
    int index = -1;

    switch (template_copies(template, &name)) {
    case TEMPLATE_INPUT: return saga->dataref;
    case TEMPLATE_OUTPUT: index = definition_step_index(saga->definition, name, strlen(name)); break;
    case TEMPLATE_OTHER: return NULL;
    }
    step = index < 0 ? NULL : saga_step_find(saga, index);
    if (step != NULL && step->fallback != FALLBACK_NONE && index != own)
        step = saga_step_find(saga, saga->definition->steps[index].fallback);
    return step == NULL ? NULL : step->dataref;
}
