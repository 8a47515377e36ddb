/*
 * job.h -- how far a job has got, as it stands in its control message.
 */
#ifndef BATON_WIRE_JOB_H
#define BATON_WIRE_JOB_H

#include <baton/wire.h>

/* progress NULL = its first page. False if it is none. job->sagas is the caller's. */
bool job_progress_read(const json_t *progress, struct wire_job *job);

#endif
