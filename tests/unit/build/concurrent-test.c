/* 32 different builds at once in one process, against one store: each result is its own, whatever
 * fails or is given up beside it. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define N_BUILDS 32
#define ROUNDS 3

enum kind {
    KIND_COPY,    /* a stage above another one that many builds share */
    KIND_TARGET,  /* one of its stages in the middle */
    KIND_RUN,     /* programs, where these run */
    KIND_MISSING, /* a COPY of nothing: fails */
    KIND_SYNTAX,  /* no Dockerfile: fails before anything is opened */
    KIND_EXIT,    /* a program that fails, where these run; else as KIND_MISSING */
    KIND_STOPPED, /* given up while it runs, where programs run; else before it begins */
    N_KINDS
};

/* One of them, and what its front door heard. */
struct job {
    struct event_sink sink; /* first */
    struct fixture *f;
    int number, round;
    enum kind kind;
    GMutex lock;
    GString *log;  /* what its programs printed */
    guint strange; /* events that cannot be its own */
    GString *notes;
    struct cancel *cancel;
    GThread *thread;
};

static void hear(struct event_sink *self, const struct event *ev)
{
    struct job *j = (struct job *)self;
    g_autofree char *own = g_strdup_printf("mark-%d-%d", j->round, j->number);
    g_mutex_lock(&j->lock);
    if (ev->type == EVENT_LOG)
        g_string_append_len(j->log, ev->bytes, (gssize)ev->n_bytes);
    if (ev->type == EVENT_WARNING || ev->type == EVENT_NOTE)
        g_string_append(j->notes, ev->text);
    if (ev->type == EVENT_VERTEX && strstr(ev->name, "mark-") && !strstr(ev->name, own))
        j->strange++;
    g_mutex_unlock(&j->lock);
    if (ev->type == EVENT_LOG && j->kind == KIND_STOPPED)
        cancel_trigger(j->cancel);
}

static char *run_line(const char *script)
{
    return g_strdup_printf(RUN_BUSYBOX, script);
}

/* Its Dockerfile. The stage "base" is the same for all. */
static char *text_of(const struct job *j)
{
    static const char head[] = "FROM scratch AS base\nCOPY a /shared/a\nCOPY bin /bin\n";
    g_autofree char *mark = g_strdup_printf("mark-%d-%d", j->round, j->number);
    g_autofree char *say = g_strdup_printf("echo %s >/%s; echo said %s", mark, mark, mark);
    g_autofree char *fail = g_strdup_printf("echo %s; exit %d", mark, 10 + j->number);
    g_autofree char *wait = g_strdup_printf("echo %s; sleep 600", mark);
    g_autofree char *said = run_line(say), *failing = run_line(fail), *waiting = run_line(wait);
    switch (j->kind) {
    case KIND_COPY:
        return g_strdup_printf("%sFROM base AS mid\nCOPY b /%s\nFROM mid\nCOPY --from=mid /%s "
                               "/top/\nLABEL mark=%s\n",
                               head, mark, mark, mark);
    case KIND_TARGET:
        return g_strdup_printf("%sFROM base AS wanted\nCOPY b /%s\nFROM wanted\nCOPY nothing /\n",
                               head, mark);
    case KIND_RUN:
        return g_strconcat(head, "FROM base\n", said, NULL);
    case KIND_SYNTAX:
        return g_strdup_printf("%sCOPPY b /%s\n", head, mark);
    case KIND_EXIT:
        if (j->f->runs)
            return g_strconcat(head, "FROM base\n", failing, NULL);
        break;
    case KIND_STOPPED:
        if (j->f->runs)
            return g_strconcat(head, "FROM base\n", waiting, NULL);
        return g_strdup_printf("%sFROM base\nCOPY b /%s\n", head, mark);
    default:
        break;
    }
    return g_strdup_printf("%sFROM base\nCOPY nothing /%s\n", head, mark);
}

static void expect_file(const struct job *j, const char *path, const char *text)
{
    g_autofree char *full = g_strdup_printf("out-b%d-%d/%s", j->round, j->number, path);
    g_autofree char *got = fixture_read(j->f, full);
    g_assert_cmpstr(got, ==, text);
}

static void check_success(const struct job *j, struct build *b)
{
    const struct build_result *r = build_result(b);
    g_autofree char *mark = g_strdup_printf("mark-%d-%d", j->round, j->number);
    g_autofree char *top = g_strconcat("top/", mark, NULL);
    g_autofree char *line = g_strconcat(mark, "\n", NULL);
    expect_file(j, "shared/a", "first\n");
    expect_file(j, mark, j->kind == KIND_RUN ? line : "second\n");
    expect_file(j, top, j->kind == KIND_COPY ? "second\n" : NULL);
    g_assert_true(r->images && imageset_id(r->images));
    g_assert_cmpint(r->ran + r->cached, ==, (int)r->steps->len);
    g_assert_cmpuint(r->outputs->len, ==, 2);
    g_assert_null(r->failure);
    g_assert_cmpint(r->id, >, 0);
    GTree *labels = imageset_at(r->images, 0)->conf->labels;
    const char *label = j->kind == KIND_COPY ? g_tree_lookup(labels, "mark") : mark;
    g_assert_cmpstr(label, ==, mark);
    if (j->kind == KIND_RUN)
        g_assert_true(strstr(j->log->str, "said mark-") && strstr(j->log->str, mark));
}

