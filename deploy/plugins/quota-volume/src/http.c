/* HTTP/1.x: requests out of bytes, responses into bytes (RFC 9112). */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 256 }; /* of a chunk's size and its extensions */

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The bytes of a line with its end, 0 while it has none. */
static size_t line_length(const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);

	return end ? (size_t)(end - data) + 1 : 0;
}

static bool is_blank_line(const char *line, size_t len)
{
	return len == 1 || (len == 2 && *line == '\r');
}

/* The bytes of a head with the blank line that ends it, 0 while it has none. */
static size_t head_length(const char *data, size_t len)
{
	size_t at = 0;
	size_t line;

	while ((line = line_length(data + at, len - at))) {
		/* Blank lines before the request line are allowed, section 2.2. */
		if (is_blank_line(data + at, line) && at)
			return at + line;
		at += line;
	}
	return 0;
}

static int set_length(struct http_parser *parser, const char *value)
{
	char *end;
	size_t length = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end)
		return 400;
	if (parser->has_length && parser->need != length)
		return 400;
	if (length > HTTP_BODY_MAX)
		return 413;
	parser->has_length = true;
	parser->need = length;
	return 0;
}

static int set_encoding(struct http_parser *parser, const char *value)
{
	if (strcasecmp(value, "chunked"))
		return 501;
	parser->chunked = true;
	return 0;
}

static int set_header(struct http_parser *parser, const char *name, const char *value)
{
	if (!strcasecmp(name, "Content-Length"))
		return set_length(parser, value);
	if (!strcasecmp(name, "Transfer-Encoding"))
		return set_encoding(parser, value);
	if (!strcasecmp(name, "Connection") && strcasestr(value, "close"))
		parser->request.keep_alive = false;
	return 0;
}

static int parse_request_line(struct http_request *request, const char *line)
{
	char target[1024], minor;
	int used = 0;

	if (sscanf(line, "%15[A-Z] %1023s HTTP/1.%c%n", request->method, target, &minor, &used) != 3 ||
	    line[used] || (minor != '0' && minor != '1') || *target != '/')
		return 400;
	target[strcspn(target, "?")] = '\0';
	snprintf(request->path, sizeof request->path, "%.*s", (int)sizeof request->path - 1, target);
	request->keep_alive = minor == '1';
	return 0;
}

static int parse_header(struct http_parser *parser, char *line)
{
	size_t name = strcspn(line, ": \t");
	char *value = line + name + 1;
	size_t len;

	if (!name || line[name] != ':')
		return 400;
	line[name] = '\0';
	value += strspn(value, " \t");
	len = strlen(value);
	while (len && strchr(" \t", value[len - 1]))
		value[--len] = '\0';
	return set_header(parser, line, value);
}

/* Cut the next line off *rest, without its end. */
static char *next_line(char **rest)
{
	char *line = *rest;
	size_t len = strcspn(line, "\n");

	*rest = line + len + (line[len] == '\n');
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return line;
}

static int parse_head(struct http_parser *parser, char *head)
{
	char *line;
	int refusal;

	do
		line = next_line(&head);
	while (!*line && *head);
	refusal = parse_request_line(&parser->request, line);
	while (!refusal && *(line = next_line(&head)))
		refusal = parse_header(parser, line);
	if (!refusal && parser->chunked && parser->has_length)
		refusal = 400; /* two lengths: someone is being fooled, section 6.1 */
	return refusal;
}

static size_t feed_head(struct http_parser *parser, const char *data, size_t len, int *refusal)
{
	size_t used = head_length(data, len);
	char *head;

	if (!used && len >= HTTP_HEAD_MAX)
		*refusal = 431;
	else if (memchr(data, '\0', used))
		*refusal = 400;
	if (!used || *refusal)
		return 0;
	head = must_alloc(NULL, used + 1);
	memcpy(head, data, used);
	head[used] = '\0';
	*refusal = parse_head(parser, head);
	free(head);
	parser->state = parser->chunked ? HTTP_CHUNK_SIZE : parser->need ? HTTP_BODY : HTTP_DONE;
	return used;
}

