/* The live view on a terminal of a chosen size. */
#include "ui/text.h"
#include "ui/view.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct screen {
    int master;
    FILE *out;
    struct progress *p;
};

static void resize(struct screen *s, int rows, int columns)
{
    struct winsize ws = {.ws_row = rows, .ws_col = columns};
    g_assert_cmpint(ioctl(s->master, TIOCSWINSZ, &ws), ==, 0);
}

static void screen_open(struct screen *s, int rows, int columns)
{
    int slave;
    g_assert_cmpint(openpty(&s->master, &slave, NULL, NULL, NULL), ==, 0);
    g_assert_cmpint(fcntl(s->master, F_SETFL, O_NONBLOCK), ==, 0);
    g_unsetenv("NO_COLOR");
    g_setenv("TERM", "xterm", TRUE);
    resize(s, rows, columns);
    s->out = fdopen(slave, "w");
    s->p = progress_new(s->out, PROGRESS_TTY, "demo:1");
    g_mutex_lock(&s->p->lock); /* frames are drawn when the test says so, not by the ticker */
}

static void screen_close(struct screen *s)
{
    g_mutex_unlock(&s->p->lock);
    progress_free(s->p);
    fclose(s->out);
    close(s->master);
}

static void tell(struct screen *s, const struct event *ev)
{
    g_mutex_unlock(&s->p->lock);
    event_emit(progress_sink(s->p), ev);
    g_mutex_lock(&s->p->lock);
}

static void drain(struct screen *s, GString *into)
{
    char buf[4096];
    for (ssize_t n; (n = read(s->master, buf, sizeof buf)) > 0;)
        g_string_append_len(into, buf, n);
}

/* The lines of the next frame, without colours; *up gets how many rows it moved up. */
static char **draw(struct screen *s, int *up)
{
    GString *raw = g_string_new(NULL);
    drain(s, raw);
    g_string_truncate(raw, 0);
    tty_draw(s->p);
    drain(s, raw);
    *up = 0;
    if (g_str_has_prefix(raw->str, "\x1b["))
        *up = atoi(raw->str + 2);
    g_autofree char *text = text_without_escapes(raw->str);
    g_string_free(raw, TRUE);
    g_auto(GStrv) pieces = g_strsplit(text, "\r", -1);
    g_autofree char *joined = g_strjoinv("", pieces);
    char **lines = g_strsplit(joined, "\n", -1);
    guint n = g_strv_length(lines);
    g_assert_cmpuint(n, >=, 1);
    g_assert_cmpstr(lines[n - 1], ==, ""); /* the cursor's line */
    g_free(lines[n - 1]);
    lines[n - 1] = NULL;
    return lines;
}

static int count(char **lines, const char *part)
{
    int n = 0;
    for (char **l = lines; *l; l++)
        n += strstr(*l, part) != NULL;
    return n;
}

static void run_steps(struct screen *s, int n, const char *log)
{
    for (int i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("RUN step%d", i);
        tell(s, &(struct event){.type = EVENT_VERTEX, .vertex = i, .name = name, .stage = "build"});
        tell(s, &(struct event){.type = EVENT_START, .vertex = i});
        tell(s, &(struct event){
                    .type = EVENT_LOG, .vertex = i, .fd = 1, .bytes = log, .n_bytes = strlen(log)});
    }
}

/* Every running step keeps its line; their logs share what is left. */
static void test_small(void)
{
    struct screen s;
    int up;
    screen_open(&s, 24, 80);
    tell(&s, &(struct event){.type = EVENT_VERTEX, .vertex = 90, .name = "FROM base"});
    tell(&s, &(struct event){.type = EVENT_DONE, .vertex = 90, .outcome = OUTCOME_CACHED});
    run_steps(&s, 6, "one\ntwo\n\nthree\nfour\n");
    tell(&s, &(struct event){
                 .type = EVENT_TRANSFER, .vertex = -1, .name = "image", .current = 1, .target = 9});
    static const struct {
        int rows, steps, logs, transfers, ended, more;
    } cases[] = {{40, 6, 18, 1, 1, 0}, {22, 6, 12, 1, 1, 0}, {15, 6, 6, 1, 0, 0},
                 {10, 6, 0, 1, 1, 0},  {9, 6, 0, 1, 0, 0},   {8, 5, 0, 0, 0, 1},
                 {3, 0, 0, 0, 0, 1},   {2, 0, 0, 0, 0, 0}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        resize(&s, cases[i].rows, 80);
        g_auto(GStrv) lines = draw(&s, &up);
        g_assert_cmpint(g_strv_length(lines), <, cases[i].rows);
        g_assert_cmpint(count(lines, "RUN step"), ==, cases[i].steps);
        g_assert_cmpint(count(lines, "│"), ==, cases[i].logs);
        g_assert_cmpint(count(lines, "⇣"), ==, cases[i].transfers);
        g_assert_cmpint(count(lines, "FROM base"), ==, cases[i].ended);
        g_assert_cmpint(count(lines, "more"), ==, cases[i].more);
    }
    resize(&s, 8, 80);
    g_auto(GStrv) lines = draw(&s, &up);
    g_assert_cmpstr(lines[6], ==, "● … and 2 more");
    screen_close(&s);
}

