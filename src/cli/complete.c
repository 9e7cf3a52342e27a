#include "cli/complete.h"

#include "cli/docker.h"
#include "cli/root.h"
#include "cli/show.h"
#include "store/history.h"
#include "store/images.h"
#include "store/runs.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_BUILDS 20

/* What is being completed. */
struct query {
    const char *prefix; /* "--option=" of the word, which candidates repeat; else "" */
    const char *begun;  /* what is there of the candidate */
};

static void offer(const struct query *q, const char *word, const char *about)
{
    if (!g_str_has_prefix(word, q->begun))
        return;
    g_autofree char *fit = about ? text_fit(about, 100) : NULL;
    printf("%s%s%s%s\n", q->prefix, word, fit ? "\t" : "", fit ? fit : "");
}

/* words are parted by spaces. */
static void offer_words(const struct query *q, const char *words)
{
    g_auto(GStrv) all = g_strsplit(words, " ", -1);
    for (char **word = all; *word; word++)
        offer(q, *word, NULL);
}

static void offer_commands(const struct query *q, const struct command *table)
{
    for (const struct command *c = table; c->name; c++)
        offer(q, c->name, c->summary);
    offer(q, "help", "explain a command");
}

/* NULL where there is none yet: asking for names makes none. */
static struct store *existing_store(void)
{
    const char *root = root_path();
    return g_file_test(root, G_FILE_TEST_IS_DIR) ? store_open(root, NULL) : NULL;
}

static void offer_images(const struct query *q)
{
    g_autoptr(store) s = existing_store();
    g_autoptr(GPtrArray) all = s ? store_image_list(s) : NULL;
    for (guint i = 0; all && i < all->len; i++) {
        const struct image_row *r = g_ptr_array_index(all, i);
        g_autofree char *id = short_hex(&r->config);
        g_autofree char *name = *r->name ? shown_name(r->name) : g_strdup(id);
        g_autofree char *age = text_age(r->created);
        g_autofree char *about = g_strdup_printf("image %s, %s", id, age);
        offer(q, name, about);
    }
}

static void offer_runs(const struct query *q, gboolean only_alive)
{
    g_autoptr(store) s = existing_store();
    g_autoptr(GPtrArray) all = s ? store_run_list(s) : NULL;
    for (guint i = 0; all && i < all->len; i++) {
        const struct run_row *r = g_ptr_array_index(all, i);
        g_autofree char *about =
            g_strdup_printf("run of %s%s", r->image, r->alive ? "" : ", ended");
        if (r->alive || (r->kept && !only_alive))
            offer(q, *r->name ? r->name : r->id, about);
    }
}

static void offer_builds(const struct query *q)
{
    g_autoptr(store) s = existing_store();
    g_autoptr(GPtrArray) all = s ? store_build_list(s, SHOWN_BUILDS) : NULL;
    for (guint i = 0; all && i < all->len; i++) {
        const struct build_row *b = g_ptr_array_index(all, i);
        g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, b->id);
        g_autofree char *age = text_age(b->started_us / G_USEC_PER_SEC);
        g_autofree char *about = g_strdup_printf("build of %s, %s", b->name ? b->name : "?", age);
        offer(q, number, about);
    }
}

/* What stands in synopses and behind options, in capitals. FALSE when it is nothing known. */
static gboolean offer_kind(const struct query *q, const struct command *c, const char *kind)
{
    static const char *const busy[] = {"exec", "stop", "kill", NULL};
    gboolean names = g_str_equal(kind, "NAME") && g_str_equal(c->name, "images");
    if (g_str_equal(kind, "IMAGE") || names)
        offer_images(q);
    else if (g_str_equal(kind, "RUN"))
        offer_runs(q, g_strv_contains(busy, c->name));
    else if (g_str_equal(kind, "BUILD"))
        offer_builds(q);
    else if (g_str_equal(kind, "FILE"))
        printf(":files\n");
    else if (g_str_equal(kind, "CONTEXT") || g_str_equal(kind, "REF"))
        printf(":dirs\n");
    else if (g_ascii_islower(*kind)) /* a word as it is written: "json" */
        offer(q, kind, NULL);
    else
        return FALSE;
    return TRUE;
}

static void offer_kinds(const struct query *q, const struct command *c, const char *kinds)
{
    g_auto(GStrv) all = g_strsplit(kinds, "|", -1);
    for (char **kind = all; *kind; kind++)
        offer_kind(q, c, *kind);
}

/* Options whose argument has a few values, or is a path, which its name in the help does not tell.
 */
static const struct {
    const char *name, *values; /* parted by spaces; ":files", ":dirs" */
} known[] = {
    {"file", ":files"},
    {"volume", ":dirs"},
    {"progress", "auto tty plain quiet rawjson"},
    {"platform", "linux/amd64 linux/arm64 linux/arm/v7 linux/riscv64 linux/ppc64le linux/s390x"},
    {"network", "default host none"},
    {"pull", "always missing never"},
    {"compression", "gzip zstd uncompressed"},
    {"signal", "TERM KILL INT HUP QUIT USR1 USR2"},
    {"stop-signal", "TERM KILL INT HUP QUIT USR1 USR2"},
    {"call", "check outline targets"},
    {"allow", "network.host security.insecure"},
};

