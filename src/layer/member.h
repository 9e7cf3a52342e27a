/* Compressing one member: a gzip member (RFC 1952) or a zstd frame (RFC 8878) that stands alone, so
 * that members can be made in parallel and copied between blobs. The bytes depend only on the
 * input, the encoder and its level, never on threads; an encoder is named by its variant. */
#ifndef VARVE_LAYER_MEMBER_H
#define VARVE_LAYER_MEMBER_H

#include "layer/export.h"

/* Which encoder makes members. gzip: levels up to 3 are ISA-L's, 4 to 12 libdeflate's; -1 is
 * ISA-L's 2. zstd: 1 to 22, -1 and 0 are 3. */
struct encoder {
    enum compression compression;
    int level;        /* the encoder's own, never -1 */
    char variant[48]; /* "gzip-isal2.30-2" */
};
gboolean encoder_init(struct encoder *e, enum compression c, int level, GError **err);

/* One thread's compressor. */
struct member_maker;
struct member_maker *member_maker_new(const struct encoder *e);
void member_maker_free(struct member_maker *m);
/* Replaces out by raw's member. */
gboolean member_make(struct member_maker *m, const GByteArray *raw, GByteArray *out, GError **err);
/* TRUE if member, of m's compression, is intact and contains exactly raw. */
gboolean member_holds(struct member_maker *m, const GByteArray *member, const GByteArray *raw);

typedef struct member_maker member_maker;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(member_maker, member_maker_free)

#endif
