/* Claims and boards (cache/claim.h), with a clock that the tests set. */
#include "base/error.h"
#include "cache/claim.h"

#include <string.h>

#define S ((gint64)G_USEC_PER_SEC)
#define DEAD (15 * S)
#define SETTLE (2 * S)

static const char me[] = "00000000010000000000000000000001",
                  other[] = "00000000020000000000000000000002",
                  third[] = "00000000030000000000000000000003";

static struct digest key_number(guint n)
{
    struct digest d;
    digest_of_bytes(&d, &n, sizeof n);
    return d;
}

static struct cache_claim *claiming(const char *writer, guint key, gboolean held, guint turn)
{
    struct cache_claim *c = claim_new(writer, "host");
    const struct claim_key k = {key_number(key), held};
    g_array_append_val(c->keys, k);
    c->turn = turn;
    return c;
}

static struct claimboard *board(void)
{
    return claimboard_new(me, DEAD, SETTLE);
}

static enum claim_state judge(struct claimboard *b, guint key, gint64 wanted, gint64 now,
                              const char **who)
{
    const struct digest d = key_number(key);
    return claimboard_judge(b, &d, wanted, now, who);
}

static void test_held_is_taken(void)
{
    const char *who;
    struct claimboard *b = board();
    g_assert_cmpint(judge(b, 1, 0, 0, &who), ==, CLAIM_FREE);
    claimboard_see(b, other, claiming(other, 1, TRUE, 0), 0);
    g_assert_cmpint(judge(b, 1, 0, S, &who), ==, CLAIM_TAKEN);
    g_assert_cmpstr(who, ==, other);
    g_assert_cmpstr(claimboard_builder(b, who), ==, "host");
    g_assert_cmpint(judge(b, 2, 0, S, &who), ==, CLAIM_FREE);
    claimboard_see(b, other, claim_new(other, "host"), 2 * S);
    g_assert_cmpint(judge(b, 1, 0, 2 * S, &who), ==, CLAIM_FREE);
    claimboard_see(b, other, claiming(other, 1, TRUE, 1), 3 * S);
    claimboard_see(b, other, NULL, 4 * S);
    g_assert_cmpint(judge(b, 1, 0, 4 * S, &who), ==, CLAIM_FREE);
    claimboard_free(b);
}

/* Each of two that want the same sees the other: one goes first, the other knows it; and over many
 * keys both do. */
static void test_two_decide_alike(void)
{
    guint mine = 0;
    for (guint key = 0; key < 100; key++) {
        const char *who;
        struct claimboard *a = board(), *b = claimboard_new(other, DEAD, SETTLE);
        claimboard_see(a, other, claiming(other, key, FALSE, 0), 0);
        claimboard_see(b, me, claiming(me, key, FALSE, 0), 0);
        enum claim_state here = judge(a, key, 1, 2, &who), there = judge(b, key, 1, 2, &who);
        g_assert_true((here == CLAIM_CONTESTED && there == CLAIM_TAKEN) ||
                      (here == CLAIM_TAKEN && there == CLAIM_CONTESTED));
        mine += here == CLAIM_CONTESTED;
        claimboard_free(a);
        claimboard_free(b);
    }
    g_assert_cmpuint(mine, >, 20);
    g_assert_cmpuint(mine, <, 80);
}

/* One that goes on wanting though it saw me did not see me in time: it runs the step. */
static void test_contest_settles(void)
{
    const char *who;
    for (guint key = 0; key < 20; key++) {
        struct claimboard *b = board();
        claimboard_see(b, other, claiming(other, key, FALSE, 0), S);
        if (judge(b, key, S, S, &who) == CLAIM_CONTESTED) {
            g_assert_cmpint(judge(b, key, S, S + SETTLE - 1, &who), ==, CLAIM_CONTESTED);
            g_assert_cmpint(judge(b, key, S, S + SETTLE, &who), ==, CLAIM_TAKEN);
        }
        claimboard_free(b);
    }
}

