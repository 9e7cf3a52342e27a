#include "cache/claim.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"
#include "text/fit.h"

#include <string.h>

#define CLAIM_VERSION 1
#define NAME_LEN 32
#define TIME_LEN 10     /* digits of a name: seconds since the epoch */
#define PAUSE 3         /* this part of what makes a builder dead is a pause between looks */
#define BUILDER_MAX 64  /* bytes of a builder's name */
#define RIVALS_MAX 1000 /* that a board remembers; more are not seen */

/* Another builder, as seen last. */
struct rival {
    struct cache_claim *claim; /* NULL: it is gone */
    struct digest digest;      /* of claim's document */
    gint64 changed_us;         /* when it was seen to change */
    gint64 seen_us;            /* when it was looked at last */
};
struct claimboard {
    char *me;
    gint64 dead_us, settle_us;
    GHashTable *rivals; /* id → struct rival* */
};

char *claim_name(void)
{
    guint64 now = (guint64)(g_get_real_time() / G_USEC_PER_SEC);
    return g_strdup_printf("%010" G_GINT64_MODIFIER "x%08x%08x%06x", now & 0xffffffffff,
                           g_random_int(), g_random_int(), g_random_int() & 0xffffff);
}

gint64 claim_age(const char *name)
{
    g_autofree char *hex = g_strndup(name, TIME_LEN);
    return g_get_real_time() / G_USEC_PER_SEC - (gint64)g_ascii_strtoull(hex, NULL, 16);
}

gboolean claim_is_name(const char *text)
{
    return strlen(text) == NAME_LEN && strspn(text, "0123456789abcdef") == NAME_LEN;
}

struct cache_claim *claim_new(const char *writer, const char *builder)
{
    struct cache_claim *c = g_new0(struct cache_claim, 1);
    c->writer = g_strdup(writer);
    c->builder = text_one_line(builder ? builder : "", BUILDER_MAX);
    c->keys = g_array_new(FALSE, TRUE, sizeof(struct claim_key));
    return c;
}

void claim_free(struct cache_claim *c)
{
    if (!c)
        return;
    g_free(c->writer);
    g_free(c->builder);
    g_array_unref(c->keys);
    g_free(c);
}

GBytes *claim_write(const struct cache_claim *c)
{
    struct jsonout j;
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '{');
    jsonout_int(&j, "version", CLAIM_VERSION);
    jsonout_str(&j, "writer", c->writer);
    jsonout_str(&j, "builder", c->builder);
    jsonout_int(&j, "turn", c->turn);
    if (c->ended)
        jsonout_true(&j, "ended");
    jsonout_open(&j, "keys", '[');
    for (guint i = 0; i < MIN(c->keys->len, CLAIM_KEYS_MAX); i++) {
        const struct claim_key *k = &g_array_index(c->keys, struct claim_key, i);
        g_autofree char *key = digest_text(&k->key);
        jsonout_open(&j, NULL, '{');
        jsonout_str(&j, "key", key);
        if (k->held)
            jsonout_true(&j, "held");
        jsonout_close(&j, '}');
    }
    jsonout_close(&j, ']');
    jsonout_close(&j, '}');
    return jsonout_finish(&j);
}

static gboolean parse_claim_keys(const json_t *doc, struct cache_claim *c, GError **err)
{
    const json_t *keys;
    if (!jsonin_array(doc, "keys", CLAIM_KEYS_MAX, &keys, err))
        return FALSE;
    for (gsize i = 0; i < json_array_size(keys); i++) {
        const json_t *item = json_array_get(keys, i);
        struct claim_key k = {.held = FALSE};
        if (!json_is_object(item))
            return error_set(err, VARVE_ERROR_INVALID, "a claim's key is no object");
        if (!jsonin_digest(item, "key", &k.key, err) || !jsonin_bool(item, "held", &k.held, err))
            return FALSE;
        g_array_append_val(c->keys, k);
    }
    return TRUE;
}

static struct cache_claim *parse_claim_document(const json_t *doc, const char *writer, GError **err)
{
    gint64 version, turn;
    const char *named, *builder;
    gboolean ended;
    if (!jsonin_int(doc, "version", &version, err) || !jsonin_string(doc, "writer", &named, err) ||
        !jsonin_string(doc, "builder", &builder, err) || !jsonin_int(doc, "turn", &turn, err) ||
        !jsonin_bool(doc, "ended", &ended, err))
        return NULL;
    if (version != CLAIM_VERSION || g_strcmp0(named, writer) != 0) {
        error_set(err, VARVE_ERROR_INVALID, "it is no claim of %s", writer);
        return NULL;
    }
    g_autoptr(cache_claim) c = claim_new(writer, builder);
    c->turn = (guint)turn;
    c->ended = ended;
    return parse_claim_keys(doc, c, err) ? g_steal_pointer(&c) : NULL;
}

struct cache_claim *claim_parse(GBytes *bytes, const char *writer, GError **err)
{
    gsize len;
    const void *json = g_bytes_get_data(bytes, &len);
    json_t *doc = jsonin_parse(json, len, CLAIM_BYTES_MAX, "claim", err);
    struct cache_claim *c = doc ? parse_claim_document(doc, writer, err) : NULL;
    json_decref(doc);
    return c;
}

