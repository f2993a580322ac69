/* A JSON reader for requests: a text becomes a small tree. */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	char *key;  /* inside an object, else NULL */
	char *text; /* of a string (unescaped) and of a number (as written), else NULL */
	struct json *child; /* first member of an array or object */
	struct json *next;
};

/* NULL when the text is not JSON; *why then says what is wrong with it. */
struct json *json_parse(const char *text, size_t len, const char **why);
void json_free(struct json *value);

/* The object's member of that name in any case, the last one as Go has it, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

#endif
