#include "base/digest.h"

#include "base/error.h"
#include "base/io.h"
#include "base/meter.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct hasher {
    struct sha256_ctx ctx; /* ready for update at all times */
};

struct hasher *hasher_new(void)
{
    struct hasher *h = g_new(struct hasher, 1);
    sha256_init(&h->ctx);
    return h;
}

void hasher_free(struct hasher *h)
{
    g_free(h);
}

void hasher_update(struct hasher *h, const void *bytes, gsize len)
{
    sha256_update(&h->ctx, len, bytes);
}

void hasher_final(struct hasher *h, struct digest *out)
{
    sha256_digest(&h->ctx, sizeof out->b, out->b); /* and begins anew */
}

void hasher_add_bytes(struct hasher *h, const void *bytes, gsize len)
{
    hasher_add_u64(h, len);
    hasher_update(h, bytes, len);
}

void hasher_add_str(struct hasher *h, const char *s)
{
    if (s)
        hasher_add_bytes(h, s, strlen(s));
    else
        hasher_add_u64(h, G_MAXUINT64);
}

void hasher_add_u64(struct hasher *h, guint64 v)
{
    guint64 le = GUINT64_TO_LE(v);
    hasher_update(h, &le, sizeof le);
}

void hasher_add_digest(struct hasher *h, const struct digest *d)
{
    hasher_update(h, d->b, sizeof d->b);
}

void hasher_add_strv(struct hasher *h, const char *const *strv)
{
    guint n = strv ? g_strv_length((char **)strv) : 0;
    hasher_add_u64(h, n);
    for (guint i = 0; i < n; i++)
        hasher_add_str(h, strv[i]);
}

void digest_of_bytes(struct digest *out, const void *bytes, gsize len)
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, len, bytes);
    sha256_digest(&ctx, sizeof out->b, out->b);
}

#define CHUNK (256 * 1024)

/* A file being hashed. */
struct hashing {
    int fd;
    struct hasher *h;
    char *buf;    /* CHUNK bytes */
    guint64 size; /* of the file */
    struct meter meter;
};

/* Hashes the hole that fd is at, if any, without reading it. */
static gboolean hash_hole(struct hashing *x, GError **err)
{
    off_t at = lseek(x->fd, 0, SEEK_CUR), data = at < 0 ? -1 : lseek(x->fd, at, SEEK_DATA);
    if (at >= 0 && data < 0 && errno == ENXIO && (guint64)at < x->size)
        data = (off_t)x->size;
    if (data < 0 || lseek(x->fd, data, SEEK_SET) < 0)
        return TRUE;
    if (data > at)
        memset(x->buf, 0, CHUNK);
    while (at < data) {
        gsize n = MIN(CHUNK, data - at);
        if (!meter_add(&x->meter, n, err))
            return FALSE;
        hasher_update(x->h, x->buf, n);
        at += (off_t)n;
    }
    return TRUE;
}

static gboolean hash_file(struct hashing *x, gboolean sparse, GError **err)
{
    for (;;) {
        if (sparse && !hash_hole(x, err))
            return FALSE;
        ssize_t n = io_read(x->fd, x->buf, CHUNK);
        if (n < 0)
            return error_set_errno(err, errno, "cannot read while hashing");
        if (!meter_add(&x->meter, n, err))
            return FALSE;
        if (n == 0)
            return TRUE;
        hasher_update(x->h, x->buf, n);
    }
}

gboolean digest_of_fd(struct digest *out, int fd, const char *name, guint64 *size, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    g_autofree char *buf = g_malloc(CHUNK);
    struct stat st = {0};
    gboolean sparse = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                      (guint64)st.st_blocks * 512 < (guint64)st.st_size;
    struct hashing x = {.fd = fd, .h = h, .buf = buf, .size = (guint64)st.st_size};
    meter_init(&x.meter, "hashing", name, x.size);
    gboolean ok = hash_file(&x, sparse, err);
    meter_end(&x.meter);
    if (!ok)
        return FALSE;
    hasher_final(h, out);
    if (size)
        *size = x.meter.at;
    return TRUE;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

gboolean digest_parse_hex(struct digest *out, const char *hex)
{
    for (int i = 0; i < 32; i++) {
        int hi = hex_value(hex[2 * i]);
        int lo = hi < 0 ? -1 : hex_value(hex[2 * i + 1]);
        if (lo < 0)
            return FALSE;
        out->b[i] = hi << 4 | lo;
    }
    return hex[DIGEST_HEX_LEN] == '\0';
}

gboolean digest_parse(struct digest *out, const char *text, GError **err)
{
    if (g_str_has_prefix(text, "sha256:") && digest_parse_hex(out, text + 7))
        return TRUE;
    g_autofree char *shown = g_strndup(text, DIGEST_TEXT_LEN + 16);
    return error_set(err, VARVE_ERROR_INVALID,
                     "\"%s\" is not a digest (sha256: and 64 lower-case hex digits)", shown);
}

char *digest_hex(const struct digest *d, char out[DIGEST_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[d->b[i] >> 4];
        out[2 * i + 1] = digits[d->b[i] & 15];
    }
    out[DIGEST_HEX_LEN] = '\0';
    return out;
}

char *digest_text(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat("sha256:", digest_hex(d, hex), NULL);
}

int digest_cmp(const struct digest *a, const struct digest *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

gboolean digest_is_zero(const struct digest *d)
{
    static const struct digest zero;
    return digest_cmp(d, &zero) == 0;
}

__extension__ typedef unsigned __int128 uint128;

/* Digests from outside may have been chosen to be alike: those that collide are different in each
 * process (NH, of UMAC). */
guint digest_ghash(gconstpointer d)
{
    static gsize chosen;
    static guint64 a[4]; /* by nobody outside */
    if (g_once_init_enter(&chosen)) {
        for (guint i = 0; i < G_N_ELEMENTS(a); i++)
            a[i] = (guint64)g_random_int() << 32 | g_random_int();
        g_once_init_leave(&chosen, 1);
    }
    guint64 w[4];
    memcpy(w, ((const struct digest *)d)->b, sizeof w);
    uint128 sum = (uint128)(w[0] + a[0]) * (w[1] + a[1]) + (uint128)(w[2] + a[2]) * (w[3] + a[3]);
    return (guint)(sum >> 64) ^ (guint)(sum >> 32);
}

gboolean digest_gequal(gconstpointer a, gconstpointer b)
{
    return digest_cmp(a, b) == 0;
}
