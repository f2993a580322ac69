/* Docker's volume plugin protocol: a request's path and JSON to an answer's status and JSON. */
#ifndef API_H
#define API_H

#include "buf.h"
#include "http.h"
#include "volume.h"

/* Answer a request: write the body to answer, log a line, and return the HTTP status. */
int api_answer(const struct volumes *all, const struct http_request *request, struct buf *answer);

/* Write the body of an error. */
void api_error(struct buf *answer, const char *text);

#endif
