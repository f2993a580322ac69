/* A JSON reader for requests: a text becomes a small tree (RFC 8259). */
#include "json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "utf8.h"

enum { DEPTH_MAX = 32 };

struct reader {
	const char *at;
	const char *end;
	const char *why;
	int depth;
};

static struct json *read_value(struct reader *reader);

static void *wrong(struct reader *reader, const char *why)
{
	if (!reader->why)
		reader->why = why;
	return NULL;
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

static bool take(struct reader *reader, char c)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static struct json *new_value(enum json_type type)
{
	struct json *value = must_alloc(NULL, sizeof *value);

	*value = (struct json){.type = type};
	return value;
}

static bool read_hex4(struct reader *reader, unsigned long *unit)
{
	char digits[5] = {0};

	for (int i = 0; i < 4; i++) {
		if (reader->at == reader->end || !isxdigit((unsigned char)*reader->at))
			return false;
		digits[i] = *reader->at++;
	}
	*unit = strtoul(digits, NULL, 16);
	return true;
}

/* After "\u". A NUL is refused: it means nothing in a name or an option, and cuts C strings. */
static bool read_unicode(struct reader *reader, struct buf *text)
{
	unsigned long point, low;
	char bytes[4];

	if (!read_hex4(reader, &point) || !point || (point & 0xfc00) == 0xdc00)
		return false;
	if ((point & 0xfc00) == 0xd800) {
		if (reader->end - reader->at < 6 || memcmp(reader->at, "\\u", 2))
			return false;
		reader->at += 2;
		if (!read_hex4(reader, &low) || (low & 0xfc00) != 0xdc00)
			return false;
		point = 0x10000 + ((point & 0x3ff) << 10 | (low & 0x3ff));
	}
	buf_add(text, bytes, utf8_encode(point, bytes));
	return true;
}

static bool read_escape(struct reader *reader, struct buf *text)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *hit;
	char c;

	if (reader->at == reader->end)
		return false;
	c = *reader->at++;
	if (c == 'u')
		return read_unicode(reader, text);
	hit = c ? strchr(names, c) : NULL;
	if (!hit)
		return false;
	buf_add(text, &values[hit - names], 1);
	return true;
}

static char *read_string(struct reader *reader)
{
	struct buf text = {0};

	buf_add(&text, "", 0);
	while (reader->at < reader->end) {
		unsigned char c = (unsigned char)*reader->at++;

		if (c == '"')
			return text.data;
		if (c < 0x20 || (c == '\\' && !read_escape(reader, &text)))
			break;
		if (c != '\\')
			buf_add(&text, &c, 1);
	}
	buf_free(&text);
	return wrong(reader, "a string is not well formed");
}

static bool read_member(struct reader *reader, struct json *parent, struct json ***tail)
{
	struct json *value;
	char *key = NULL;

	if (parent->type == JSON_OBJECT) {
		key = take(reader, '"') ? read_string(reader) : wrong(reader, "a key is missing");
		if (!key)
			return false;
		if (!take(reader, ':')) {
			free(key);
			return wrong(reader, "a colon is missing");
		}
	}
	value = read_value(reader);
	if (!value) {
		free(key);
		return false;
	}
	value->key = key;
	**tail = value;
	*tail = &value->next;
	return true;
}

static struct json *read_members(struct reader *reader, enum json_type type, char close)
{
	struct json *parent = new_value(type);
	struct json **tail = &parent->child;

	if (take(reader, close))
		return parent;
	do {
		if (!read_member(reader, parent, &tail)) {
			json_free(parent);
			return NULL;
		}
	} while (take(reader, ','));
	if (take(reader, close))
		return parent;
	json_free(parent);
	return wrong(reader, "a bracket is not closed");
}

static struct json *read_word(struct reader *reader, const char *word, enum json_type type)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len))
		return wrong(reader, "a value is expected");
	reader->at += len;
	return new_value(type);
}

static size_t skip_digits(struct reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return (size_t)(reader->at - start);
}

static bool skip_one_of(struct reader *reader, const char *set)
{
	if (reader->at == reader->end || !*reader->at || !strchr(set, *reader->at))
		return false;
	reader->at++;
	return true;
}

static struct json *read_number(struct reader *reader)
{
	const char *start = reader->at;
	struct buf text = {0};
	struct json *value;
	bool good;

	skip_one_of(reader, "-");
	good = skip_one_of(reader, "0") || skip_digits(reader);
	if (good && skip_one_of(reader, "."))
		good = skip_digits(reader);
	if (good && skip_one_of(reader, "eE")) {
		skip_one_of(reader, "+-");
		good = skip_digits(reader);
	}
	if (!good)
		return wrong(reader, "a value is expected");
	value = new_value(JSON_NUMBER);
	buf_add(&text, start, (size_t)(reader->at - start));
	value->text = text.data;
	return value;
}

static struct json *read_text(struct reader *reader)
{
	char *text = read_string(reader);
	struct json *value;

	if (!text)
		return NULL;
	value = new_value(JSON_STRING);
	value->text = text;
	return value;
}

static struct json *read_value_here(struct reader *reader)
{
	if (take(reader, '{'))
		return read_members(reader, JSON_OBJECT, '}');
	if (take(reader, '['))
		return read_members(reader, JSON_ARRAY, ']');
	if (take(reader, '"'))
		return read_text(reader);
	if (reader->at == reader->end)
		return wrong(reader, "it ends too early");
	switch (*reader->at) {
	case 't': return read_word(reader, "true", JSON_BOOL);
	case 'f': return read_word(reader, "false", JSON_BOOL);
	case 'n': return read_word(reader, "null", JSON_NULL);
	default: return read_number(reader);
	}
}

static struct json *read_value(struct reader *reader)
{
	struct json *value;

	if (reader->depth == DEPTH_MAX)
		return wrong(reader, "it is nested too deeply");
	reader->depth++;
	value = read_value_here(reader);
	reader->depth--;
	return value;
}

struct json *json_parse(const char *text, size_t len, const char **why)
{
	struct reader reader = {.at = text, .end = text + len};
	struct json *value = NULL;

	if (!utf8_valid(text, len))
		wrong(&reader, "it is not UTF-8");
	else
		value = read_value(&reader);
	skip_space(&reader);
	if (value && reader.at != reader.end) {
		json_free(value);
		value = wrong(&reader, "something follows its end");
	}
	*why = reader.why;
	return value;
}

void json_free(struct json *value)
{
	while (value) {
		struct json *next = value->next;

		json_free(value->child);
		free(value->key);
		free(value->text);
		free(value);
		value = next;
	}
}

const struct json *json_get(const struct json *object, const char *key)
{
	const struct json *found = NULL;

	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *member = object->child; member; member = member->next)
		if (!strcasecmp(member->key, key))
			found = member;
	return found;
}
