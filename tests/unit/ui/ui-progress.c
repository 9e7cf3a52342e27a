#include "ui/progress.h"

#include <jansson.h>
#include <string.h>

/* A small build seen through a mode; returns what was printed. */
static char *show(enum progress_mode mode)
{
    char *out = NULL;
    gsize len;
    FILE *f = open_memstream(&out, &len);
    g_autoptr(progress) p = progress_new(f, mode, "demo:1");
    struct event_sink *sink = progress_sink(p);
    struct digest a, b;
    digest_of_bytes(&a, "a", 1);
    digest_of_bytes(&b, "b", 1);
    int input = 1;
    event_emit(
        sink,
        &(struct event){
            .type = EVENT_VERTEX, .vertex = 1, .name = "FROM base", .stage = "base", .id = &a});
    event_emit(sink, &(struct event){.type = EVENT_VERTEX,
                                     .vertex = 2,
                                     .name = "RUN make",
                                     .stage = "build",
                                     .id = &b,
                                     .inputs = &input,
                                     .n_inputs = 1});
    event_emit(sink, &(struct event){.type = EVENT_PLAN, .vertex = -1, .total = 2});
    event_emit(sink, &(struct event){.type = EVENT_DONE, .vertex = 1, .outcome = OUTCOME_CACHED});
    event_emit(sink, &(struct event){.type = EVENT_START,
                                     .vertex = 2,
                                     .time_us = 1000000,
                                     .text = "1 of 2 files differs: a.c"});
    event_emit(sink, &(struct event){.type = EVENT_LOG,
                                     .vertex = 2,
                                     .fd = 1,
                                     .time_us = 1310000,
                                     .bytes = "one\ntw",
                                     .n_bytes = 6});
    event_emit(sink, &(struct event){.type = EVENT_LOG,
                                     .vertex = 2,
                                     .fd = 2,
                                     .time_us = 13310000,
                                     .bytes = "o\r50%\r99%\nlast",
                                     .n_bytes = 14});
    event_emit(sink, &(struct event){.type = EVENT_DONE,
                                     .vertex = 2,
                                     .time_us = 13500000,
                                     .outcome = OUTCOME_RAN,
                                     .duration_us = 2100000,
                                     .layer_bytes = 38000000});
    progress_finish(p);
    fclose(f);
    return out;
}

static void test_plain(void)
{
    char *out = show(PROGRESS_PLAIN);
    g_assert_cmpstr(out, ==,
                    "[1/2 base] FROM base   cached\n"
                    "[2/2 build] RUN make   (1 of 2 files differs: a.c)\n"
                    "[2/2 build]   0.31 │ one\n"
                    "[2/2 build]  12.31 │ 99%\n"
                    "[2/2 build]  12.50 │ last\n"
                    "[2/2 build] done after 2.1 s   38 MB\n");
    free(out);
}

static void test_quiet(void)
{
    char *out = show(PROGRESS_QUIET);
    g_assert_cmpstr(out, ==, "");
    free(out);
}

static void check_log(json_t *log, GString *all)
{
    gsize len;
    g_autofree guchar *data =
        g_base64_decode(json_string_value(json_object_get(log, "data")), &len);
    g_string_append_len(all, (char *)data, len);
}

/* Every line is an object of BuildKit's status; the logs put together are what was written. */
static void test_rawjson(void)
{
    char *out = show(PROGRESS_RAWJSON);
    g_auto(GStrv) lines = g_strsplit(out, "\n", -1);
    GString *logs = g_string_new(NULL);
    int cached = 0, completed = 0;
    for (char **l = lines; **l; l++) {
        json_t *o = json_loads(*l, 0, NULL);
        g_assert_nonnull(o);
        json_t *v = json_array_get(json_object_get(o, "vertexes"), 0);
        cached += json_is_true(json_object_get(v, "cached"));
        completed += json_object_get(v, "completed") != NULL;
        json_t *log = json_array_get(json_object_get(o, "logs"), 0);
        if (log)
            check_log(log, logs);
        json_decref(o);
    }
    g_assert_cmpint(cached, ==, 1);
    g_assert_cmpint(completed, ==, 2);
    g_assert_cmpstr(logs->str, ==, "one\ntwo\r50%\r99%\nlast");
    g_string_free(logs, TRUE);
    free(out);
}