/* A frame moves up over the rows that the last one takes in the window as it is now. */
static void test_narrower(void)
{
    struct screen s;
    int up;
    screen_open(&s, 24, 80);
    run_steps(&s, 1, "123456789 123456789 123456789 123456789 123456789\nshort\n");
    g_strfreev(draw(&s, &up));
    g_strfreev(draw(&s, &up));
    g_assert_cmpint(up, ==, 4);
    resize(&s, 24, 40); /* head, step and the long line of 53 columns have become two rows each */
    g_auto(GStrv) lines = draw(&s, &up);
    g_assert_cmpint(up, ==, 7);
    for (char **l = lines; *l; l++)
        g_assert_cmpint(text_width(*l), <, 40);
    g_strfreev(draw(&s, &up));
    g_assert_cmpint(up, ==, 4);
    screen_close(&s);
}

/* The log is shown as a terminal would show it in the end. */
static void test_log(void)
{
    struct screen s;
    int up;
    screen_open(&s, 24, 80);
    run_steps(&s, 1, "dos\r\n10%\r\x1b[32m99%\x1b[0m\r\n\x1b[2K\n日本\x01語");
    g_auto(GStrv) lines = draw(&s, &up);
    g_assert_cmpint(g_strv_length(lines), ==, 5);
    g_assert_cmpstr(lines[2], ==, "  │ dos");
    g_assert_cmpstr(lines[3], ==, "  │ 99%");
    g_assert_cmpstr(lines[4], ==, "  │ 日本\xef\xbf\xbd語");
    screen_close(&s);
}

/* A warning stays where the frame was; the next frame is drawn below it. */
static void test_warning(void)
{
    struct screen s;
    int up;
    screen_open(&s, 24, 80);
    run_steps(&s, 1, "log\n");
    g_strfreev(draw(&s, &up));
    tell(&s, &(struct event){.type = EVENT_WARNING, .vertex = 0, .text = "take \x1b[31mcare"});
    g_autoptr(GString) raw = g_string_new(NULL);
    drain(&s, raw);
    g_assert_true(
        g_str_has_prefix(raw->str, "\x1b[3A\r\x1b[J\x1b[33mwarning:\x1b[0m take care\r\n"));
    g_strfreev(draw(&s, &up));
    g_assert_cmpint(up, ==, 0);
    screen_close(&s);
}

/* A transfer shows how far it is in any window, without what the head line says already. */
static void test_transfer(void)
{
    static const struct {
        int columns;
        gboolean bar, all;
    } cases[] = {{200, TRUE, TRUE}, {80, TRUE, TRUE}, {60, FALSE, TRUE}, {40, FALSE, FALSE}};
    for (guint i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        struct screen s;
        int up;
        gboolean titled = i % 2;
        screen_open(&s, 24, cases[i / 2].columns);
        tell(&s, &(struct event){.type = EVENT_TRANSFER,
                                 .vertex = -1,
                                 .name = titled ? "pull demo:1 92cf57ad2b1c"
                                                : "pull 127.0.0.1:5000/some/node:20 92cf57ad2b1c",
                                 .time_us = g_get_real_time() - 2 * G_USEC_PER_SEC,
                                 .current = 29000000,
                                 .target = 98000000});
        g_auto(GStrv) lines = draw(&s, &up);
        const char *row = lines[1];
        g_assert_true(g_str_has_prefix(row, "⇣ "));
        g_assert_nonnull(strstr(row, "92cf57ad2b1c"));
        g_assert_nonnull(strstr(row, "29 MB of 98 MB"));
        g_assert_null(strstr(row, "demo:1"));
        g_assert_cmpint(strstr(row, "━") != NULL, ==, cases[i / 2].bar);
        g_assert_cmpint(strstr(row, "MB/s  ") && strstr(row, " left"), ==, cases[i / 2].all);
        g_assert_cmpint(text_width(row), <, cases[i / 2].columns);
        screen_close(&s);
    }
}

/* Where few steps run, their logs are worth more than the rows of what waits. */
static void test_waiting(void)
{
    struct screen s;
    int up;
    screen_open(&s, 24, 80);
    run_steps(&s, 1, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n");
    for (int i = 1; i < 20; i++)
        tell(&s, &(struct event){
                     .type = EVENT_VERTEX, .vertex = i, .name = "RUN later", .stage = "build"});
    g_auto(GStrv) lines = draw(&s, &up);
    g_assert_cmpint(count(lines, "│"), ==, 10);
    g_assert_cmpint(count(lines, "○"), ==, 3);
    screen_close(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/tty/small", test_small);
    g_test_add_func("/ui/tty/narrower", test_narrower);
    g_test_add_func("/ui/tty/log", test_log);
    g_test_add_func("/ui/tty/warning", test_warning);
    g_test_add_func("/ui/tty/transfer", test_transfer);
    g_test_add_func("/ui/tty/waiting", test_waiting);
    return g_test_run();
}
