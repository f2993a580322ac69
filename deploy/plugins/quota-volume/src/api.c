/* Docker's volume plugin protocol: a request's path and JSON to an answer's status and JSON. */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "record.h"

struct call {
	const struct volumes *all;
	const char *name; /* "" when not given */
	const char *id;
	const struct json *options;
	struct buf answer;
	struct buf why;
};

void api_error(struct buf *answer, const char *text)
{
	buf_printf(answer, "{\"Err\":");
	buf_json_string(answer, text);
	buf_add(answer, "}", 1);
}

static void answer_done(struct call *call)
{
	buf_printf(&call->answer, "{\"Err\":\"\"}");
}

static void add_path(struct call *call, const char *name)
{
	struct buf path = {0};

	volume_path(call->all, name, &path);
	buf_json_string(&call->answer, path.data);
	buf_free(&path);
}

static void answer_path(struct call *call)
{
	buf_printf(&call->answer, "{\"Mountpoint\":");
	add_path(call, call->name);
	buf_printf(&call->answer, ",\"Err\":\"\"}");
}

static void add_volume(struct call *call, const char *name, const struct volume *volume)
{
	time_t seconds = (time_t)volume->created;
	char created[32] = "";
	struct tm utc;

	if (gmtime_r(&seconds, &utc))
		strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
	buf_printf(&call->answer, "{\"Name\":\"%s\",\"Mountpoint\":", name);
	add_path(call, name);
	buf_printf(&call->answer,
		   ",\"CreatedAt\":\"%s\",\"Status\":{\"size_bytes\":%" PRIu64
		   ",\"used_bytes\":%" PRIu64
		   ",\"mode\":\"%04o\",\"mounted\":%s,\"holders\":%u}}",
		   created, volume->size, volume->used, volume->mode,
		   volume->mounted ? "true" : "false", volume->holders);
}

static bool do_activate(struct call *call)
{
	buf_printf(&call->answer, "{\"Implements\":[\"VolumeDriver\"]}");
	return true;
}

/* Local: a volume lives in the memory of one host. */
static bool do_capabilities(struct call *call)
{
	buf_printf(&call->answer, "{\"Capabilities\":{\"Scope\":\"local\"},\"Err\":\"\"}");
	return true;
}

static bool do_create(struct call *call)
{
	if (!volume_create(call->all, call->name, call->options, &call->why))
		return false;
	answer_done(call);
	return true;
}

static bool do_remove(struct call *call)
{
	if (!volume_remove(call->all, call->name, &call->why))
		return false;
	answer_done(call);
	return true;
}

static bool do_mount(struct call *call)
{
	if (!volume_mount(call->all, call->name, call->id, &call->why))
		return false;
	answer_path(call);
	return true;
}

static bool do_unmount(struct call *call)
{
	if (!volume_unmount(call->all, call->name, call->id, &call->why))
		return false;
	answer_done(call);
	return true;
}

static bool do_path(struct call *call)
{
	struct volume volume;
	enum lookup lookup = volume_get(call->all, call->name, &volume, &call->why);

	if (lookup == LOOKUP_ABSENT)
		return fail(&call->why, "no such volume: %s", call->name);
	if (lookup == LOOKUP_FAILED)
		return false;
	answer_path(call);
	return true;
}

/* Null without Err is how the engine knows an absent volume from a failing plugin. */
static bool do_get(struct call *call)
{
	struct volume volume;
	enum lookup lookup = volume_get(call->all, call->name, &volume, &call->why);

	if (lookup == LOOKUP_FAILED)
		return false;
	buf_printf(&call->answer, "{\"Volume\":");
	if (lookup == LOOKUP_FOUND)
		add_volume(call, call->name, &volume);
	else
		buf_printf(&call->answer, "null");
	buf_printf(&call->answer, ",\"Err\":\"\"}");
	return true;
}

/* A volume with a damaged record is left out and logged: it must not hide the others. */
static void list_one(const char *name, void *context)
{
	struct call *call = context;
	struct volume volume;
	struct buf why = {0};

	if (volume_get(call->all, name, &volume, &why) == LOOKUP_FOUND) {
		if (call->answer.data[call->answer.len - 1] == '}')
			buf_add(&call->answer, ",", 1);
		add_volume(call, name, &volume);
	} else {
		fprintf(stderr, "list: %s\n", buf_text(&why));
	}
	buf_free(&why);
}

