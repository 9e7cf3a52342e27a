/* Functions of networks in CIDR notation. */
#include "bake/function.h"

#include <arpa/inet.h>
#include <string.h>

#define EXTEND_MAX 32 /* bits by which a prefix is made longer at once */

static const struct param PREFIX[] = {{"prefix", &type_string, FALSE}};
static const struct param HOST[] = {{"prefix", &type_string, FALSE},
                                    {"hostnum", &type_number, FALSE}};
static const struct param SUBNET[] = {{"prefix", &type_string, FALSE},
                                      {"newbits", &type_number, FALSE},
                                      {"netnum", &type_number, FALSE}};
static const struct param NEWBITS = {"newbits", &type_number, FALSE};

struct network {
    guint8 bytes[16]; /* of the address, the host's bits zero */
    guint size;       /* 4 or 16 of them */
    guint prefix;     /* bits of the network */
};

static gboolean bit_get(const struct network *w, guint i)
{
    return w->bytes[i / 8] >> (7 - i % 8) & 1;
}

static void bit_set(struct network *w, guint i, gboolean on)
{
    guint8 mask = (guint8)(0x80 >> (i % 8));
    w->bytes[i / 8] = (guint8)(on ? w->bytes[i / 8] | mask : w->bytes[i / 8] & ~mask);
}

/* Bits from from up to size become all zero or all one. */
static void bits_fill(struct network *w, guint from, gboolean on)
{
    for (guint i = from; i < w->size * 8; i++)
        bit_set(w, i, on);
}

static gboolean network_parse(const char *text, struct network *w)
{
    const char *slash = strchr(text, '/');
    if (!slash || strlen(slash + 1) > 3 || strspn(slash + 1, "0123456789") != strlen(slash + 1) ||
        !slash[1])
        return FALSE;
    g_autofree char *address = g_strndup(text, (gsize)(slash - text));
    gboolean six = strchr(address, ':') != NULL;
    w->size = six ? 16 : 4;
    w->prefix = (guint)g_ascii_strtoull(slash + 1, NULL, 10);
    if (inet_pton(six ? AF_INET6 : AF_INET, address, w->bytes) != 1 || w->prefix > w->size * 8)
        return FALSE;
    bits_fill(w, w->prefix, FALSE);
    return TRUE;
}

static gboolean arg_network(struct call *c, const struct value *const *args, struct network *w,
                            GError **err)
{
    struct text t = args[0]->text;
    if (strlen(t.bytes) == t.len && network_parse(t.bytes, w))
        return TRUE;
    call_bad_arg(c, 0, err, "\"%s\" is no network such as 10.0.0.0/8 or fd00::/64", t.bytes);
    return FALSE;
}

/* As RFC 5952 says, but without dotted numbers within IPv6, as Go writes it. */
static void address_append(const struct network *w, GString *out)
{
    guint zeros = 0, at = 8; /* the longest run of zero groups, of two at least */
    guint16 groups[8];
    if (w->size == 4) {
        g_string_append_printf(out, "%u.%u.%u.%u", w->bytes[0], w->bytes[1], w->bytes[2],
                               w->bytes[3]);
        return;
    }
    for (guint i = 0; i < 8; i++)
        groups[i] = (guint16)(w->bytes[2 * i] << 8 | w->bytes[2 * i + 1]);
    for (guint i = 0; i < 8; i++) {
        guint run = 0;
        while (i + run < 8 && groups[i + run] == 0)
            run++;
        if (run > MAX(zeros, 1)) {
            zeros = run;
            at = i;
        }
    }
    for (guint i = 0; i < 8; i++) {
        if (i == at) {
            g_string_append(out, "::");
            i += zeros - 1;
            continue;
        }
        g_string_append_printf(out, "%s%x", i > 0 && i != at + zeros ? ":" : "", groups[i]);
    }
}

static const struct value *address_value(struct heap *h, const struct network *w,
                                         gboolean with_prefix)
{
    g_autoptr(GString) out = g_string_new(NULL);
    address_append(w, out);
    if (with_prefix)
        g_string_append_printf(out, "/%u", w->prefix);
    return value_take(h, out);
}

/* Writes number to the bits that end before end, from its lowest one on; those above are kept. */
static void number_insert(struct network *w, guint from, guint end, guint64 number)
{
    for (guint i = end; i-- > from && number; number >>= 1)
        bit_set(w, i, number & 1);
}

/* Whether a number below 2^bits. */
static gboolean fits_bits(guint64 number, guint bits)
{
    return bits >= 64 || number >> bits == 0;
}

