/*
 * filter.h -- which sagas somebody means: type=order,status=parked,step=settle,older=1h.
 */
#ifndef BATON_FILTER_H
#define BATON_FILTER_H

#include <baton/saga.h>

#define FILTER_TEXT_MAX 512 /* bytes */
#define FILTER_SERVICE_MAX 200

struct saga_filter { /* all of it must fit */
    char type[DEFINITION_NAME_MAX + 1];      /* "" = any */
    char step[DEFINITION_ENTRY_NAME_MAX + 1]; /* one that is under way, or that it is parked on; "" = any */
    char service[FILTER_SERVICE_MAX + 1];    /* of such a step; "" = any */
    int64_t version;  /* 0 = any */
    int status;       /* -1 = any but those that have ended */
    int64_t older_ms; /* nothing has happened to it for so long; 0 = any */
};

/** "name=value" separated by commas; names: type, version, status, step, service, older. "" = all that have not ended. BATON_E_INVALID: what is
 * wrong and what there is. */
enum baton_err saga_filter_parse(const char *text, struct saga_filter *ret_filter, struct baton_error *err);
bool saga_filter_fits(const struct saga_filter *filter, const struct saga *saga, int64_t now_ms);
/** Could a saga of this status fit? */
bool saga_filter_status(const struct saga_filter *filter, enum saga_status status);

/** Has this job asked something of the saga, and was it done? By what the saga's history still holds. */
bool saga_asked_by(const struct saga *saga, const char *job);

#endif