/* The names of the steps that stages (a letter or digit each, '-' for none) announce, joined; the
 * step at is for another platform than the rest. */
static char *names_of(const char *stages, int at)
{
    char *out = NULL;
    gsize len;
    FILE *f = open_memstream(&out, &len);
    g_autoptr(progress) p = progress_new(f, PROGRESS_RAWJSON, NULL);
    for (int i = 0; stages[i]; i++) {
        char stage[2] = {stages[i], '\0'};
        event_emit(progress_sink(p),
                   &(struct event){.type = EVENT_VERTEX,
                                   .vertex = i,
                                   .name = "x",
                                   .platform = i == at ? "linux/arm64" : "linux/amd64",
                                   .stage = stages[i] == '-' ? NULL : stage});
    }
    fflush(f);
    g_assert_cmpuint(len, ==, 0);
    event_emit(progress_sink(p),
               &(struct event){.type = EVENT_PLAN, .vertex = -1, .total = strlen(stages)});
    progress_finish(p);
    fclose(f);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(out), "\n", -1);
    GString *names = g_string_new(NULL);
    for (char **l = lines; **l; l++) {
        json_t *o = json_loads(*l, 0, NULL);
        json_t *v = json_array_get(json_object_get(o, "vertexes"), 0);
        g_string_append_printf(names, "%s;", json_string_value(json_object_get(v, "name")));
        json_decref(o);
        if (!l[1])
            break;
    }
    free(out);
    return g_string_free(names, FALSE);
}

static void test_rawjson_names(void)
{
    static const char *const cases[][2] = {
        {"00", "[1/2] x;[2/2] x;"},
        {"0b0", "[stage-0 1/3] x;[b 2/3] x;[stage-0 3/3] x;"},
        {"b-", "[b 1/2] x;[2/2] x;"},
        {"bbbbbbbbbb",
         "[b  1/10] x;[b  2/10] x;[b  3/10] x;[b  4/10] x;[b  5/10] x;[b  6/10] x;[b  7/10] x;"
         "[b  8/10] x;[b  9/10] x;[b 10/10] x;"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *names = names_of(cases[i][0], -1);
        g_assert_cmpstr(names, ==, cases[i][1]);
    }
    g_autofree char *names = names_of("bc", 1), *alone = names_of("00", 1);
    g_assert_cmpstr(names, ==, "[linux/amd64 b 1/2] x;[linux/arm64 c 2/2] x;");
    g_assert_cmpstr(alone, ==, "[linux/amd64 1/2] x;[linux/arm64 2/2] x;");
}

static void test_modes(void)
{
    enum progress_mode m;
    g_assert_true(progress_mode_parse("none", &m, NULL));
    g_assert_cmpint(m, ==, PROGRESS_QUIET);
    g_assert_false(progress_mode_parse("fancy", &m, NULL));
}

/* What an image made up is shown as text in every mode. */
static void test_warning(void)
{
    static const enum progress_mode modes[] = {PROGRESS_PLAIN, PROGRESS_QUIET, PROGRESS_TTY,
                                               PROGRESS_RAWJSON};
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        char *out = NULL;
        gsize len;
        FILE *f = open_memstream(&out, &len);
        g_autoptr(progress) p = progress_new(f, modes[i], "demo:1");
        event_emit(
            progress_sink(p),
            &(struct event){.type = EVENT_WARNING, .vertex = -1, .text = "a\033[31m\377\nz"});
        progress_finish(p);
        fclose(f);
        g_assert_null(strstr(out, "\033[31m"));
        g_assert_true(g_utf8_validate(out, -1, NULL));
        g_assert_nonnull(strstr(out, modes[i] == PROGRESS_RAWJSON
                                         ? "\"warnings\""
                                         : "warning: a\357\277\275\357\277\275z\n"));
        free(out);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/progress/plain", test_plain);
    g_test_add_func("/ui/progress/quiet", test_quiet);
    g_test_add_func("/ui/progress/rawjson", test_rawjson);
    g_test_add_func("/ui/progress/rawjson-names", test_rawjson_names);
    g_test_add_func("/ui/progress/modes", test_modes);
    g_test_add_func("/ui/progress/warning", test_warning);
    return g_test_run();
}
