/*
 * dataref.c -- references to values that lie elsewhere (claim checks), and where they go on.
 *
 * Rule:     a reference belongs to its data (CloudEvents, extension dataref: where both are there they are the same). So it goes on with a value that
 *           is passed on whole, and with no other: a part, or a mixture, is other data.
 * Tests:    tests/core/test_dataref.c
 */
#include <baton/saga.h>
#include <string.h>

const json_t *saga_dataref(const struct saga *saga, const struct template *template, struct saga_place place, bool undo)
{
    const char *name = NULL;
    const struct saga_step *step = NULL;
    int index = -1;

    switch (template_copies(template, &name)) {
    case TEMPLATE_INPUT: return saga->dataref;
    case TEMPLATE_OUTPUT: index = definition_step_index(saga->definition, name, strlen(name)); break;
    case TEMPLATE_OTHER: return NULL;
    }
    step = index < 0 ? NULL : saga_step_find(saga, saga_place_at(saga->definition, index, place.iteration));
    if (step != NULL && step->fallback != FALLBACK_NONE && !(undo && index == place.index))
        step = saga_step_find(saga, saga_place_at(saga->definition, saga->definition->steps[index].fallback, place.iteration));
    return step == NULL ? NULL : step->dataref;
}
