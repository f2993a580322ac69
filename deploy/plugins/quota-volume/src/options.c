/* The options of Create: size and mode. */
#include "options.h"

#include <string.h>
#include <unistd.h>

#include "size.h"

static const unsigned default_mode = 0755;

/* tmpfs counts in pages; a size rounded here reads back from the mount as it was recorded. */
static uint64_t whole_pages(uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static bool too_large(const struct volumes *all, const char *text, struct buf *why)
{
	fail(why, "size %s is above the limit of ", text);
	size_print(why, all->max_size);
	return fail(why, ": ask for less, or raise MAX_SIZE of the plugin");
}

static bool read_size(const struct volumes *all, const char *text, uint64_t *size, struct buf *why)
{
	if (!size_parse(text, size))
		return fail(why,
			    "size \"%s\" is not a size: give bytes, or a number with k, m, g or t, "
			    "such as 64m",
			    text);
	if (!*size)
		return fail(why, "size 0 leaves no room: give at least one byte, such as 64m");
	if (*size > all->max_size)
		return too_large(all, text, why);
	*size = whole_pages(*size);
	return true;
}

static bool read_mode(const char *text, unsigned *mode, struct buf *why)
{
	size_t digits = strspn(text, "01234567");

	*mode = 0;
	if (!digits || text[digits] || digits > 5)
		return fail(why, "mode \"%s\" is not a mode: give octal digits, such as 0755", text);
	for (; *text; text++)
		*mode = *mode * 8 + (unsigned)(*text - '0');
	if (*mode > 07777)
		return fail(why, "mode %o is above 7777: give octal digits, such as 0755", *mode);
	return true;
}

static bool read_option(const struct volumes *all, const struct json *option,
			struct options *options, struct buf *why)
{
	if (option->type != JSON_STRING)
		return fail(why, "option %s is not a string: write its value in quotes",
			    option->key);
	if (!strcmp(option->key, "size")) {
		options->size_given = true;
		return read_size(all, option->text, &options->size, why);
	}
	if (!strcmp(option->key, "mode")) {
		options->mode_given = true;
		return read_mode(option->text, &options->mode, why);
	}
	return fail(why, "option %s is not known: this plugin takes size and mode", option->key);
}

bool options_read(const struct volumes *all, const struct json *given, struct options *options,
		  struct buf *why)
{
	*options = (struct options){.size = whole_pages(all->default_size), .mode = default_mode};
	if (!given || given->type == JSON_NULL)
		return true;
	if (given->type != JSON_OBJECT)
		return fail(why, "Opts is not an object: give names and values, or leave it out");
	for (const struct json *option = given->child; option; option = option->next)
		if (!read_option(all, option, options, why))
			return false;
	return true;
}