static const struct value *call_cidrhost(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    struct network w;
    gint64 host;
    if (!call_int(c, args, 1, G_MININT64, G_MAXINT64, &host, err) || !arg_network(c, args, &w, err))
        return NULL;
    guint bits = w.size * 8 - w.prefix;
    /* A negative one counts down from the last address, which is -1. */
    guint64 number = host < 0 ? (guint64)(-(host + 1)) : (guint64)host;
    if (!fits_bits(number, bits))
        return call_bad_arg(c, 1, err, "a network with a prefix of %u bits has no such host",
                            w.prefix);
    number_insert(&w, w.prefix, w.size * 8, number);
    for (guint i = w.prefix; host < 0 && i < w.size * 8; i++)
        bit_set(&w, i, !bit_get(&w, i));
    return address_value(c->heap, &w, FALSE);
}

static const struct value *call_cidrnetmask(struct call *c, const struct value *const *args,
                                            guint n, GError **err)
{
    struct network w;
    if (!arg_network(c, args, &w, err))
        return NULL;
    bits_fill(&w, 0, TRUE);
    bits_fill(&w, w.prefix, FALSE);
    return address_value(c->heap, &w, FALSE);
}

/* Whether argument i, which is added to the prefix, is not too much; *prefix is the sum. */
static gboolean arg_newbits(struct call *c, const struct value *const *args, guint i, gint64 min,
                            const struct network *w, guint *prefix, GError **err)
{
    gint64 bits;
    if (!call_int(c, args, i, min, EXTEND_MAX, &bits, err))
        return FALSE;
    *prefix = w->prefix + (guint)bits;
    if (*prefix <= w->size * 8)
        return TRUE;
    call_bad_arg(c, (int)i, err, "a prefix of %u bits would be too long for IPv%d", *prefix,
                 w->size == 4 ? 4 : 6);
    return FALSE;
}

static const struct value *call_cidrsubnet(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    struct network w;
    gint64 number;
    guint prefix;
    if (!call_int(c, args, 2, 0, G_MAXINT64, &number, err) || !arg_network(c, args, &w, err) ||
        !arg_newbits(c, args, 1, 0, &w, &prefix, err))
        return NULL;
    if (!fits_bits((guint64)number, prefix - w.prefix))
        return call_bad_arg(c, 2, err, "%u more bits have no network numbered %" G_GINT64_FORMAT,
                            prefix - w.prefix, number);
    number_insert(&w, w.prefix, prefix, (guint64)number);
    w.prefix = prefix;
    return address_value(c->heap, &w, TRUE);
}

/* Adds one to the network's number; FALSE when that was the last within the first keep bits. */
static gboolean network_next(struct network *w, guint keep)
{
    for (guint i = w->prefix; i-- > keep;) {
        gboolean carry = bit_get(w, i);
        bit_set(w, i, !carry);
        if (!carry)
            return TRUE;
    }
    return FALSE;
}

/* Consecutive networks: each begins behind the one before it, at the next place that suits its
 * size. */
static const struct value *call_cidrsubnets(struct call *c, const struct value *const *args,
                                            guint n, GError **err)
{
    struct network base, at;
    gboolean room = TRUE;
    if (!arg_network(c, args, &base, err))
        return NULL;
    const struct value **items = heap_array(c->heap, const struct value *, n);
    at = base;
    for (guint i = 1; i < n; i++) {
        guint prefix;
        if (!arg_newbits(c, args, i, 1, &base, &prefix, err))
            return NULL;
        if (i > 1) {
            room = room && network_next(&at, base.prefix);
            /* A larger network begins where it can: rounded up. */
            gboolean aligned = TRUE;
            for (guint k = prefix; k < at.prefix; k++)
                aligned = aligned && !bit_get(&at, k);
            at.prefix = prefix;
            bits_fill(&at, prefix, FALSE);
            room = room && (aligned || network_next(&at, base.prefix));
        }
        if (!room)
            return call_bad_arg(c, (int)i, err, "there is no room left for a prefix of %u bits",
                                prefix);
        at.prefix = prefix;
        items[i - 1] = address_value(c->heap, &at, TRUE);
    }
    return value_list(c->heap, &type_string, items, n - 1);
}

const struct function functions_net[] = {
    FUNCTION("cidrhost", HOST, NULL, call_cidrhost),
    FUNCTION("cidrnetmask", PREFIX, NULL, call_cidrnetmask),
    FUNCTION("cidrsubnet", SUBNET, NULL, call_cidrsubnet),
    FUNCTION("cidrsubnets", PREFIX, &NEWBITS, call_cidrsubnets),
    {0},
};