static void rival_free(gpointer p)
{
    struct rival *r = p;
    claim_free(r->claim);
    g_free(r);
}

struct claimboard *claimboard_new(const char *me, gint64 dead_us, gint64 settle_us)
{
    struct claimboard *b = g_new0(struct claimboard, 1);
    b->me = g_strdup(me);
    b->dead_us = dead_us;
    b->settle_us = settle_us;
    b->rivals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, rival_free);
    return b;
}

void claimboard_free(struct claimboard *b)
{
    if (!b)
        return;
    g_free(b->me);
    g_hash_table_unref(b->rivals);
    g_free(b);
}

void claimboard_see(struct claimboard *b, const char *writer, struct cache_claim *c, gint64 now_us)
{
    struct digest is = {{0}};
    struct rival *r = g_hash_table_lookup(b->rivals, writer);
    if (c) {
        g_autoptr(GBytes) bytes = claim_write(c);
        digest_of_bytes(&is, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    }
    if (!r && g_hash_table_size(b->rivals) >= RIVALS_MAX) {
        claim_free(c);
        return;
    }
    if (!r) {
        r = g_new0(struct rival, 1);
        r->seen_us = r->changed_us = now_us;
        g_hash_table_insert(b->rivals, g_strdup(writer), r);
    }
    if (digest_cmp(&is, &r->digest) != 0 || now_us - r->seen_us > b->dead_us / PAUSE)
        r->changed_us = now_us;
    r->seen_us = now_us;
    r->digest = is;
    claim_free(r->claim);
    r->claim = c;
}

static const struct rival *rival_of(const struct claimboard *b, const char *writer)
{
    return g_hash_table_lookup(b->rivals, writer);
}

gboolean claimboard_is_over(const struct claimboard *b, const char *writer)
{
    const struct rival *r = rival_of(b, writer);
    return r && r->claim && r->claim->ended;
}

static gboolean is_silent(const struct claimboard *b, const struct rival *r, gint64 now_us)
{
    return now_us - r->changed_us >= b->dead_us;
}

gboolean claimboard_is_dead(const struct claimboard *b, const char *writer, gint64 now_us)
{
    const struct rival *r = rival_of(b, writer);
    return r && r->claim && is_silent(b, r, now_us);
}

static gboolean lives(const struct claimboard *b, const struct rival *r, gint64 now_us)
{
    return r->claim && !r->claim->ended && !is_silent(b, r, now_us);
}

guint claimboard_living(const struct claimboard *b, gint64 now_us)
{
    GHashTableIter it;
    gpointer r;
    guint n = 0;
    g_hash_table_iter_init(&it, b->rivals);
    while (g_hash_table_iter_next(&it, NULL, &r))
        n += lives(b, r, now_us);
    return n;
}

static const struct claim_key *key_of(const struct rival *r, const struct digest *key)
{
    for (guint i = 0; r->claim && i < r->claim->keys->len; i++) {
        const struct claim_key *k = &g_array_index(r->claim->keys, struct claim_key, i);
        if (digest_cmp(&k->key, key) == 0)
            return k;
    }
    return NULL;
}

gboolean claimboard_has(const struct claimboard *b, const char *writer, const struct digest *key,
                        gint64 now_us)
{
    const struct rival *r = rival_of(b, writer);
    return r && lives(b, r, now_us) && key_of(r, key);
}

const char *claimboard_builder(const struct claimboard *b, const char *writer)
{
    const struct rival *r = rival_of(b, writer);
    return r && r->claim && *r->claim->builder ? r->claim->builder : "another builder";
}

/* The smaller one goes first. */
static void rank_of(const char *writer, const struct digest *key, struct digest *out)
{
    char hex[DIGEST_HEX_LEN + 1];
    g_autofree char *text = g_strconcat(writer, " ", digest_hex(key, hex), NULL);
    digest_of_bytes(out, text, strlen(text));
}

/* The best placed of those that hold key or, without held, of all that claim it; NULL: none.
 * *rank is its rank. */
static const char *first_of(const struct claimboard *b, const struct digest *key, gboolean held,
                            gint64 now_us, struct digest *rank)
{
    GHashTableIter it;
    gpointer id, rival;
    const char *first = NULL;
    g_hash_table_iter_init(&it, b->rivals);
    while (g_hash_table_iter_next(&it, &id, &rival)) {
        struct digest its;
        const struct claim_key *k = lives(b, rival, now_us) ? key_of(rival, key) : NULL;
        if (!k || (held && !k->held))
            continue;
        rank_of(id, key, &its);
        if (first && digest_cmp(&its, rank) >= 0)
            continue;
        first = id;
        *rank = its;
    }
    return first;
}

enum claim_state claimboard_judge(const struct claimboard *b, const struct digest *key,
                                  gint64 wanted_us, gint64 now_us, const char **who)
{
    struct digest mine, its;
    if ((*who = first_of(b, key, TRUE, now_us, &its)))
        return CLAIM_TAKEN;
    if (!(*who = first_of(b, key, FALSE, now_us, &its)))
        return CLAIM_FREE;
    rank_of(b->me, key, &mine);
    /* One that stays though it saw me has begun before. */
    if (digest_cmp(&its, &mine) < 0 || (wanted_us && now_us - wanted_us >= b->settle_us))
        return CLAIM_TAKEN;
    return CLAIM_CONTESTED;
}
