/*
 * filter.c -- which sagas somebody means.
 *
 * Owns:     the filter's form, and what "at a step" means.
 * Tests:    tests/core/test_filter.c
 */
#include <baton/filter.h>
#include <stdio.h>
#include <string.h>

#define CONDITIONS "type=NAME, version=NUMBER, status=STATUS, step=NAME, service=NAME, older=DURATION"

static bool copy_text(char *out, size_t size, const char *value)
{
    (void)snprintf(out, size, "%s", value);
    return value[0] != '\0' && strlen(value) < size;
}

static bool read_version(const char *value, int64_t *ret_version)
{
    size_t digits = strspn(value, "0123456789");

    *ret_version = 0;
    for (size_t i = 0; i < digits && i < 18; i++)
        *ret_version = *ret_version * 10 + (value[i] - '0');
    return digits > 0 && digits <= 18 && value[digits] == '\0' && *ret_version > 0;
}

static bool read_status(const char *value, int *ret_status)
{
    enum saga_status status = SAGA_RUNNING;

    if (!saga_status_parse(value, &status))
        return false;
    *ret_status = (int)status;
    return true;
}

static bool read_condition(struct saga_filter *filter, const char *name, const char *value)
{
    if (strcmp(name, "type") == 0)
        return copy_text(filter->type, sizeof filter->type, value) && definition_name_valid(value, strlen(value));
    if (strcmp(name, "version") == 0)
        return read_version(value, &filter->version);
    if (strcmp(name, "status") == 0)
        return read_status(value, &filter->status);
    if (strcmp(name, "step") == 0)
        return copy_text(filter->step, sizeof filter->step, value);
    if (strcmp(name, "service") == 0)
        return copy_text(filter->service, sizeof filter->service, value) && service_name_valid(value, strlen(value));
    return strcmp(name, "older") == 0 && duration_parse(value, &filter->older_ms);
}

enum baton_err saga_filter_parse(const char *text, struct saga_filter *ret_filter, struct baton_error *err)
{
    char copy[FILTER_TEXT_MAX + 1], *part = copy, *next = NULL;

    *ret_filter = (struct saga_filter){.status = -1};
    if (strlen(text) > FILTER_TEXT_MAX)
        return baton_fail(err, BATON_E_INVALID, "a filter of %zu bytes: at most %d", strlen(text), FILTER_TEXT_MAX);
    (void)strcpy(copy, text);
    for (; text[0] != '\0' && part != NULL; part = next) {
        char *value = NULL;

        next = strchr(part, ',');
        if (next != NULL)
            *next++ = '\0';
        value = strchr(part, '=');
        if (value != NULL)
            *value++ = '\0';
        if (value == NULL || !read_condition(ret_filter, part, value))
            return baton_fail(err, BATON_E_INVALID, "\"%s%s%s\" is none of " CONDITIONS, part, value == NULL ? "" : "=", value == NULL ? "" : value);
    }
    return BATON_OK;
}

bool saga_filter_status(const struct saga_filter *filter, enum saga_status status)
{
    return filter->status < 0 ? !saga_status_ended(status) : filter->status == (int)status;
}

static bool is_settled(const struct saga_step *step)
{
    return step->status == STEP_DONE || step->status == STEP_SKIPPED || step->status == STEP_COMPENSATED || step->status == STEP_COMPENSATION_SKIPPED;
}

static const char *service_of(const struct definition_step *definition, const struct saga_step *step)
{
    bool back = step->status == STEP_COMPENSATING || step->status == STEP_COMPENSATION_RETRYING || step->status == STEP_COMPENSATION_FAILED;
    const char *service = back && definition->compensation != NULL ? definition->compensation->service : definition->service;

    return service == NULL ? "" : service;
}

static bool is_at(const struct saga_filter *filter, const struct saga *saga)
{
    for (size_t i = 0; i < saga->steps_len; i++) {
        const struct saga_step *step = &saga->steps[i];
        const struct definition_step *definition = &saga->definition->steps[step->index];

        if (!is_settled(step) && (filter->step[0] == '\0' || strcmp(definition->name, filter->step) == 0) &&
            (filter->service[0] == '\0' || strcmp(service_of(definition, step), filter->service) == 0))
            return true;
    }
    return false;
}

bool saga_filter_fits(const struct saga_filter *filter, const struct saga *saga, int64_t now_ms)
{
    if (filter->type[0] != '\0' && strcmp(saga->definition->name, filter->type) != 0)
        return false;
    if (filter->version != 0 && saga->definition->version != filter->version)
        return false;
    if (!saga_filter_status(filter, saga->status) || saga->updated_at_ms > now_ms - filter->older_ms)
        return false;
    return (filter->step[0] == '\0' && filter->service[0] == '\0') || is_at(filter, saga);
}

bool saga_asked_by(const struct saga *saga, const char *job)
{
    for (size_t i = 0; i < saga->history_len; i++) {
        const char *by = json_string_value(json_object_get(saga->history[i].note, "job"));

        if (by != NULL && strcmp(by, job) == 0)
            return true;
    }
    return false;
}