static void test_silence_is_death(void)
{
    const char *who;
    gint64 now;
    struct claimboard *b = board();
    for (now = 0; now < 60 * S; now += S) { /* renewed: it lives */
        claimboard_see(b, other, claiming(other, 1, TRUE, (guint)(now / S / 3) % CLAIM_TURNS), now);
        g_assert_cmpint(judge(b, 1, 0, now, &who), ==, CLAIM_TAKEN);
    }
    gint64 last = now - 3 * S;
    for (; now < last + DEAD; now += S) {
        claimboard_see(b, other, claiming(other, 1, TRUE, 3), now);
        g_assert_cmpint(judge(b, 1, 0, now, &who), ==, CLAIM_TAKEN);
        g_assert_false(claimboard_is_dead(b, other, now));
    }
    claimboard_see(b, other, claiming(other, 1, TRUE, 3), last + DEAD);
    g_assert_cmpint(judge(b, 1, 0, last + DEAD, &who), ==, CLAIM_FREE);
    g_assert_true(claimboard_is_dead(b, other, last + DEAD));
    g_assert_cmpuint(claimboard_living(b, last + DEAD), ==, 0);
    claimboard_free(b);
}

/* After a pause the same document says nothing: its turn may have come round. */
static void test_pause_is_no_death(void)
{
    const char *who;
    struct claimboard *b = board();
    claimboard_see(b, other, claiming(other, 1, TRUE, 0), 0);
    claimboard_see(b, other, claiming(other, 1, TRUE, 0), 100 * S);
    g_assert_false(claimboard_is_dead(b, other, 100 * S));
    g_assert_cmpint(judge(b, 1, 0, 100 * S, &who), ==, CLAIM_TAKEN);
    claimboard_free(b);
}

static void test_ended_is_over(void)
{
    struct claimboard *b = board();
    struct cache_claim *c = claim_new(other, NULL);
    c->ended = TRUE;
    claimboard_see(b, other, c, 0);
    g_assert_true(claimboard_is_over(b, other));
    g_assert_false(claimboard_is_over(b, third));
    g_assert_cmpuint(claimboard_living(b, 0), ==, 0);
    claimboard_free(b);
}

/* However many builders somebody makes up, the board stays small, and those that it knows count. */
static void test_crowd(void)
{
    const char *who;
    struct claimboard *b = board();
    claimboard_see(b, other, claiming(other, 1, TRUE, 0), 0);
    for (guint i = 0; i < 5000; i++) {
        g_autofree char *name = g_strdup_printf("%032x", i);
        claimboard_see(b, name, claiming(name, 2, TRUE, 0), 0);
    }
    g_assert_cmpuint(claimboard_living(b, 0), <=, 1000);
    g_assert_cmpint(judge(b, 1, 0, 0, &who), ==, CLAIM_TAKEN);
    claimboard_free(b);
}

