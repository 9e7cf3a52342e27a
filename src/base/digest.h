/* SHA-256 digests (OCI image-spec "Digests"; only the sha256 algorithm is supported) and hashing of
 * structured values into keys. A digest is a plain value: copy it with assignment. */
#ifndef VARVE_BASE_DIGEST_H
#define VARVE_BASE_DIGEST_H

#include <glib.h>

#define DIGEST_HEX_LEN 64
#define DIGEST_TEXT_LEN (7 + DIGEST_HEX_LEN) /* "sha256:" and the hex */

struct digest {
    guint8 b[32]; /* SHA-256, big endian as printed */
};

/* Parses exactly "sha256:" and 64 lower-case hex digits; VARVE_ERROR_INVALID otherwise. */
gboolean digest_parse(struct digest *out, const char *text, GError **err);
/* Parses exactly 64 lower-case hex digits; FALSE otherwise. */
gboolean digest_parse_hex(struct digest *out, const char *hex);
/* "sha256:<hex>". */
char *digest_text(const struct digest *d);
/* Writes 64 hex digits and a NUL. Returns out. */
char *digest_hex(const struct digest *d, char out[DIGEST_HEX_LEN + 1]);
int digest_cmp(const struct digest *a, const struct digest *b);
gboolean digest_is_zero(const struct digest *d);
void digest_of_bytes(struct digest *out, const void *bytes, gsize len);
/* Hashes fd from its current offset to its end; *size (may be NULL) gets the bytes read. Holes are
 * not read. Ends early when the work is cancelled, and tells of what takes long under name
 * (base/meter.h). */
gboolean digest_of_fd(struct digest *out, int fd, const char *name, guint64 *size, GError **err);

/* For GHashTable keys that point to struct digest. */
guint digest_ghash(gconstpointer d);
gboolean digest_gequal(gconstpointer a, gconstpointer b);

/* A running SHA-256. Reusable after hasher_final(). Not thread-safe. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_free(struct hasher *h);
void hasher_update(struct hasher *h, const void *bytes, gsize len);
/* Writes the digest and resets h for another use. */
void hasher_final(struct hasher *h, struct digest *out);

/* Unambiguous encoding of typed fields (each is length- or tag-prefixed), for keys. */
void hasher_add_str(struct hasher *h, const char *s); /* NULL differs from "" */
void hasher_add_bytes(struct hasher *h, const void *bytes, gsize len);
void hasher_add_u64(struct hasher *h, guint64 v);
void hasher_add_digest(struct hasher *h, const struct digest *d);
void hasher_add_strv(struct hasher *h, const char *const *strv); /* NULL is the empty list */

typedef struct hasher hasher;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(hasher, hasher_free)

#endif