static void check_missing(struct build *b, const GError *err)
{
    const struct build_failure *f = build_result(b)->failure;
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_assert_nonnull(f);
    g_assert_cmpint(f->place.line, ==, 5);
    g_assert_nonnull(strstr(f->error->message, "nothing"));
}

static void check_exit(const struct job *j, struct build *b, const GError *err)
{
    const struct build_failure *f = build_result(b)->failure;
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_assert_cmpint(f->step->result->exit_code, ==, 10 + j->number);
    g_autofree char *tail = build_log_tail(b, f->step, 5);
    g_autofree char *mark = g_strdup_printf("mark-%d-%d", j->round, j->number);
    g_assert_cmpstr(tail, ==, mark);
}

static void check(const struct job *j, struct build *b, gboolean ok, const GError *err)
{
    gboolean runs = j->f->runs;
    if (j->kind == KIND_COPY || j->kind == KIND_TARGET || (j->kind == KIND_RUN && runs)) {
        g_assert_no_error(err);
        g_assert_true(ok);
        check_success(j, b);
    } else if (j->kind == KIND_SYNTAX) {
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_assert_cmpuint(build_result(b)->diags->n_errors, ==, 1);
        g_assert_null(build_store(b));
    } else if (j->kind == KIND_STOPPED) {
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    } else if (j->kind == KIND_EXIT && runs) {
        check_exit(j, b, err);
    } else if (j->kind == KIND_MISSING || j->kind == KIND_EXIT) {
        check_missing(b, err);
    }
    g_assert_cmpuint(j->strange, ==, 0);
    g_assert_cmpstr(j->notes->str, ==, "");
}

static gpointer build_one(gpointer data)
{
    struct job *j = data;
    g_autofree char *name = g_strdup_printf("b%d-%d", j->round, j->number);
    g_autofree char *text = text_of(j);
    g_autoptr(GError) err = NULL;
    g_autoptr(build_request) r =
        fixture_request(j->f, name, text, j->kind == KIND_TARGET ? "wanted" : NULL);
    const struct build_ports ports = {.events = &j->sink, .cancel = j->cancel};
    g_autoptr(build) b = build_new(r, j->f->session, &ports);
    if (j->kind == KIND_STOPPED && !j->f->runs)
        cancel_trigger(j->cancel);
    gboolean ok = build_run(b, &err);
    build_record(b, err);
    check(j, b, ok, err);
    return NULL;
}

static void begin(struct job *j, struct fixture *f, int round, int number)
{
    *j = (struct job){.sink = {hear}, .f = f, .number = number, .round = round};
    j->kind = (enum kind)(number % N_KINDS);
    g_mutex_init(&j->lock);
    j->log = g_string_new(NULL);
    j->notes = g_string_new(NULL);
    j->cancel = cancel_new();
}

static void end(struct job *j)
{
    g_thread_join(j->thread);
    g_mutex_clear(&j->lock);
    g_string_free(j->log, TRUE);
    g_string_free(j->notes, TRUE);
    cancel_free(j->cancel);
}

/* Every build is in the history with its outcome, and the store is sound. */
static void check_history(const struct fixture *f, int rounds)
{
    g_autoptr(store) s = store_open(f->store, NULL);
    g_autoptr(GPtrArray) builds = store_build_list(s, 10 * N_BUILDS);
    int ended = 0;
    for (guint i = 0; i < builds->len; i++) {
        const struct build_row *r = g_ptr_array_index(builds, i);
        ended += *r->name == 'b' && r->status >= 0;
    }
    int unread = 0; /* what could not be parsed never began */
    for (int i = 0; i < N_BUILDS; i++)
        unread += i % N_KINDS == KIND_SYNTAX;
    g_assert_cmpint(ended, ==, rounds * (N_BUILDS - unread));
}

static void test_concurrent(void)
{
    struct fixture f;
    struct job jobs[N_BUILDS];
    fixture_init(&f);
    if (!f.runs)
        g_test_message("programs do not run here: builds without them only");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N_BUILDS; i++)
            begin(&jobs[i], &f, round, i);
        for (int i = 0; i < N_BUILDS; i++)
            jobs[i].thread = g_thread_new("build", build_one, &jobs[i]);
        for (int i = 0; i < N_BUILDS; i++)
            end(&jobs[i]);
    }
    check_history(&f, ROUNDS);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/build/concurrent", test_concurrent);
    return g_test_run();
}