static void test_document(void)
{
    GError *err = NULL;
    g_autoptr(cache_claim) c = claiming(other, 7, TRUE, 2);
    g_autoptr(GBytes) bytes = claim_write(c);
    g_autoptr(cache_claim) back = claim_parse(bytes, other, &err);
    g_assert_no_error(err);
    g_autoptr(GBytes) again = claim_write(back);
    g_assert_true(g_bytes_equal(bytes, again));
    g_assert_null(claim_parse(bytes, third, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
}

static GBytes *many_keys(guint n)
{
    GString *s = g_string_new("{\"version\":1,\"writer\":\"00000000020000000000000000000002\","
                              "\"builder\":\"b\",\"turn\":0,\"keys\":[");
    for (guint i = 0; i < n; i++) {
        const struct digest d = key_number(i);
        g_autofree char *text = digest_text(&d);
        g_string_append_printf(s, "%s{\"key\":\"%s\"}", i ? "," : "", text);
    }
    g_string_append(s, "]}");
    return g_string_free_to_bytes(s);
}

static void test_hostile_documents(void)
{
#define HEAD                                                                                       \
    "{\"version\":1,\"writer\":\"00000000020000000000000000000002\",\"builder\":\"b\",\"turn\":0,"
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "{}",
        HEAD "\"keys\":{}}",
        HEAD "\"keys\":[1]}",
        HEAD "\"keys\":[{}]}",
        HEAD "\"keys\":[{\"key\":\"sha256:1\"}]}",
        HEAD "\"keys\":[{\"key\":\"md5:x\"}]}",
        HEAD "\"ended\":3,\"keys\":[]}",
        HEAD "\"keys\":[{\"key\":7}]}",
        "{\"version\":2,\"writer\":\"00000000020000000000000000000002\",\"keys\":[]}",
        "{\"version\":1,\"writer\":7,\"keys\":[]}"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_autoptr(GBytes) bytes = g_bytes_new_static(bad[i], strlen(bad[i]));
        g_assert_null(claim_parse(bytes, other, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_clear_error(&err);
    }
    g_autoptr(GBytes) most = many_keys(CLAIM_KEYS_MAX), more = many_keys(CLAIM_KEYS_MAX + 1);
    g_autoptr(cache_claim) c = claim_parse(most, other, NULL);
    g_assert_nonnull(c);
    g_assert_null(claim_parse(more, other, NULL));
    g_autofree char *spaces = g_strnfill(CLAIM_BYTES_MAX, ' ');
    g_autofree char *text = g_strconcat(HEAD "\"keys\":[]}", spaces, NULL);
    g_autoptr(GBytes) large = g_bytes_new(text, strlen(text));
    g_assert_null(claim_parse(large, other, NULL));
}

static void test_builder_is_shown_safely(void)
{
    static const char text[] = HEAD "\"keys\":[]}";
    g_autofree char *long_name = g_strnfill(5000, 'n');
    g_autofree char *doc = g_strdup_printf(
        "{\"version\":1,\"writer\":\"%s\",\"builder\":\"\\u001b[31m\\n%s\",\"turn\":0,\"keys\":[]}",
        other, long_name);
    g_autoptr(GBytes) bytes = g_bytes_new(doc, strlen(doc));
    g_autoptr(GBytes) plain = g_bytes_new_static(text, strlen(text));
    g_autoptr(cache_claim) c = claim_parse(bytes, other, NULL), p = claim_parse(plain, other, NULL);
    g_assert_nonnull(c);
    g_assert_cmpstr(p->builder, ==, "b");
    g_assert_cmpuint(strlen(c->builder), <, 100);
    g_assert_null(strpbrk(c->builder, "\033\n"));
}

static void test_names(void)
{
    g_autofree char *a = claim_name(), *b = claim_name();
    g_assert_true(claim_is_name(a));
    g_assert_cmpstr(a, !=, b);
    g_assert_cmpint(claim_age(a), <=, 1);
    g_assert_cmpint(claim_age(other), >, 1000000);
    g_assert_false(claim_is_name("../../../../../../../etc/passwd1"));
    g_assert_false(claim_is_name(""));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/claim/held-is-taken", test_held_is_taken);
    g_test_add_func("/claim/two-decide-alike", test_two_decide_alike);
    g_test_add_func("/claim/contest-settles", test_contest_settles);
    g_test_add_func("/claim/silence-is-death", test_silence_is_death);
    g_test_add_func("/claim/pause-is-no-death", test_pause_is_no_death);
    g_test_add_func("/claim/ended-is-over", test_ended_is_over);
    g_test_add_func("/claim/crowd", test_crowd);
    g_test_add_func("/claim/document", test_document);
    g_test_add_func("/claim/hostile-documents", test_hostile_documents);
    g_test_add_func("/claim/builder-is-shown-safely", test_builder_is_shown_safely);
    g_test_add_func("/claim/names", test_names);
    return g_test_run();
}