/* Take what is needed of a body or a chunk; then go on to the state that follows. */
static size_t feed_data(struct http_parser *parser, const char *data, size_t len, int next)
{
	size_t used = smaller(len, parser->need);

	buf_add(&parser->request.body, data, used);
	parser->need -= used;
	if (!parser->need)
		parser->state = next;
	return used;
}

static int start_chunk(struct http_parser *parser, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (!digits || !strchr("; \t\r\n", line[digits]))
		return 400;
	if (digits > 8)
		return 413;
	parser->need = strtoul(line, NULL, 16);
	if (parser->need > HTTP_BODY_MAX - parser->request.body.len)
		return 413;
	parser->state = parser->need ? HTTP_CHUNK_DATA : HTTP_TRAILER;
	return 0;
}

static size_t feed_chunk_size(struct http_parser *parser, const char *data, size_t len,
			      int *refusal)
{
	size_t used = line_length(data, smaller(len, LINE_MAX_BYTES));
	char line[LINE_MAX_BYTES + 1];

	if (!used) {
		*refusal = len >= LINE_MAX_BYTES ? 400 : 0;
		return 0;
	}
	memcpy(line, data, used);
	line[used] = '\0';
	*refusal = start_chunk(parser, line);
	return used;
}

static size_t feed_chunk_end(struct http_parser *parser, const char *data, size_t len, int *refusal)
{
	size_t used = line_length(data, smaller(len, 2));

	if (!used && len < 2 && *data == '\r')
		return 0;
	if (!used || !is_blank_line(data, used))
		*refusal = 400;
	parser->state = HTTP_CHUNK_SIZE;
	return used;
}

static size_t feed_trailer(struct http_parser *parser, const char *data, size_t len, int *refusal)
{
	size_t used = line_length(data, len);

	parser->trailer += used;
	if (parser->trailer > HTTP_HEAD_MAX || (!used && len >= HTTP_HEAD_MAX))
		*refusal = 431;
	if (used && is_blank_line(data, used))
		parser->state = HTTP_DONE;
	return used;
}

static size_t feed_once(struct http_parser *parser, const char *data, size_t len, int *refusal)
{
	switch (parser->state) {
	case HTTP_HEAD: return feed_head(parser, data, len, refusal);
	case HTTP_BODY: return feed_data(parser, data, len, HTTP_DONE);
	case HTTP_CHUNK_SIZE: return feed_chunk_size(parser, data, len, refusal);
	case HTTP_CHUNK_DATA: return feed_data(parser, data, len, HTTP_CHUNK_END);
	case HTTP_CHUNK_END: return feed_chunk_end(parser, data, len, refusal);
	case HTTP_TRAILER: return feed_trailer(parser, data, len, refusal);
	default: return 0;
	}
}

size_t http_feed(struct http_parser *parser, const char *data, size_t len, int *refusal)
{
	size_t total = 0;
	size_t used = 1;

	*refusal = 0;
	while (used && total < len && parser->state != HTTP_DONE && !*refusal) {
		used = feed_once(parser, data + total, len - total, refusal);
		total += used;
	}
	return total;
}

void http_reset(struct http_parser *parser)
{
	buf_free(&parser->request.body);
	*parser = (struct http_parser){0};
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 431: return "Request Header Fields Too Large";
	default: return "Not Implemented";
	}
}

void http_respond(struct buf *out, int status, const struct buf *body, bool keep_alive)
{
	buf_printf(out,
		   "HTTP/1.1 %d %s\r\n"
		   "Content-Type: application/vnd.docker.plugins.v1.2+json\r\n"
		   "Content-Length: %zu\r\n%s%s\r\n",
		   status, reason_of(status), body->len, status == 405 ? "Allow: POST\r\n" : "",
		   keep_alive ? "" : "Connection: close\r\n");
	buf_add(out, buf_text(body), body->len);
}