static bool do_list(struct call *call)
{
	buf_printf(&call->answer, "{\"Volumes\":[");
	if (!volume_each(call->all, list_one, call, &call->why))
		return false;
	buf_printf(&call->answer, "],\"Err\":\"\"}");
	return true;
}

struct method {
	const char *path;
	bool (*run)(struct call *call);
};

static const struct method methods[] = {
	{"/Plugin.Activate", do_activate},
	{"/VolumeDriver.Capabilities", do_capabilities},
	{"/VolumeDriver.Create", do_create},
	{"/VolumeDriver.Remove", do_remove},
	{"/VolumeDriver.Mount", do_mount},
	{"/VolumeDriver.Unmount", do_unmount},
	{"/VolumeDriver.Path", do_path},
	{"/VolumeDriver.Get", do_get},
	{"/VolumeDriver.List", do_list},
};

static const struct method *find_method(const char *path)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strcmp(methods[i].path, path))
			return &methods[i];
	return NULL;
}

/* One line per call. Names and ids are the caller's, so they are written as JSON strings. */
static void log_call(const struct method *method, const struct call *call, bool done)
{
	struct buf line = {0};

	buf_printf(&line, "%s", method->path + 1);
	if (*call->name) {
		buf_printf(&line, " name=");
		buf_json_string(&line, call->name);
	}
	if (*call->id) {
		buf_printf(&line, " id=");
		buf_json_string(&line, call->id);
	}
	if (!done) {
		buf_printf(&line, " error=");
		buf_json_string(&line, buf_text(&call->why));
	}
	fprintf(done ? stdout : stderr, "%s\n", line.data);
	buf_free(&line);
}

static void run_method(const struct method *method, struct call *call)
{
	bool done = method->run(call);

	log_call(method, call, done);
	if (!done) {
		buf_free(&call->answer);
		api_error(&call->answer, buf_text(&call->why));
	}
	buf_free(&call->why);
}

static const char *string_of(const struct json *arguments, const char *key, bool *good)
{
	const struct json *value = json_get(arguments, key);

	if (!value || value->type == JSON_NULL)
		return "";
	if (value->type != JSON_STRING)
		*good = false;
	return value->type == JSON_STRING ? value->text : "";
}

static int refuse(const struct method *method, struct buf *answer, const char *text)
{
	fprintf(stderr, "%s error=\"%s\"\n", method->path + 1, text);
	api_error(answer, text);
	return 400;
}

static int call_method(const struct volumes *all, const struct method *method,
		       const struct json *arguments, struct buf *answer)
{
	struct call call = {.all = all, .options = json_get(arguments, "Opts")};
	bool good = !arguments || arguments->type == JSON_OBJECT || arguments->type == JSON_NULL;

	call.name = string_of(arguments, "Name", &good);
	call.id = string_of(arguments, "ID", &good);
	if (!good)
		return refuse(method, answer, "the body must be an object whose Name and ID are strings");
	record_lock(all->records);
	run_method(method, &call);
	record_unlock(all->records);
	*answer = call.answer;
	return 200;
}

static int parse_and_call(const struct volumes *all, const struct method *method,
			  const struct buf *body, struct buf *answer)
{
	const char *why = NULL;
	struct json *arguments = NULL;
	struct buf text = {0};
	int status;

	if (body->len)
		arguments = json_parse(body->data, body->len, &why);
	if (!why) {
		status = call_method(all, method, arguments, answer);
	} else {
		buf_printf(&text, "the body is not JSON: %s", why);
		status = refuse(method, answer, text.data);
		buf_free(&text);
	}
	json_free(arguments);
	return status;
}

int api_answer(const struct volumes *all, const struct http_request *request, struct buf *answer)
{
	const struct method *method = find_method(request->path);

	if (!method) {
		api_error(answer, "no such method: this plugin speaks the volume plugin protocol");
		return 404;
	}
	if (strcmp(request->method, "POST")) {
		api_error(answer, "methods of the volume plugin protocol are called with POST");
		return 405;
	}
	return parse_and_call(all, method, &request->body, answer);
}
