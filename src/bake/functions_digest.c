/* Functions of digests, passwords and identifiers. */
#include "bake/function.h"
#include "base/lazylib.h"

#include <crypt.h>
#include <string.h>

#define BCRYPT_COST 10      /* when none is given */
#define BCRYPT_COST_MIN 4   /* below, the default is taken */
#define BCRYPT_COST_MAX 31  /* of the format; the steps of the heap end it much earlier */
#define BCRYPT_BYTES_MAX 72 /* of the password */
#define BCRYPT_STEPS 100    /* of a round */
#define UUID_BYTES 16

static const struct param ONE_STRING[] = {{"str", &type_string, FALSE}};
static const struct param NAMESPACE_NAME[] = {{"namespace", &type_string, FALSE},
                                              {"name", &type_string, FALSE}};
static const struct param CIPHERTEXT_KEY[] = {{"ciphertext", &type_string, FALSE},
                                              {"privatekey", &type_string, FALSE}};
static const struct param COST = {"cost", &type_number, FALSE};

static const struct value *text_checksum(struct heap *h, GChecksumType type, struct text t)
{
    g_autofree char *hex = g_compute_checksum_for_data(type, (const guchar *)t.bytes, t.len);
    return value_cstring(h, hex);
}

static const struct value *call_md5(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    return text_checksum(c->heap, G_CHECKSUM_MD5, args[0]->text);
}

static const struct value *call_sha1(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    return text_checksum(c->heap, G_CHECKSUM_SHA1, args[0]->text);
}

static const struct value *call_sha256(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return text_checksum(c->heap, G_CHECKSUM_SHA256, args[0]->text);
}

static const struct value *call_sha512(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return text_checksum(c->heap, G_CHECKSUM_SHA512, args[0]->text);
}

#define CRYPT_API(X, api) X(api, crypt_rn, rn) X(api, crypt_gensalt_rn, gensalt)
struct crypt_api {
    CRYPT_API(LAZYLIB_POINTER, )
};

static const struct crypt_api *crypt_api_load(GError **err)
{
    static struct crypt_api api;
    static const struct lazylib_symbol symbols[] = {CRYPT_API(LAZYLIB_SYMBOL, struct crypt_api)};
    static struct lazylib lib = {.file = "libcrypt.so.1",
                                 .needed_for = "bcrypt() in bake files",
                                 .package = "libcrypt1",
                                 .symbols = symbols,
                                 .n = G_N_ELEMENTS(symbols),
                                 .api = &api};
    return lazylib_load(&lib, err) ? &api : NULL;
}

static const struct value *bcrypt_value(struct call *c, struct text password, gint64 cost,
                                        GError **err)
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];
    const struct crypt_api *api = crypt_api_load(err);
    if (!api || !heap_step(c->heap, (guint64)BCRYPT_STEPS << cost, err))
        return NULL;
    g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
    const char *hash = NULL;
    if (api->gensalt("$2a$", (unsigned long)cost, NULL, 0, salt, sizeof(salt)))
        hash = api->rn(password.bytes, salt, data, sizeof(*data));
    return hash ? value_cstring(c->heap, hash)
                : call_fail(err, "libcrypt cannot make such a hash: %s", g_strerror(errno));
}

static const struct value *call_bcrypt(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    struct text password = args[0]->text;
    gint64 cost = BCRYPT_COST;
    if (n > 2)
        return call_fail(err, "there may be two arguments, not more");
    if (n == 2 && !call_int(c, args, 1, G_MININT, BCRYPT_COST_MAX, &cost, err))
        return NULL;
    if (password.len > BCRYPT_BYTES_MAX)
        return call_bad_arg(c, 0, err, "must not be longer than %d bytes", BCRYPT_BYTES_MAX);
    if (strlen(password.bytes) < password.len)
        return call_bad_arg(c, 0, err, "must not contain a NUL character");
    return bcrypt_value(c, password, cost < BCRYPT_COST_MIN ? BCRYPT_COST : cost, err);
}

static const struct value *call_uuidv4(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    g_autofree char *uuid = g_uuid_string_random();
    return value_cstring(c->heap, uuid);
}

/* 32 hexadecimal digits, or the same with hyphens, perhaps in braces or behind "urn:uuid:". */
static gboolean uuid_parse(struct text t, guint8 *bytes)
{
    g_autofree char *plain = g_strndup(t.bytes, t.len);
    const char *p = plain;
    gsize len = strlen(plain);
    if (len == 38) { /* whatever the brackets are, as Go's package has it */
        p++;
        len = 36;
    } else if (len == 45 && g_ascii_strncasecmp(p, "urn:uuid:", 9) == 0) {
        p += 9;
        len = 36;
    }
    if (len != 32 && (len != 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-'))
        return FALSE;
    for (guint i = 0; i < UUID_BYTES; i++, p += 2) {
        p += len == 36 && *p == '-';
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1]))
            return FALSE;
        bytes[i] = (guint8)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
    }
    return TRUE;
}

/* The namespaces of RFC 4122, appendix C, differ in one byte. */
static gboolean uuid_namespace(struct text t, guint8 *bytes)
{
    static const struct {
        const char *name;
        guint8 byte; /* the fourth */
    } NAMES[] = {{"dns", 0x10}, {"url", 0x11}, {"oid", 0x12}, {"x500", 0x14}};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        if (text_compare(t, (struct text){NAMES[i].name, strlen(NAMES[i].name)}) == 0) {
            uuid_parse(TEXT("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), bytes);
            bytes[3] = NAMES[i].byte;
            return TRUE;
        }
    return uuid_parse(t, bytes);
}

static const struct value *call_uuidv5(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    guint8 space[UUID_BYTES], digest[20];
    gsize len = sizeof(digest);
    struct text name = args[1]->text;
    if (!uuid_namespace(args[0]->text, space))
        return call_bad_arg(c, 0, err, "must be dns, url, oid, x500 or a UUID");
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    g_checksum_update(sum, space, sizeof(space));
    g_checksum_update(sum, (const guchar *)name.bytes, (gssize)name.len);
    g_checksum_get_digest(sum, digest, &len);
    digest[6] = (guint8)((digest[6] & 0x0f) | 0x50);
    digest[8] = (guint8)((digest[8] & 0x3f) | 0x80);
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < UUID_BYTES; i++)
        g_string_append_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               digest[i]);
    return value_take(c->heap, out);
}

static const struct value *call_rsadecrypt(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    return call_fail(err, "varve does not decrypt in bake files; decrypt before, and pass the text "
                          "in a variable or as a secret");
}

const struct function functions_digest[] = {
    FUNCTION("bcrypt", ONE_STRING, &COST, call_bcrypt),
    FUNCTION("md5", ONE_STRING, NULL, call_md5),
    FUNCTION("rsadecrypt", CIPHERTEXT_KEY, NULL, call_rsadecrypt),
    FUNCTION("sha1", ONE_STRING, NULL, call_sha1),
    FUNCTION("sha256", ONE_STRING, NULL, call_sha256),
    FUNCTION("sha512", ONE_STRING, NULL, call_sha512),
    FUNCTION_VARIADIC("uuidv4", NULL, call_uuidv4),
    FUNCTION("uuidv5", NAMESPACE_NAME, NULL, call_uuidv5),
    {0},
};
