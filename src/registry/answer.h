/* What registries say in their answers: challenges and reasons, read from hostile bytes. */
#ifndef VARVE_REGISTRY_ANSWER_H
#define VARVE_REGISTRY_ANSWER_H

#include "base/digest.h"
#include "net/response.h"
#include "registry/challenge.h"

/* Reads all WWW-Authenticate fields; scheme NONE where there are none. */
void answer_challenge(const struct http_response *a, struct challenge *out);
/* Docker-Content-Digest; FALSE when it is absent or malformed. */
gboolean answer_digest(const struct http_response *a, struct digest *out);
/* The reason in a registry's error body ({"errors":[{"code","message"}]}), made fit for one line;
 * NULL when there is none. */
char *answer_reason(const struct http_response *a);
/* After a failed request: what to do about a certificate that was not accepted, if that was it. */
void answer_advise_trust(const struct http_response *a, GError **err);

#endif
