/* HTTP/1.x: requests out of bytes, responses into bytes. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum {
	HTTP_HEAD_MAX = 16 * 1024,
	HTTP_BODY_MAX = 64 * 1024,
};

struct http_request {
	char method[16];
	char path[64]; /* without the query; a longer one is cut, since none of ours is so long */
	struct buf body;
	bool keep_alive;
};

/* Zero-initialised waits for the first request. */
struct http_parser {
	enum {
		HTTP_HEAD,
		HTTP_BODY,
		HTTP_CHUNK_SIZE,
		HTTP_CHUNK_DATA,
		HTTP_CHUNK_END,
		HTTP_TRAILER,
		HTTP_DONE,
	} state;
	size_t need;    /* bytes the body or the chunk still lacks */
	size_t trailer; /* bytes of trailer seen */
	bool has_length;
	bool chunked;
	struct http_request request;
};

/*
 * Take bytes off the front of data and return how many. When state is HTTP_DONE, request is
 * whole. A *refusal other than 0 is the status to answer; the connection is of no use then.
 */
size_t http_feed(struct http_parser *parser, const char *data, size_t len, int *refusal);

/* Make ready for the next request of the connection. */
void http_reset(struct http_parser *parser);

void http_respond(struct buf *out, int status, const struct buf *body, bool keep_alive);

#endif