static void offer_value(const struct query *q, const struct command *c,
                        const struct option_row *row)
{
    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!g_str_equal(known[i].name, row->name))
            continue;
        if (known[i].values[0] == ':')
            printf("%s\n", known[i].values);
        else
            offer_words(q, known[i].values);
        return;
    }
    if (row->arg)
        offer_kinds(q, c, row->arg);
}

static void offer_options(const struct query *q, const struct command *c)
{
    for (const struct option_row *row = c->options; row && row->name; row++) {
        g_autofree char *option = g_strconcat("--", row->name, NULL);
        if (row->help)
            offer(q, option, row->help);
    }
    offer(q, "--help", "explain the command");
}

/* The argument at this place, as the synopsis names it: "[OPTIONS] IMAGE [NAME]". NULL: none. */
static char *synopsis_word(const struct command *c, guint at)
{
    g_auto(GStrv) all = g_strsplit(c->synopsis, " ", -1);
    char *found = NULL;
    guint n = 0;
    for (char **word = all; *word; word++) {
        if (g_str_equal(*word, "[OPTIONS]"))
            continue;
        gboolean more = strstr(*word, "…") != NULL;
        if (n++ == at || (more && n <= at + 1)) {
            g_free(found);
            found =
                g_strndup(*word + strspn(*word, "["), strcspn(*word + strspn(*word, "["), "]\xe2"));
        }
    }
    return found;
}

static void offer_argument(const struct query *q, const struct command *c, guint at)
{
    g_autofree char *kinds = synopsis_word(c, at);
    if (kinds)
        offer_kinds(q, c, kinds);
}

/* Of the command's words before the last: how many arguments there are, and the option that still
 * needs its value. FALSE when what follows is another program's. */
static gboolean read_words(const struct command *c, char **words, guint n, guint *arguments,
                           const struct option_row **open)
{
    gboolean plain = FALSE;
    *arguments = 0;
    *open = NULL;
    for (guint i = 0; i < n; i++) {
        const struct option_row *row = plain || *open ? NULL : command_option(c, words[i]);
        if (*open)
            *open = NULL;
        else if (row && command_value_follows(row, words[i]))
            *open = row;
        else if (!row && g_str_equal(words[i], "--"))
            plain = TRUE;
        else if (!row && (plain || words[i][0] != '-' || !words[i][1]))
            (*arguments)++;
    }
    return *arguments == 0 || !c->strict;
}

static void complete_command(const struct command *c, char **words)
{
    guint n = g_strv_length(words) - 1, arguments;
    const char *word = words[n], *eq = strchr(word, '=');
    const struct option_row *open;
    struct query q = {"", word};
    if (!read_words(c, words, n, &arguments, &open))
        return;
    if (open) {
        offer_value(&q, c, open);
    } else if (g_str_has_prefix(word, "--") && eq) {
        g_autofree char *prefix = g_strndup(word, eq + 1 - word);
        const struct option_row *row = command_option(c, word);
        struct query value = {prefix, eq + 1};
        if (row)
            offer_value(&value, c, row);
    } else if (word[0] == '-') {
        offer_options(&q, c);
    } else {
        offer_argument(&q, c, arguments);
    }
}

/* Over "--root DIR" and "--root=DIR", whose store is the one to ask then. */
static char **skip_root(char **words)
{
    while (*words && words[1]) {
        const char *dir = g_str_has_prefix(*words, "--root=") ? *words + strlen("--root=") : NULL;
        if (!dir && g_str_equal(*words, "--root") && words[2])
            dir = *++words;
        if (!dir)
            break;
        root_choose(dir);
        words++;
    }
    return words;
}

static void complete_first(const struct query *q, const struct command *table)
{
    if (g_str_has_prefix(q->begun, "--root="))
        printf(":dirs\n");
    else if (q->begun[0] == '-')
        offer_words(q, "--root --help --version");
    else
        offer_commands(q, table);
}

void complete_print(const struct command *table, char **words)
{
    words = skip_root(words);
    if (!*words)
        return;
    struct query q = {"", words[g_strv_length(words) - 1]};
    g_autofree char **translated =
        words[1] && !command_find(table, *words) ? docker_translate(table, words) : NULL;
    if (translated)
        words = translated;
    const struct command *c = words[1] ? command_find(table, *words) : NULL;
    if (!words[1])
        complete_first(&q, table);
    else if (g_str_equal(*words, "--root"))
        printf(":dirs\n");
    else if (g_str_equal(*words, "help") && !words[2])
        offer_commands(&q, table);
    else if (c)
        complete_command(c, words + 1);
}
